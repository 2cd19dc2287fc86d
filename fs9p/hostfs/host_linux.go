package hostfs

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"

	"alpinevm/fs9p"
)

var moreErrnos = map[syscall.Errno]fs9p.Errno{syscall.ENODATA: fs9p.ENODATA}

// fill adds what only the host's own stat tells.
func fill(a *fs9p.Attr, fi os.FileInfo) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	a.UID, a.GID, a.Nlink = st.Uid, st.Gid, uint64(st.Nlink)
	dev := uint64(st.Rdev)
	a.Rdev = fs9p.MakeDev(uint32(dev>>8)&0xFFF|uint32(dev>>32)&^0xFFF, uint32(dev)&0xFF|uint32(dev>>12)&^0xFF)
	a.BlockSize, a.Blocks = uint64(st.Blksize), uint64(st.Blocks)
	a.Atime = fs9p.Timespec{Sec: int64(st.Atim.Sec), Nsec: uint32(st.Atim.Nsec)}
	a.Mtime = fs9p.Timespec{Sec: int64(st.Mtim.Sec), Nsec: uint32(st.Mtim.Nsec)}
	a.Ctime = fs9p.Timespec{Sec: int64(st.Ctim.Sec), Nsec: uint32(st.Ctim.Nsec)}
	a.Btime = a.Ctime
}

func statfs(root *os.Root) (fs9p.Statfs, error) {
	d, err := root.Open(".")
	if err != nil {
		return fs9p.Statfs{}, toErrno(err)
	}
	defer d.Close()
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(d.Fd()), &st); err != nil {
		return fs9p.Statfs{}, toErrno(err)
	}
	return fs9p.Statfs{
		BlockSize: uint32(st.Bsize), Blocks: st.Blocks, BlocksFree: st.Bfree, BlocksAvail: st.Bavail,
		Files: st.Files, FilesFree: st.Ffree, NameLen: fs9p.MaxName,
	}, nil
}

// mknod makes a fifo or a socket.
func mknod(root *os.Root, name string, mode uint32) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return syscall.Mknodat(int(d.Fd()), name, mode&(fs9p.ModeType|0o777), 0)
}

// self is a path of an open file, for system calls that take no descriptor.
func self(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

func chtimesOpen(f *os.File, atime, mtime time.Time) error { return os.Chtimes(self(f), atime, mtime) }

// chtimesLink leaves the times of a symbolic link: os.Root follows them.
func chtimesLink(*os.Root, string, time.Time, time.Time) error { return nil }

// sized calls a system call that fills a buffer, and tells the size for none.
func sized(call func(p []byte) (int, error)) ([]byte, error) {
	for {
		n, err := call(nil)
		if err != nil || n == 0 {
			return nil, err
		}
		p := make([]byte, n)
		if n, err = call(p); err != syscall.ERANGE {
			return p[:max(n, 0)], err
		}
	}
}

func readXattr(f *os.File, name string) ([]byte, error) {
	return sized(func(p []byte) (int, error) { return syscall.Getxattr(self(f), name, p) })
}

func listXattrs(f *os.File) ([]string, error) {
	p, err := sized(func(p []byte) (int, error) { return syscall.Listxattr(self(f), p) })
	var names []string
	for name := range bytes.SplitSeq(p, []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, err
}

func writeXattr(f *os.File, name string, value []byte, flags uint32) error {
	return syscall.Setxattr(self(f), name, value, int(flags))
}

func removeXattr(f *os.File, name string) error { return syscall.Removexattr(self(f), name) }
