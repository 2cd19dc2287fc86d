package hostfs

import (
	"bytes"
	"encoding/binary"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"alpinevm/fs9p"
)

var moreErrnos = map[syscall.Errno]fs9p.Errno{syscall.ENODATA: fs9p.ENODATA}

const utimeOmit = unix.UTIME_OMIT

// identify tells which file is at name, of which Lstat told fi.
func (f *folder) identify(name string, fi os.FileInfo) (key, error) {
	k, err := statKey(fi)
	if err != nil {
		return k, err
	}
	d, err := f.file()
	if err != nil {
		return k, err
	}
	if name == "." {
		k.gen = generation(d, "", unix.AT_EMPTY_PATH, k.ino)
	} else {
		k.gen = generation(d, name, 0, k.ino)
	}
	return k, nil
}

// identifyOpen does so for a file that is open.
func identifyOpen(f *os.File, fi os.FileInfo) (key, error) {
	k, err := statKey(fi)
	if err == nil {
		k.gen = generation(f, "", unix.AT_EMPTY_PATH, k.ino)
	}
	return k, err
}

// generation tells files apart that had the inode number ino, by the handles
// with which an NFS server would find them: those of ext4, XFS, Btrfs, F2FS
// and tmpfs are the number and a generation, 32 bits a word, with the number's
// lower half as the first or the second one. It is 0 for file systems that have
// no such handles, as overlayfs and most of FUSE.
func generation(d *os.File, name string, flags int, ino uint64) uint64 {
	h, _, err := unix.NameToHandleAt(int(d.Fd()), name, flags)
	if err != nil {
		return 0
	}
	b := h.Bytes()
	if len(b) < 8 || binary.NativeEndian.Uint32(b) != uint32(ino) && binary.NativeEndian.Uint32(b[4:]) != uint32(ino) {
		return 0
	}
	const prime = 0x100000001B3 // FNV-1a of 64 bits, a word at a time
	sum := uint64(0xCBF29CE484222325)
	for ; len(b) >= 4; b = b[4:] {
		sum = (sum ^ uint64(binary.NativeEndian.Uint32(b))) * prime
	}
	return sum | 1
}

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

func statfs(f *folder) (fs9p.Statfs, error) {
	d, err := f.file()
	if err != nil {
		return fs9p.Statfs{}, toErrno(err)
	}
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(d.Fd()), &st); err != nil {
		return fs9p.Statfs{}, toErrno(err)
	}
	return fs9p.Statfs{
		BlockSize: uint32(st.Bsize), Blocks: st.Blocks, BlocksFree: st.Bfree, BlocksAvail: st.Bavail,
		Files: st.Files, FilesFree: st.Ffree, NameLen: fs9p.MaxName,
	}, nil
}

// self is a path of an open file, for system calls that take no descriptor.
func self(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

// reopen opens the file f once more, whatever it is called.
func reopen(f *os.File, flags int) (*os.File, error) { return os.OpenFile(self(f), flags, 0) }

func chtimesOpen(f *os.File, t times) error {
	ts, err := t.specs()
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, self(f), ts[:], 0)
}

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
	return sized(func(p []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), name, p) })
}

func listXattrs(f *os.File) ([]string, error) {
	p, err := sized(func(p []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), p) })
	var names []string
	for name := range bytes.SplitSeq(p, []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, err
}

func writeXattr(f *os.File, name string, value []byte, flags uint32) error {
	return unix.Fsetxattr(int(f.Fd()), name, value, int(flags))
}

func removeXattr(f *os.File, name string) error { return unix.Fremovexattr(int(f.Fd()), name) }
