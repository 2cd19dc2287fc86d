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

// dirsAreFiles: what can be done to an open file can be done to an open directory.
const dirsAreFiles = true

// statKey identifies a file by what stat tells of it.
func statKey(fi os.FileInfo) (key, error) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return key{}, fs9p.EIO
	}
	return key{dev: uint64(st.Dev), ino: uint64(st.Ino)}, nil
}

func (f *folder) sync() error {
	d, err := f.file()
	if err != nil {
		return toErrno(err)
	}
	return toErrno(d.Sync())
}

// maxFiles is how many files of a folder may be open at a time: a part of what
// the process may have, since its network and its other folders need some.
func maxFiles() int {
	const most, least = 4096, 64
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return least
	}
	return int(max(min(limit.Cur/4, most), least))
}
