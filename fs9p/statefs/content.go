package statefs

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"alpinevm/fs9p"
)

// dataName is the place of an inode's content.
func (f *FS) dataName(id uint64) string { return dataName(f.cfg.Dir, id) }

// dataName is that of the file system in a folder.
func dataName(dir string, id uint64) string {
	return filepath.Join(dir, dataDir, fmt.Sprintf("%02x", id&0xff), strconv.FormatUint(id, 16))
}

// parseID reads the last part of what dataName gives.
func parseID(name string) (uint64, bool) {
	id, err := strconv.ParseUint(name, 16, 64)
	return id, err == nil && strconv.FormatUint(id, 16) == name
}

// A content is the data of a regular file. It is a tree.Content.
type content struct {
	fs    *FS
	id    uint64
	size  int64 // or unknown
	fresh bool  // its file may not be on the disk by its name
}

// unknown is the size of a content that nobody has asked for.
const unknown = -1

// file opens the content's file; nil where there is none and make is false.
func (c *content) file(make bool) (diskFile, error) {
	f := c.fs
	if h := f.files.find(c.id); h != nil {
		return h, nil
	}
	name := f.dataName(c.id)
	flags := os.O_RDWR
	if c.fresh && c.size == 0 {
		// What may be there is of a process that died before the inode was one.
		flags |= os.O_TRUNC
	}
	h, err := f.disk.open(name, flags)
	if errors.Is(err, fs.ErrNotExist) {
		if !make {
			return nil, nil
		}
		err = f.roomy(func() (err error) {
			if err := f.disk.mkdir(filepath.Dir(name)); err != nil {
				return err
			}
			h, err = f.disk.open(name, os.O_RDWR|os.O_CREATE)
			return err
		})
		c.fresh = true
	}
	if err != nil {
		return nil, toErrno(err)
	}
	f.files.add(c.id, h)
	return h, nil
}

// Stat is part of tree.Content.
func (c *content) Stat() (size, blocks uint64, err error) {
	if c.size == 0 {
		return 0, 0, nil
	}
	h, err := c.file(false)
	if err != nil {
		return 0, 0, err
	}
	if h == nil {
		c.size = 0
		return 0, 0, nil
	}
	info, err := h.Stat()
	if err != nil {
		return 0, 0, toErrno(err)
	}
	c.size = info.Size()
	return uint64(c.size), blocksOf(info), nil
}

// ReadAt is part of tree.Content.
func (c *content) ReadAt(p []byte, off uint64) (int, error) {
	if c.size == 0 {
		return 0, nil
	}
	h, err := c.file(false)
	if err != nil || h == nil {
		return 0, err
	}
	k, err := h.ReadAt(p, int64(off))
	if err == io.EOF {
		err = nil
	}
	return k, toErrno(err)
}

// WriteAt is part of tree.Content.
func (c *content) WriteAt(p []byte, at uint64) (int, error) {
	f, off := c.fs, int64(at)
	if f.failed != nil {
		return 0, fs9p.EIO
	}
	if len(p) == 0 {
		return 0, nil
	}
	h, err := c.own()
	if err != nil {
		return 0, err
	}
	if f.depth > 0 {
		f.copied[c.id] = true
	}
	if p, err = c.within(h, p, off); err != nil {
		return 0, err
	}
	k := 0
	err = c.counted(h, func() error {
		return f.roomy(func() (err error) {
			if k, err = h.WriteAt(p, off); k > 0 {
				err = nil // what is left comes again, and then has the error
			}
			return err
		})
	})
	if c.size != unknown {
		c.size = max(c.size, off+int64(k))
	}
	return k, err
}

// Truncate is part of tree.Content.
func (c *content) Truncate(size uint64) error {
	if size > math.MaxInt64 {
		return fs9p.EFBIG
	}
	// The journal is to hear of it, and must have room for that.
	p := fs9p.ForChange
	if c.size != unknown && int64(size) < c.size {
		p = fs9p.ForRoom
	}
	if err := c.fs.ready(p); err != nil {
		return err
	}
	if size == 0 {
		if gone, err := c.leave(); gone || err != nil {
			return err
		}
	}
	h, err := c.file(size > 0)
	if err == nil && h != nil {
		h, err = c.own()
	}
	if err != nil || h == nil {
		return err
	}
	if f := c.fs; f.cfg.Limit > 0 && charged(int64(size))-charged(sizeOf(h)) > f.room() {
		return fs9p.ENOSPC
	}
	if err := c.counted(h, func() error { return h.Truncate(int64(size)) }); err != nil {
		return c.fs.told(err)
	}
	c.size = int64(size)
	return nil
}

// Sync is part of tree.Content: it brings the data to the disk, and their name
// there.
func (c *content) Sync() error {
	h, err := c.file(false)
	if err != nil || h == nil {
		return err
	}
	if c.fs.failed != nil {
		return fs9p.EIO
	}
	if err := h.Sync(); err != nil {
		return c.fs.fail(err)
	}
	if !c.fresh || c.size == 0 {
		return nil
	}
	for _, dir := range []string{filepath.Dir(c.fs.dataName(c.id)), c.fs.path(dataDir)} {
		if err := c.fs.disk.syncDir(dir); err != nil {
			return c.fs.fail(err)
		}
	}
	c.fresh = false
	return nil
}

// Drop is part of tree.Content: the data are removed by the next barrier.
func (c *content) Drop() {
	f := c.fs
	f.files.drop(c.id)
	if info, err := f.disk.stat(f.dataName(c.id)); err == nil {
		f.doomed = append(f.doomed, c.id)
		f.doomedBytes += int64(blocksOf(info)) * 512
		f.held = max(f.held-charged(info.Size()), 0)
	}
}

// fileCache keeps the host's files of the contents used last open.
type fileCache struct {
	byID map[uint64]*list.Element
	used *list.List // of *openFile, the one used last in front
	fail func(error) error
}

type openFile struct {
	id   uint64
	file diskFile
	own  bool // no copy of the folder has it
}

// maxOpen is how many of the host's files are open at a time.
const maxOpen = 128

// newFileCache makes one that calls fail where a file cannot be closed as it
// should: over a network that is when writing turns out to have failed.
func newFileCache(fail func(error) error) fileCache {
	return fileCache{byID: map[uint64]*list.Element{}, used: list.New(), fail: fail}
}

func (c *fileCache) find(id uint64) diskFile {
	e := c.byID[id]
	if e == nil {
		return nil
	}
	c.used.MoveToFront(e)
	return e.Value.(*openFile).file
}

func (c *fileCache) add(id uint64, f diskFile) {
	if c.used.Len() >= maxOpen {
		c.drop(c.used.Back().Value.(*openFile).id)
	}
	c.byID[id] = c.used.PushFront(&openFile{id: id, file: f})
}

// owned tells of an open file whether it is nobody else's.
func (c *fileCache) owned(id uint64) *bool { return &c.byID[id].Value.(*openFile).own }

// share says of all files that they may be somebody else's too.
func (c *fileCache) share() {
	for _, e := range c.byID {
		e.Value.(*openFile).own = false
	}
}

// drop closes a file. What was written to it is the host's already.
func (c *fileCache) drop(id uint64) {
	if e := c.byID[id]; e != nil {
		if err := e.Value.(*openFile).file.Close(); err != nil {
			c.fail(err)
		}
		c.used.Remove(e)
		delete(c.byID, id)
	}
}

func (c *fileCache) close() {
	for id := range c.byID {
		c.drop(id)
	}
}
