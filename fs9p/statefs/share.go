package statefs

import (
	"io"
	"os"
)

// A content's file may have more than one name: those in other folders are copies
// of this one. Then it is never written to. Who changes a content makes the file
// its own before, which costs a copy of it, once.

// own gives the content's file, made if need be, which nobody else has.
func (c *content) own() (diskFile, error) {
	h, err := c.file(true)
	if err != nil || *c.fs.files.owned(c.id) {
		return h, err
	}
	c.fs.hand(c.id)
	info, err := h.Stat()
	if err != nil {
		return nil, toErrno(err)
	}
	if namesOf(info) > 1 {
		if h, err = c.part(h); err != nil {
			return nil, err
		}
	}
	*c.fs.files.owned(c.id) = true
	return h, nil
}

// part puts a copy in the place of a file that somebody else has too. What was
// synced before is on the disk throughout.
func (c *content) part(shared diskFile) (diskFile, error) {
	f, name := c.fs, c.fs.dataName(c.id)
	next := name + ".new"
	err := f.roomy(func() error {
		to, err := f.disk.open(next, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
		if err != nil {
			return err
		}
		if err = copyData(to, shared); err == nil {
			err = to.Sync()
		}
		if e := to.Close(); err == nil {
			err = e
		}
		if err != nil {
			f.disk.remove(next)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	f.files.drop(c.id) // Windows renames over no file that is open
	if err := f.disk.rename(next, name); err != nil {
		return nil, f.told(err)
	}
	c.fresh = true
	h, err := f.disk.open(name, os.O_RDWR)
	if err != nil {
		return nil, toErrno(err)
	}
	f.files.add(c.id, h)
	return h, nil
}

// leave empties a content whose file somebody else has too, by leaving that to
// him; gone tells whether it was so.
func (c *content) leave() (gone bool, err error) {
	h, err := c.file(false)
	if err != nil || h == nil || *c.fs.files.owned(c.id) {
		return false, err
	}
	c.fs.hand(c.id)
	info, err := h.Stat()
	if err != nil || namesOf(info) == 1 {
		return false, toErrno(err)
	}
	c.fs.files.drop(c.id)
	if err := c.fs.disk.remove(c.fs.dataName(c.id)); err != nil {
		return false, c.fs.told(err)
	}
	c.size, c.fresh = 0, true
	return true, nil
}

// copyData copies a file into an empty one, but for its holes.
func copyData(to, from diskFile) error {
	info, err := from.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	buf := make([]byte, min(size, 1<<20))
	for off := int64(0); off < size; {
		start, end := nextData(from, off, size)
		for off = start; off < end; {
			n, err := from.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
			if n == 0 {
				if err == io.EOF {
					break // it has become shorter
				}
				return err
			}
			if _, err := to.WriteAt(buf[:n], off); err != nil {
				return err
			}
			off += int64(n)
		}
		off = end
	}
	return to.Truncate(size)
}
