//go:build linux || darwin || freebsd

package statefs

import (
	"golang.org/x/sys/unix"

	"alpinevm/fs9p"
)

// diskSpace tells how full the disk of a folder is.
func diskSpace(dir string) (fs9p.Statfs, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fs9p.Statfs{}, err
	}
	return fs9p.Statfs{BlockSize: uint32(st.Bsize), Blocks: st.Blocks, BlocksFree: st.Bfree, BlocksAvail: uint64(max(st.Bavail, 0))}, nil
}

// FreeSpace is how many bytes may be written where dir is; ok is false where
// that is not known.
func FreeSpace(dir string) (n int64, ok bool) {
	st, err := diskSpace(dir)
	return int64(st.BlocksAvail) * int64(st.BlockSize), err == nil
}
