//go:build js || wasip1

package hostfs

import (
	"os"
	"syscall"

	"alpinevm/fs9p"
)

const openFlags = 0

// dirsAreFiles: what can be done to an open file can be done to an open directory.
const dirsAreFiles = false

var moreErrnos map[syscall.Errno]fs9p.Errno

func maxFiles() int { return 256 }

// identify tells which file is at a name, of which Lstat told fi.
func (*folder) identify(_ string, fi os.FileInfo) (key, error) { return identifyOpen(nil, fi) }

func identifyOpen(_ *os.File, fi os.FileInfo) (key, error) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return key{}, fs9p.EIO
	}
	return key{dev: uint64(st.Dev), ino: uint64(st.Ino)}, nil
}

func fill(a *fs9p.Attr, fi os.FileInfo) {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		a.UID, a.GID, a.Nlink = uint32(st.Uid), uint32(st.Gid), uint64(st.Nlink)
	}
}

func (*folder) sync() error { return nil }
