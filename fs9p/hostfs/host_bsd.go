//go:build unix && !linux

package hostfs

import (
	"os"
	"syscall"

	"alpinevm/fs9p"
)

var moreErrnos map[syscall.Errno]fs9p.Errno

// identify tells which file is at a name, of which Lstat told fi.
func (*folder) identify(_ string, fi os.FileInfo) (key, error) { return statKey(fi) }

func identifyOpen(_ *os.File, fi os.FileInfo) (key, error) { return statKey(fi) }

// fill adds what only the host's own stat tells. The fields of times have
// other names on every system; the time of change stands for them.
func fill(a *fs9p.Attr, fi os.FileInfo) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	a.UID, a.GID, a.Nlink = st.Uid, st.Gid, uint64(st.Nlink)
	a.BlockSize, a.Blocks = uint64(st.Blksize), uint64(st.Blocks)
}
