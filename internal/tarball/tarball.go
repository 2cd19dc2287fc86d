// Package tarball reads tar archives as the tools meant them that wrote them:
// those of container images and of root file systems, compressed or not.
//
// Sources: POSIX.1-2017 pax ("ustar Interchange Format" and "pax Header
// Block"), the GNU tar manual ("Basic Tar Format", "Extensions to the Tar
// Archive Format"), tar(5) of libarchive for Solaris, and package archive/tar,
// which reads them all.
//
// What archive/tar leaves to its user is done here: names are made relative to
// the root, types that are no files are told apart from those that are, and
// Solaris's extended headers are applied.
package tarball

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"alpinevm/fs9p"
)

// MaxPath is the length in bytes of the longest name: PATH_MAX of Linux without
// the NUL.
const MaxPath = 4095

// What makes an entry an error.
var (
	ErrEscapes = errors.New("the name leads out of the image")
	ErrName    = errors.New("not a file name")
	ErrType    = errors.New("an entry of a kind that is no file")
	ErrPart    = errors.New("the rest of a file that began in another volume of the archive")
	ErrLong    = fmt.Errorf("a name that is too long (%w)", fs9p.ENAMETOOLONG)
	ErrHeader  = errors.New("a bad extended header")
)

// Clean gives the components of an entry's name, or of a hard link's target,
// from the root on: without slashes in front, ".", and ".." that stay inside;
// empty for the root itself. One that leads out is an error.
func Clean(name string) (string, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return "", ErrName
	}
	// Behind the slashes the name is relative, so that path.Clean keeps a ".."
	// that leads out.
	clean := path.Clean(strings.TrimLeft(name, "/"))
	switch {
	case clean == ".":
		return "", nil
	case clean == "..", strings.HasPrefix(clean, "../"):
		return "", ErrEscapes
	case len(clean) > MaxPath:
		return "", ErrLong
	}
	for c := range strings.SplitSeq(clean, "/") {
		if len(c) > fs9p.MaxName {
			return "", ErrLong
		}
	}
	return clean, nil
}

// Class is what an entry is.
type Class int

// The classes of entries.
const (
	Skip Class = iota // no file: it can be left out
	File
	HardLink
)

// typ is what the type flag of a header means.
type typ struct {
	class Class
	mode  uint32 // the file type, of a File
}

// Type flags that archive/tar has no names for: GNU's of incremental and of
// multi-volume archives, and Solaris's.
const (
	typeDumpDir     = 'D' // a folder, whose data are the names in it
	typeMultiVolume = 'M' // the rest of a file
	typeVolume      = 'V' // the archive's label
	typeSolarisPAX  = 'X' // an extended header, as TypeXHeader
	typeSolarisACL  = 'A' // of the next entry
	typeSolarisAttr = 'E' // an extended attribute that is a file
)

var types = map[byte]typ{
	tar.TypeReg:           {File, fs9p.ModeRegular},
	tar.TypeCont:          {File, fs9p.ModeRegular},
	tar.TypeGNUSparse:     {File, fs9p.ModeRegular},
	tar.TypeDir:           {File, fs9p.ModeDir},
	typeDumpDir:           {File, fs9p.ModeDir},
	tar.TypeSymlink:       {File, fs9p.ModeSymlink},
	tar.TypeChar:          {File, fs9p.ModeChar},
	tar.TypeBlock:         {File, fs9p.ModeBlock},
	tar.TypeFifo:          {File, fs9p.ModeFIFO},
	tar.TypeLink:          {HardLink, 0},
	tar.TypeXGlobalHeader: {Skip, 0},
	typeVolume:            {Skip, 0},
	typeSolarisPAX:        {Skip, 0},
	typeSolarisACL:        {Skip, 0},
	typeSolarisAttr:       {Skip, 0},
}

// An Entry is one entry of an archive.
type Entry struct {
	*tar.Header
	Class Class
	Type  uint32 // of a File: its type as in a mode, fs9p.ModeRegular and so on
}

// Payload is how many bytes of the archive lie between what Next has read and
// the next entry, but for what fills up the last block. Of a sparse file it is
// not known here.
func (e *Entry) Payload() int64 {
	switch e.Typeflag {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo, tar.TypeXGlobalHeader, typeSolarisPAX:
		return 0
	}
	return e.Size
}

// A Reader reads the entries of an archive that is not compressed.
type Reader struct {
	tar      *tar.Reader
	extended records // of the entry that comes next
}

// NewReader makes a Reader.
func NewReader(r io.Reader) *Reader { return &Reader{tar: tar.NewReader(r)} }

// Next gives the next entry; io.EOF is the end. The errors of this package
// come with the entry that they are about, those of archive/tar without.
func (r *Reader) Next() (*Entry, error) {
	h, err := r.tar.Next()
	if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // Clean looks at names
		return nil, err
	}
	t, ok := types[h.Typeflag]
	e := &Entry{h, t.class, t.mode}
	switch {
	case h.Typeflag == typeMultiVolume:
		return e, ErrPart
	case !ok:
		return e, fmt.Errorf("%w (%q)", ErrType, h.Typeflag)
	case h.Typeflag == typeSolarisPAX:
		r.extended, err = readRecords(r.tar, h.Size)
		return e, err
	case h.Typeflag == typeSolarisACL, h.Typeflag == tar.TypeXGlobalHeader:
		return e, nil // the extended header is that of the entry behind it
	}
	extended := r.extended
	r.extended = nil
	return e, extended.apply(h)
}

// Read reads the content of the entry that Next gave last.
func (r *Reader) Read(p []byte) (int, error) { return r.tar.Read(p) }

// XattrRecord is what the names of a file's attributes begin with in a pax
// header, as star, GNU tar and docker write them.
const XattrRecord = "SCHILY.xattr."
