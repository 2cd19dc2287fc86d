package statefs

import (
	"io/fs"
	"math"

	"alpinevm/fs9p"
)

// room is how many bytes more contents may take.
func (f *FS) room() int64 {
	if f.cfg.Limit <= 0 {
		return math.MaxInt64
	}
	return max(f.cfg.Limit-f.held, 0)
}

// limit has what a disk tells of itself keep to Limit.
func (f *FS) limit(disk *fs9p.Statfs) {
	if f.cfg.Limit <= 0 || disk.BlockSize == 0 {
		return
	}
	size := int64(disk.BlockSize)
	disk.Blocks = min(disk.Blocks, uint64(f.cfg.Limit/size))
	free := uint64(f.room() / size)
	disk.BlocksFree, disk.BlocksAvail = min(disk.BlocksFree, free), min(disk.BlocksAvail, free)
}

// limitUnit is what the content of a file is rounded up to, in bytes: what disks give
// files is a multiple of about that, and not known before it is written.
const limitUnit = 4096

// charged is what a content of that size counts for. Holes count: how much of a file
// the disk holds it may tell much later.
func charged(size int64) int64 { return (size + limitUnit - 1) / limitUnit * limitUnit }

// sizeOf is a file's size; an unknown one is none.
func sizeOf(h diskFile) int64 {
	info, err := h.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// within gives of p, which is to be written at off, what there is room for.
func (c *content) within(h diskFile, p []byte, off int64) ([]byte, error) {
	if c.fs.cfg.Limit <= 0 {
		return p, nil
	}
	most := max(charged(sizeOf(h))+c.fs.room()-off, 0)
	if most == 0 && len(p) > 0 {
		return nil, fs9p.ENOSPC
	}
	return p[:min(int64(len(p)), most)], nil
}

// counted does what changes the size of the content's file, and counts that.
func (c *content) counted(h diskFile, do func() error) error {
	if c.fs.cfg.Limit <= 0 {
		return do()
	}
	before := charged(sizeOf(h))
	err := do()
	c.fs.held = max(c.fs.held+charged(sizeOf(h))-before, 0)
	return err
}

// heldBy adds up what the contents in the folder count for.
func (f *FS) heldBy() (n int64, err error) {
	err = f.disk.walk(f.path(dataDir), func(_ string, info fs.FileInfo) error {
		n += charged(info.Size())
		return nil
	})
	return n, err
}
