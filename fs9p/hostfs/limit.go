package hostfs

import (
	"errors"
	iofs "io/fs"
	"os"

	"alpinevm/fs9p"
)

// limitUnit is what the size of a file is rounded up to, in bytes.
const limitUnit = 4096

// charged is what a file of that size counts for. Holes count.
func charged(size int64) int64 { return (size + limitUnit - 1) / limitUnit * limitUnit }

// SetLimit has the folder's regular files take up to that many bytes: beyond it
// writes fail by ENOSPC, and Statfs says so. What is there counts, as it is now; what
// the host's programs change later does not.
func (fs *FS) SetLimit(bytes int64) error {
	fs.limit.bytes, fs.held = bytes, 0
	return iofs.WalkDir(fs.IOFS(), ".", func(_ string, d iofs.DirEntry, err error) error {
		if errors.Is(err, iofs.ErrNotExist) {
			return nil // it went meanwhile
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err == nil {
			a := attrOf(info)
			fs.held += charged(info.Size()) / int64(max(a.Nlink, 1)) // it comes by each of its names
		}
		return nil
	})
}

// counted has do make the file f, by a write or by a change of its size, reach to end,
// or as far as there is room, and counts what it takes then.
func (fs *FS) counted(f *os.File, end int64, do func(end int64) error) error {
	if fs.limit.bytes <= 0 {
		return do(end)
	}
	fi, err := f.Stat()
	if err != nil {
		return toErrno(err)
	}
	size := fi.Size()
	if most := max(charged(size)+max(fs.limit.bytes-fs.held, 0), size); end > most {
		if end = most; most == size {
			return fs9p.ENOSPC
		}
	}
	err = do(end)
	if fi, e := f.Stat(); e == nil {
		fs.held = max(fs.held+charged(fi.Size())-charged(size), 0)
	}
	return err
}

// resize gives f another size, all or nothing.
func (fs *FS) resize(f *os.File, size uint64) error {
	return fs.counted(f, int64(size), func(end int64) error {
		if end != int64(size) {
			return fs9p.ENOSPC
		}
		return toErrno(f.Truncate(end))
	})
}

// freed takes what a file that is no more took.
func (fs *FS) freed(a fs9p.Attr) {
	if fs.limit.bytes > 0 && a.Mode&fs9p.ModeType == fs9p.ModeRegular {
		fs.held = max(fs.held-charged(int64(a.Size)), 0)
	}
}

// bound has what a disk tells of itself keep to the limit.
func (fs *FS) bound(disk *fs9p.Statfs) {
	if fs.limit.bytes <= 0 || disk.BlockSize == 0 {
		return
	}
	size := int64(disk.BlockSize)
	disk.Blocks = min(disk.Blocks, uint64(fs.limit.bytes/size))
	free := uint64(max(fs.limit.bytes-fs.held, 0) / size)
	disk.BlocksFree, disk.BlocksAvail = min(disk.BlocksFree, free), min(disk.BlocksAvail, free)
}
