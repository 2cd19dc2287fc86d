package hostfs

import (
	"io"
	"os"
	"slices"

	"alpinevm/fs9p"
)

// A handle is a regular file of the host that is open, for as many as hold it.
type handle struct {
	f     *os.File
	n     *inode
	flags int // of its open
	refs  int
}

// open opens the regular file n. One that has no name is opened by the handle
// that is there, or that is shared. The caller releases what it gets.
func (n *inode) open(flags int) (*handle, error) {
	if n.kind != fs9p.ModeRegular {
		return nil, fs9p.ENXIO
	}
	p, err := n.place()
	if err != nil {
		return nil, err
	}
	if n.fs.files >= n.fs.limit.files {
		return nil, fs9p.ENFILE
	}
	var f *os.File
	if p.dir == nil {
		f, err = reopen(p.file, flags|openFlags)
		if err != nil && n.anchor.serves(flags) {
			n.anchor.refs++
			return n.anchor, nil
		}
	} else {
		f, err = p.dir.root.OpenFile(p.name, flags|openFlags, 0)
	}
	if err != nil {
		return nil, toErrno(err)
	}
	if err := n.isOpen(f); err != nil {
		f.Close()
		return nil, err
	}
	return n.opened(f, flags), nil
}

// isOpen says ESTALE if the file f is not n.
func (n *inode) isOpen(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return toErrno(err)
	}
	if k, err := identifyOpen(f, fi); err != nil {
		return toErrno(err)
	} else if k != n.key || modeOf(fi)&fs9p.ModeType != n.kind {
		return fs9p.ESTALE
	}
	return nil
}

// opened makes a handle of the file f, which is n.
func (n *inode) opened(f *os.File, flags int) *handle {
	h := &handle{f: f, n: n, flags: flags, refs: 1}
	n.handles = append(n.handles, h)
	n.fs.files++
	return h
}

func (h *handle) release() error {
	if h.refs--; h.refs > 0 {
		return nil
	}
	i := slices.Index(h.n.handles, h)
	h.n.handles = slices.Delete(h.n.handles, i, i+1)
	h.n.fs.files--
	return h.f.Close()
}

// serves tells whether what wants to open the file with flags can share h.
func (h *handle) serves(flags int) bool {
	const both = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
	return (h.flags&both == os.O_RDWR || h.flags&both == flags&both) && (h.flags&os.O_APPEND == 0 || flags&os.O_APPEND != 0)
}

// keepOpen makes an anchor of the best of the handles.
func (n *inode) keepOpen() {
	if n.anchor != nil {
		return
	}
	for _, h := range n.handles {
		if n.anchor == nil || h.rank() > n.anchor.rank() {
			n.anchor = h
		}
	}
	if n.anchor != nil {
		n.anchor.refs++
	}
}

// rank tells what a handle is good for: both ways, writing at any place, reading.
func (h *handle) rank() int {
	switch {
	case h.flags&os.O_APPEND != 0:
		return 0
	case h.flags&(os.O_WRONLY|os.O_RDWR) == 0:
		return 1
	case h.flags&os.O_WRONLY != 0:
		return 2
	}
	return 3
}

// access turns the access mode of a Tlopen into the host's.
func access(flags uint32) int {
	switch {
	case !fs9p.CanWrite(flags):
		return os.O_RDONLY
	case !fs9p.CanRead(flags):
		return os.O_WRONLY
	}
	return os.O_RDWR
}

// Open is part of fs9p.Node.
func (n *inode) Open(flags uint32) (fs9p.File, error) {
	if n.kind == fs9p.ModeDir {
		return &listing{n: n}, nil
	}
	if n.fs.kept.extra(n.mark()).special != 0 {
		return nil, fs9p.ENXIO
	}
	mode := access(flags)
	if flags&fs9p.OTrunc != 0 && mode == os.O_RDONLY {
		mode = os.O_RDWR
	}
	if flags&fs9p.OAppend != 0 {
		mode |= os.O_APPEND
	}
	h, err := n.open(mode)
	if err != nil {
		return nil, err
	}
	if flags&fs9p.OTrunc != 0 {
		if err := n.fs.resize(h.f, 0); err != nil {
			h.release()
			return nil, err
		}
	}
	return &openFile{h: h, append: flags&fs9p.OAppend != 0}, nil
}

// An openFile is a regular file that is open.
type openFile struct {
	h      *handle
	append bool
}

// ReadAt is part of fs9p.File.
func (o *openFile) ReadAt(p []byte, off uint64) (int, error) {
	n, err := o.h.f.ReadAt(p, int64(off))
	if err == io.EOF {
		err = nil
	}
	return n, toErrno(err)
}

// WriteAt is part of fs9p.File.
func (o *openFile) WriteAt(p []byte, off uint64) (n int, err error) {
	at := int64(off)
	if o.append {
		fi, err := o.h.f.Stat()
		if err != nil {
			return 0, toErrno(err)
		}
		at = fi.Size()
	}
	err = o.h.n.fs.counted(o.h.f, at+int64(len(p)), func(end int64) error {
		if end <= at && len(p) > 0 {
			return fs9p.ENOSPC
		}
		p = p[:end-at]
		if o.h.flags&os.O_APPEND != 0 {
			n, err = o.h.f.Write(p)
		} else {
			n, err = o.h.f.WriteAt(p, at)
		}
		return toErrno(err)
	})
	return n, err
}

// ReadDir is part of fs9p.File.
func (o *openFile) ReadDir(uint64, func(fs9p.Dirent) bool) error { return fs9p.ENOTDIR }

// Sync is part of fs9p.File.
func (o *openFile) Sync(bool) error { return toErrno(o.h.f.Sync()) }

// Close is part of fs9p.File.
func (o *openFile) Close() error { return toErrno(o.h.release()) }
