package statefs

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"

	"alpinevm/fs9p"
)

// dataName is the place of an inode's content.
func (f *FS) dataName(id uint64) string {
	return f.path(dataDir, fmt.Sprintf("%02x", id&0xff), strconv.FormatUint(id, 16))
}

// parseID reads the last part of what dataName gives.
func parseID(name string) (uint64, bool) {
	id, err := strconv.ParseUint(name, 16, 64)
	return id, err == nil && strconv.FormatUint(id, 16) == name
}

// data opens the content of an inode; nil where there is none and make is false.
func (f *FS) data(n *inode, make bool) (*os.File, error) {
	if h := f.files.find(n.id); h != nil {
		return h, nil
	}
	name := f.dataName(n.id)
	flags := os.O_RDWR
	if n.fresh && n.size == 0 {
		// What may be there is of a process that died before the inode was one.
		flags |= os.O_TRUNC
	}
	h, err := os.OpenFile(name, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if !make {
			return nil, nil
		}
		h, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			if err = os.MkdirAll(f.path(dataDir, fmt.Sprintf("%02x", n.id&0xff)), 0o700); err == nil {
				h, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
			}
		}
		n.fresh = true
	}
	if err != nil {
		return nil, toErrno(err)
	}
	f.files.add(n.id, h)
	return h, nil
}

// stat tells the size of an inode's content and how many blocks of 512 bytes it
// takes.
func (f *FS) stat(n *inode) (size, blocks uint64, err error) {
	if n.size == 0 {
		return 0, 0, nil
	}
	h, err := f.data(n, false)
	if err != nil {
		return 0, 0, err
	}
	if h == nil {
		n.size = 0
		return 0, 0, nil
	}
	info, err := h.Stat()
	if err != nil {
		return 0, 0, toErrno(err)
	}
	n.size = info.Size()
	return uint64(n.size), blocksOf(info), nil
}

func (f *FS) read(n *inode, p []byte, off uint64) (int, error) {
	if off > math.MaxInt64 || n.size == 0 {
		return 0, nil
	}
	h, err := f.data(n, false)
	if err != nil || h == nil {
		return 0, err
	}
	k, err := h.ReadAt(p, int64(off))
	if err == io.EOF {
		err = nil
	}
	return k, toErrno(err)
}

func (f *FS) write(n *inode, p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	h, err := f.data(n, true)
	if err != nil {
		return 0, err
	}
	if f.depth > 0 {
		f.copied[n.id] = true
	}
	k, err := h.WriteAt(p, off)
	if n.size != unknown {
		n.size = max(n.size, off+int64(k))
	}
	if k > 0 {
		err = nil // what is left comes again, and then has the error
	}
	return k, toErrno(err)
}

func (f *FS) truncate(n *inode, size uint64) error {
	if size > math.MaxInt64 {
		return fs9p.EFBIG
	}
	h, err := f.data(n, size > 0)
	if err != nil || h == nil {
		return err
	}
	if err := h.Truncate(int64(size)); err != nil {
		return toErrno(err)
	}
	n.size = int64(size)
	return nil
}

// sync brings an inode's content to the disk, and its name there.
func (f *FS) sync(n *inode) error {
	h, err := f.data(n, false)
	if err != nil || h == nil {
		return err
	}
	if err := h.Sync(); err != nil {
		return toErrno(err)
	}
	if !n.fresh || n.size == 0 {
		return nil
	}
	for _, dir := range []string{f.path(dataDir, fmt.Sprintf("%02x", n.id&0xff)), f.path(dataDir)} {
		if err := syncDir(dir); err != nil {
			return toErrno(err)
		}
	}
	n.fresh = false
	return nil
}

// fileCache keeps the host's files of the contents used last open.
type fileCache struct {
	byID map[uint64]*list.Element
	used *list.List // of *openFile, the one used last in front
}

type openFile struct {
	id   uint64
	file *os.File
}

// maxOpen is how many of the host's files are open at a time.
const maxOpen = 128

func newFileCache() fileCache {
	return fileCache{byID: map[uint64]*list.Element{}, used: list.New()}
}

func (c *fileCache) find(id uint64) *os.File {
	e := c.byID[id]
	if e == nil {
		return nil
	}
	c.used.MoveToFront(e)
	return e.Value.(*openFile).file
}

func (c *fileCache) add(id uint64, f *os.File) {
	if c.used.Len() >= maxOpen {
		c.drop(c.used.Back().Value.(*openFile).id)
	}
	c.byID[id] = c.used.PushFront(&openFile{id, f})
}

// drop closes a file. What was written to it is the host's already.
func (c *fileCache) drop(id uint64) {
	if e := c.byID[id]; e != nil {
		e.Value.(*openFile).file.Close()
		c.used.Remove(e)
		delete(c.byID, id)
	}
}

func (c *fileCache) close() {
	for id := range c.byID {
		c.drop(id)
	}
}
