//go:build unix

package statefs

import (
	"io/fs"
	"os"
	"syscall"
)

// hostBlocks tells how many blocks of 512 bytes a file takes.
func hostBlocks(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Blocks)
	}
	return uint64(info.Size()+511) / 512
}

// countsNames tells whether namesOf is true.
const countsNames = true

// namesOf tells how many names a file has.
func namesOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}

// syncDir brings the names in a folder to the disk.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
