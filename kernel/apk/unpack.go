package apk

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"alpinevm/internal/fetch"
)

// opened is a package whose control stream was read.
type opened struct {
	Info
	dataHash string // SHA-256 of the data stream in hexadecimal digits
	signed   []signature
	control  []byte // the stream that is signed
	rest     *streams
}

// open reads a package up to its data. Nothing of it is verified but that it is
// a package: Checksum and signed are what was found.
func open(r io.Reader) (*opened, error) {
	s := newStreams(r)
	head, err := s.readStream()
	if err != nil {
		return nil, truncated(err)
	}
	list, signed, err := signatures(head)
	if err != nil {
		return nil, err
	}
	if !signed {
		return nil, fmt.Errorf("%w: it does not begin with a signature", ErrFormat)
	}
	var raw bounded
	s.sumUp(&raw)
	control, err := s.readStream()
	if err != nil {
		return nil, truncated(err)
	}
	s.sumUp(nil)
	if raw.over {
		return nil, fmt.Errorf("%w: its head is too large", ErrFormat)
	}
	o := &opened{rest: s, signed: list, control: raw.Bytes()}
	o.Checksum = sha1.Sum(o.control)
	return o, o.parseControl(control)
}

// bounded keeps up to maxControl bytes: a stream can be long that holds little.
type bounded struct {
	bytes.Buffer
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxControl {
		b.over = true
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

// truncated tells an end in the middle from other errors of a reader.
func truncated(err error) error {
	var broken *fetch.Error
	switch {
	case errors.As(err, &broken): // that is the network's
		return err
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", ErrTruncated, io.ErrUnexpectedEOF)
	}
	return err
}

// parseControl reads what .PKGINFO says, lines such as "pkgname = musl".
func (o *opened) parseControl(stream []byte) error {
	t := tar.NewReader(bytes.NewReader(stream))
	for {
		h, err := t.Next()
		if err != nil {
			return fmt.Errorf("%w: no .PKGINFO is in it", ErrFormat)
		}
		if h.Name == ".PKGINFO" {
			break
		}
	}
	lines := bufio.NewScanner(t)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " = ")
		switch key {
		case "pkgname":
			o.Name = value
		case "pkgver":
			o.Version = value
		case "arch":
			o.Arch = value
		case "datahash":
			o.dataHash = value
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: its .PKGINFO: %w", ErrFormat, err)
	}
	if !validName(o.Name) || !validName(o.Version) || len(o.dataHash) != 2*sha256.Size {
		return fmt.Errorf("%w: its .PKGINFO lacks a name, a version or the hash of the data", ErrFormat)
	}
	return nil
}

// unpack writes the package's data to w, a tar archive, uncompressed. The error
// comes last: what was written counts for nothing then.
func (o *opened) unpack(w io.Writer) error {
	sum := sha256.New()
	o.rest.sumUp(sum)
	z, err := o.rest.next(true)
	if err == nil {
		_, err = io.CopyBuffer(struct{ io.Writer }{w}, &limited{z, maxData, "its data"}, make([]byte, 256<<10))
	}
	if err != nil {
		return truncated(err)
	}
	o.rest.sumUp(nil)
	if got := hex.EncodeToString(sum.Sum(nil)); got != o.dataHash {
		return fmt.Errorf("%w: the data are %.12s, and should be %.12s", ErrHash, got, o.dataHash)
	}
	return nil
}
