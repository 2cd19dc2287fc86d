package apk

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Index is what a repository says that it holds.
type Index struct {
	Packages []Info
}

// ParseIndex reads an APKINDEX.tar.gz that one of keys has signed.
func ParseIndex(data []byte, keys Keys) (*Index, error) {
	s := newStreams(bytes.NewReader(data))
	head, err := s.readStream()
	if err != nil {
		return nil, truncated(err)
	}
	signed, ok, err := signatures(head)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: it is not signed", ErrSignature)
	}
	if err := keys.verify(signed, data[s.taken():]); err != nil {
		return nil, err
	}
	z, err := s.next(true)
	if err != nil {
		return nil, truncated(err)
	}
	t := tar.NewReader(&limited{z, maxLists, "the index"})
	for {
		h, err := t.Next()
		if err != nil {
			return nil, fmt.Errorf("%w: no APKINDEX is in it (%w)", ErrFormat, err)
		}
		if h.Name == "APKINDEX" {
			return parseRecords(t)
		}
	}
}

// maxPackages bounds the packages of an index, of which Alpine's largest has
// some 20,000.
const maxPackages = 200_000

// parseRecords reads the records of an index: lines of a letter, a colon and a
// value, up to an empty line. Records that lack what we need are left out.
func parseRecords(r io.Reader) (*Index, error) {
	x := &Index{}
	var rec Info
	sum := false
	end := func() {
		if sum && validName(rec.Name) && validName(rec.Version) {
			x.Packages = append(x.Packages, rec)
		}
		rec, sum = Info{}, false
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if !ok {
			if end(); len(x.Packages) > maxPackages {
				return nil, fmt.Errorf("%w: the index has more than %d packages", ErrFormat, maxPackages)
			}
			continue
		}
		switch key {
		case "P":
			rec.Name = value
		case "V":
			rec.Version = value
		case "A":
			rec.Arch = value
		case "S":
			rec.Size, _ = strconv.ParseInt(value, 10, 64)
		case "C":
			rec.Checksum, sum = parseChecksum(value)
		}
	}
	end()
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: the index: %w", ErrFormat, err)
	}
	return x, nil
}

// parseChecksum reads "Q1" and the SHA-1 in base64.
func parseChecksum(s string) (c Checksum, ok bool) {
	text, ok := strings.CutPrefix(s, "Q1")
	if !ok {
		return c, false
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != len(c) {
		return c, false
	}
	copy(c[:], b)
	return c, true
}

// validName tells whether a name or a version can be a part of a file's name.
func validName(s string) bool {
	return s != "" && len(s) < 200 && s[0] != '.' && s[0] != '-' && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-:~@", r))
	}) < 0
}

// Find gives the package of that name and version, the latest one if version is
// empty. A version may lack its release ("-r0"). The error wraps ErrNotFound
// and says which versions there are.
func (x *Index) Find(name, version string) (Info, error) {
	var found []Info
	for _, p := range x.Packages {
		if p.Name == name {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b Info) int { return CompareVersions(b.Version, a.Version) })
	var there []string
	for _, p := range found {
		upstream, _, _ := strings.Cut(p.Version, "-r")
		if version == "" || p.Version == version || upstream == version {
			return p, nil
		}
		there = append(there, p.Version)
	}
	if len(there) == 0 {
		return Info{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return Info{}, fmt.Errorf("%w: %s %s, only %s", ErrNotFound, name, version, strings.Join(there, ", "))
}
