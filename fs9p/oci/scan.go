package oci

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"alpinevm/fs9p"
	"alpinevm/internal/tarball"
)

// An entry is one entry of a layer's archive.
type entry struct {
	name   string
	kind   uint32 // of the mode; 0 for a hard link
	target string // of either link
	attrs
	content
}

// attrs are the attributes of an inode.
type attrs struct {
	mode, uid, gid, rdev uint32
	atime, mtime, ctime  fs9p.Timespec
	xattrs               []xattr
}

// content says where the data of a file is. Without extents its stored bytes
// are at off, all of size or none.
type content struct {
	layer             int32
	off, size, stored int64
	extents           []extent
}

// What makes an entry an error.
var (
	errNumber  = errors.New("a number that Linux has no room for")
	errXattr   = errors.New("an extended attribute that Linux has no room for")
	errTarget  = errors.New("no target, or one that is too long")
	errSparse  = errors.New("a sparse file whose map and data do not agree")
	errReserve = errors.New("a name that is reserved for whiteouts")
	errLink    = errors.New("a hard link to a directory")
	errLoop    = errors.New("too many symbolic links on the way")
	errNotDir  = errors.New("a file where a directory should be")
	errNoFile  = errors.New("no such file in this layer or those below it")
	errSteps   = errors.New("too long a way to all the files of the image")
)

// A scanner reads the entries of a layer. The data is skipped.
type scanner struct {
	layer Layer
	index int
	in    *io.SectionReader
	tar   *tarball.Reader
	next  int64 // where the headers of the next entry begin
}

func newScanner(index int, l Layer) *scanner {
	in := io.NewSectionReader(l.Data, 0, l.Size)
	return &scanner{layer: l, index: index, in: in, tar: tarball.NewReader(in)}
}

// entry gives the next entry, or io.EOF.
func (s *scanner) entry() (*entry, error) {
	for {
		h, err := s.tar.Next()
		if err == io.EOF {
			return nil, io.EOF
		}
		if h == nil {
			return nil, s.explain(err)
		}
		head := s.next
		data, _ := s.in.Seek(0, io.SeekCurrent)
		var e *entry
		stored := h.Payload()
		if err == nil && h.Class != tarball.Skip {
			e, stored, err = s.parse(h, head, data)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", quote(h.Name), err)
		}
		s.next = roundUp(data + stored)
		if e != nil {
			return e, nil
		}
	}
}

// roundUp gives the end of the block of an archive that off is in.
func roundUp(off int64) int64 { return (off + 511) &^ 511 }

// parse makes an entry. head is where its headers begin and data where its
// content does, of stored bytes in the archive.
func (s *scanner) parse(h *tarball.Entry, head, data int64) (e *entry, stored int64, err error) {
	e = &entry{name: h.Name, target: h.Linkname, kind: h.Type}
	if h.Class == tarball.HardLink {
		return e, 0, nil
	}
	if err := e.fill(h.Header); err != nil {
		return nil, 0, err
	}
	stored = h.Payload()
	switch e.kind {
	case fs9p.ModeSymlink:
		if len(e.target) == 0 || len(e.target) > tarball.MaxPath {
			return nil, 0, errTarget
		}
	case fs9p.ModeRegular:
		e.content = content{layer: int32(s.index), off: data, size: h.Size, stored: h.Size}
		if stored, err = s.sparse(h.Header, head, &e.content); err != nil {
			return nil, 0, err
		}
		if end := data + stored; end < data || roundUp(end) < end || end > s.layer.Size {
			return nil, 0, io.ErrUnexpectedEOF
		}
	}
	return e, stored, nil
}

// fill takes the attributes from a header.
func (e *entry) fill(h *tar.Header) error {
	for _, n := range []struct {
		v    int64
		most int64
	}{
		{int64(h.Uid), math.MaxUint32 - 1}, {int64(h.Gid), math.MaxUint32 - 1},
		{h.Devmajor, 1<<12 - 1}, {h.Devminor, 1<<20 - 1}, {h.Size, math.MaxInt64},
	} {
		if n.v < 0 || n.v > n.most {
			return errNumber
		}
	}
	e.mode = e.kind | uint32(h.Mode)&fs9p.ModePerm
	e.uid, e.gid = uint32(h.Uid), uint32(h.Gid)
	if e.kind == fs9p.ModeChar || e.kind == fs9p.ModeBlock {
		e.rdev = uint32(fs9p.MakeDev(uint32(h.Devmajor), uint32(h.Devminor)))
	}
	e.mtime = timespec(h.ModTime, fs9p.Timespec{})
	e.atime = timespec(h.AccessTime, e.mtime)
	e.ctime = timespec(h.ChangeTime, e.mtime)
	return e.fillXattrs(h.PAXRecords)
}

// timespec turns a time of a header into one of fs9p, or gives other where
// there is none.
func timespec(t time.Time, other fs9p.Timespec) fs9p.Timespec {
	if t.IsZero() {
		return other
	}
	return fs9p.Timespec{Sec: t.Unix(), Nsec: uint32(t.Nanosecond())}
}

// fillXattrs takes the attributes from PAX records. Their names together are
// bounded as Linux bounds a list of them (XATTR_LIST_MAX).
func (e *entry) fillXattrs(records map[string]string) error {
	list := 0
	for _, k := range slices.Sorted(maps.Keys(records)) {
		name, ok := strings.CutPrefix(k, tarball.XattrRecord)
		if !ok || name == "" {
			continue
		}
		v := records[k]
		if list += len(name) + 1; len(name) > fs9p.MaxName || len(v) > fs9p.MaxXattr || list > fs9p.MaxXattr || strings.Contains(name, "\x00") {
			return fmt.Errorf("%w: %s", errXattr, quote(name))
		}
		e.xattrs = append(e.xattrs, xattr{name, v})
	}
	return nil
}

// explain tells what is wrong with the headers at s.next. archive/tar does not
// say which name it was that had a NUL in it.
func (s *scanner) explain(err error) error {
	if err == tar.ErrHeader {
		if name, ok := s.pathWithNUL(); ok {
			return fmt.Errorf("%s: %w", quote(name), tarball.ErrName)
		}
	}
	return fmt.Errorf("archive, at byte %d: %w", s.next, err)
}

func quote(name string) string { return fmt.Sprintf("%.300q", name) }
