package memfs

import (
	"fmt"
	"io"
	"strings"

	"alpinevm/fs9p"
	"alpinevm/internal/tarball"
)

// LoadTar adds the files of a tar archive, plain or compressed in one of the
// forms of package tarball, while it reads r. Owners, modes, device numbers,
// times to the nanosecond, hard links and attributes come from the archive
// (ustar, PAX, GNU, sparse files included). A hard link may come before its
// target. An error names the entry; what came before it stays.
func (fs *FS) LoadTar(r io.Reader) error {
	z, err := tarball.Decompress(r)
	if err != nil {
		return fmt.Errorf("memfs: archive: %w", err)
	}
	defer z.Close()
	tr := tarball.NewReader(z)
	late := links{}
	for {
		h, err := tr.Next()
		switch {
		case err == io.EOF:
			if err := late.add(fs); err != nil {
				return err
			}
			return drain(z)
		case h == nil:
			return fmt.Errorf("memfs: archive: %w", err)
		case err != nil:
			return fmt.Errorf("memfs: %s: %w", quote(h.Name), err)
		}
		switch h.Class {
		case tarball.File:
			err = fs.addEntry(h, tr)
		case tarball.HardLink:
			if err = fs.AddLink(h.Name, h.Linkname); fs9p.ErrnoOf(err) == fs9p.ENOENT {
				err = late.keep(fs, h)
			}
		}
		if err != nil {
			return err
		}
	}
}

// links are hard links whose targets are still to come: names and targets.
type links struct {
	pairs [][2]string
	bytes int64
}

// keep keeps a link. What has its name goes, so that what has it in the end
// came later and counts. All together are bounded as what they are put into.
func (l *links) keep(fs *FS, h *tarball.Entry) error {
	if err := fs.free(h.Name); err != nil {
		return fmt.Errorf("memfs: %s: %w", quote(h.Name), err)
	}
	if l.bytes += int64(len(h.Name)+len(h.Linkname)) + 32; l.bytes > fs.cfg.Limit {
		return fmt.Errorf("memfs: %s: %w", quote(h.Name), fs9p.ENOSPC)
	}
	l.pairs = append(l.pairs, [2]string{h.Name, h.Linkname})
	return nil
}

// maxChain is how many hard links may lead to each other before the file that
// they mean has come.
const maxChain = 16

// add makes the links. The one whose target has not come at all is the error.
func (l *links) add(fs *FS) error {
	var last error
	for range maxChain {
		left := l.pairs[:0]
		for _, p := range l.pairs {
			if fs.has(p[0]) {
				continue
			}
			err := fs.AddLink(p[0], p[1])
			switch {
			case fs9p.ErrnoOf(err) == fs9p.ENOENT:
				left, last = append(left, p), err
			case err != nil:
				return err
			}
		}
		if l.pairs = left; len(left) == 0 {
			return nil
		}
	}
	return last
}

// drain reads what is behind the archive's end, so that a gzip checksum is verified.
func drain(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("memfs: archive: %w", err)
	}
	return nil
}

func (fs *FS) addEntry(h *tarball.Entry, data io.Reader) error {
	e := Entry{
		Mode:  h.Type | uint32(h.Mode)&fs9p.ModePerm,
		UID:   uint32(h.Uid),
		GID:   uint32(h.Gid),
		Atime: h.AccessTime,
		Mtime: h.ModTime,
	}
	switch h.Type {
	case fs9p.ModeSymlink:
		e.Target = h.Linkname
	case fs9p.ModeChar, fs9p.ModeBlock:
		e.Rdev = fs9p.MakeDev(uint32(h.Devmajor), uint32(h.Devminor))
	case fs9p.ModeRegular:
		e.Data = data
	}
	for k, v := range h.PAXRecords {
		if name, ok := strings.CutPrefix(k, tarball.XattrRecord); ok && name != "" {
			if e.Xattrs == nil {
				e.Xattrs = map[string][]byte{}
			}
			e.Xattrs[name] = []byte(v)
		}
	}
	return fs.Add(h.Name, e)
}
