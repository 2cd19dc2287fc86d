package memfs

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"alpinevm/fs9p"
)

// xattrRecord is how star, GNU tar and docker name an attribute in a PAX header.
const xattrRecord = "SCHILY.xattr."

// LoadTar adds the files of a tar archive, plain or compressed by gzip, while
// it reads r. Owners, modes, device numbers, times to the nanosecond, hard links
// and attributes come from the archive (ustar, PAX, GNU, sparse files
// included). An error names the entry; what came before it stays.
func (fs *FS) LoadTar(r io.Reader) error {
	br := bufio.NewReaderSize(r, 64<<10)
	r = br
	if magic, _ := br.Peek(2); len(magic) == 2 && magic[0] == 0x1F && magic[1] == 0x8B {
		zr, err := gzip.NewReader(br)
		if err != nil {
			return fmt.Errorf("memfs: archive: %w", err)
		}
		r = zr
	}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return drain(r)
		}
		if err != nil {
			return fmt.Errorf("memfs: archive: %w", err)
		}
		if err := fs.addHeader(h, tr); err != nil {
			return err
		}
	}
}

// drain reads what is behind the archive's end, so that a gzip checksum is verified.
func drain(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("memfs: archive: %w", err)
	}
	return nil
}

var errType = errors.New("an entry of a kind that is no file")

// tarTypes are the file types of archive entries.
var tarTypes = map[byte]uint32{
	tar.TypeReg:       fs9p.ModeRegular,
	tar.TypeCont:      fs9p.ModeRegular,
	tar.TypeGNUSparse: fs9p.ModeRegular,
	tar.TypeDir:       fs9p.ModeDir,
	tar.TypeSymlink:   fs9p.ModeSymlink,
	tar.TypeChar:      fs9p.ModeChar,
	tar.TypeBlock:     fs9p.ModeBlock,
	tar.TypeFifo:      fs9p.ModeFIFO,
}

func (fs *FS) addHeader(h *tar.Header, data io.Reader) error {
	switch h.Typeflag {
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeLink:
		return fs.AddLink(h.Name, h.Linkname)
	}
	kind, ok := tarTypes[h.Typeflag]
	if !ok {
		return fmt.Errorf("memfs: %s: %w (%q)", quote(h.Name), errType, h.Typeflag)
	}
	e := Entry{
		Mode:  kind | uint32(h.Mode)&fs9p.ModePerm,
		UID:   uint32(h.Uid),
		GID:   uint32(h.Gid),
		Atime: h.AccessTime,
		Mtime: h.ModTime,
	}
	switch kind {
	case fs9p.ModeSymlink:
		e.Target = h.Linkname
	case fs9p.ModeChar, fs9p.ModeBlock:
		e.Rdev = fs9p.MakeDev(uint32(h.Devmajor), uint32(h.Devminor))
	case fs9p.ModeRegular:
		e.Data = data
	}
	for k, v := range h.PAXRecords {
		if name, ok := strings.CutPrefix(k, xattrRecord); ok && name != "" {
			if e.Xattrs == nil {
				e.Xattrs = map[string][]byte{}
			}
			e.Xattrs[name] = []byte(v)
		}
	}
	return fs.Add(h.Name, e)
}
