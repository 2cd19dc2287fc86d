//go:build js || wasip1

package hostfs

import (
	"os"
	"syscall"

	"alpinevm/fs9p"
)

const openFlags = 0

var moreErrnos map[syscall.Errno]fs9p.Errno

// keyOf identifies a file by what stat tells of it.
func keyOf(_ *os.Root, _ string, fi os.FileInfo) (key, error) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return key{}, fs9p.EIO
	}
	return key{uint64(st.Dev), uint64(st.Ino)}, nil
}

func fill(a *fs9p.Attr, fi os.FileInfo) {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		a.UID, a.GID, a.Nlink = uint32(st.Uid), uint32(st.Gid), uint64(st.Nlink)
	}
}

func syncDir(*os.Root) error { return nil }
