//go:build unix

package hostfs

import (
	"os"
	"syscall"

	"alpinevm/fs9p"
)

// openFlags keep an open from waiting for the other end of a fifo that has
// taken a file's place, and from giving the process a terminal.
const openFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY

// keyOf identifies a file by what stat tells of it.
func keyOf(_ *os.Root, _ string, fi os.FileInfo) (key, error) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return key{}, fs9p.EIO
	}
	return key{uint64(st.Dev), uint64(st.Ino)}, nil
}

func syncDir(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return toErrno(err)
	}
	defer d.Close()
	return toErrno(d.Sync())
}
