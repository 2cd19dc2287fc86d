//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// mode checks the permission bits of a file.
func mode(path string, want uint32) error {
	st, err := stat(path)
	return errors.Join(err, same(fmt.Sprintf("mode %o, wanted %o", st.Mode&0o7777, want), st.Mode&0o7777, want))
}

func owner(path string, uid, gid uint32) error {
	st, err := stat(path)
	return errors.Join(err, same("owner", [2]uint32{st.Uid, st.Gid}, [2]uint32{uid, gid}))
}

const nobody = 65534

// times checks the times of a file.
func times(path string, at, mt time.Time) error {
	st, err := stat(path)
	return errors.Join(err,
		same("atime", time.Unix(int64(st.Atim.Sec), int64(st.Atim.Nsec)), at),
		same("mtime", time.Unix(int64(st.Mtim.Sec), int64(st.Mtim.Nsec)), mt))
}

var attrChecks = []check{
	{"modes", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		return all(
			func() error { return put(path, "x") },
			func() error { return mode(path, 0o644) },
			func() error { return syscall.Chmod(path, 0o4710) },
			func() error { return mode(path, 0o4710) },
			func() error { return syscall.Mkdir(filepath.Join(dir, "d"), 0o700) },
			func() error { return syscall.Chmod(filepath.Join(dir, "d"), 0o1777) },
			func() error { return mode(filepath.Join(dir, "d"), 0o1777) },
		)
	}},
	{"owners of what another user makes", true, func(dir string) error {
		return all(
			func() error { return os.Chmod(dir, 0o777) },
			func() error { return asNobody("make", dir) },
			func() error { return owner(filepath.Join(dir, "file"), nobody, nobody) },
			func() error { return owner(filepath.Join(dir, "dir"), nobody, nobody) },
			func() error { return owner(filepath.Join(dir, "link"), nobody, nobody) },
			func() error { return owner(filepath.Join(dir, "fifo"), nobody, nobody) },
			func() error { return put(filepath.Join(dir, "mine"), "x") },
			func() error { return owner(filepath.Join(dir, "mine"), 0, 0) },
		)
	}},
	{"chown", true, func(dir string) error {
		path := filepath.Join(dir, "f")
		return all(
			func() error { return put(path, "x") },
			func() error { return os.Chown(path, 1000, 2000) },
			func() error { return owner(path, 1000, 2000) },
			func() error { return os.Chown(path, -1, 7) },
			func() error { return owner(path, 1000, 7) },
			func() error { return os.Symlink("f", path+"l") },
			func() error { return os.Lchown(path+"l", 5, 6) },
			func() error { return owner(path+"l", 5, 6) },
			func() error { return owner(path, 1000, 7) },
		)
	}},
	{"set-id bits", true, func(dir string) error {
		path := filepath.Join(dir, "f")
		setid := func() error { return syscall.Chmod(path, 0o6777) }
		return all(
			func() error { return os.Chmod(dir, 0o777) },
			func() error { return put(path, "x") },
			setid,
			func() error { return mode(path, 0o6777) },
			func() error { return asNobody("write", path) },
			func() error { return mode(path, 0o777) },
			setid,
			func() error { return asNobody("truncate", path) },
			func() error { return mode(path, 0o777) },
			setid,
			func() error { return os.Chown(path, 1, 1) },
			func() error { return mode(path, 0o777) },
		)
	}},
	{"set-group-ID directories", true, func(dir string) error {
		sub := filepath.Join(dir, "shared")
		return all(
			func() error { return os.Mkdir(sub, 0o755) },
			func() error { return os.Chown(sub, 0, 50) },
			func() error { return syscall.Chmod(sub, 0o2777) },
			func() error { return asNobody("make", sub) },
			func() error { return owner(filepath.Join(sub, "file"), nobody, 50) },
			func() error { return owner(filepath.Join(sub, "dir"), nobody, 50) },
			func() error { return mode(filepath.Join(sub, "dir"), 0o2755) },
		)
	}},
	{"permissions", true, func(dir string) error {
		path := filepath.Join(dir, "f")
		return all(
			func() error { return put(path, "x") },
			func() error { return fails(asNobody("write", path), syscall.EACCES) },
			func() error { return fails(asNobody("make", dir), syscall.EACCES) },
			func() error { return os.Chmod(path, 0o622) },
			func() error { return asNobody("write", path) },
		)
	}},
	{"times", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		at, mt := time.Unix(1234567890, 0), time.Unix(987654321, 0)
		return all(
			func() error { return put(path, "x") },
			func() error { return os.Chtimes(path, at, mt) },
			func() error { return times(path, at, mt) },
			func() error { return os.Chtimes(path, time.Time{}, at) },
			func() error { return times(path, at, at) },
			func() error { return put(path, "changed") },
			func() error {
				st, err := stat(path)
				if err == nil && int64(st.Mtim.Sec) == at.Unix() {
					err = errors.New("a write did not change the time")
				}
				return err
			},
			func() error { return os.Chtimes(dir, at, mt) },
			func() error { return put(path+"2", "") },
			func() error {
				st, err := stat(dir)
				if err == nil && int64(st.Mtim.Sec) == mt.Unix() {
					err = errors.New("a new entry did not change its folder's time")
				}
				return err
			},
		)
	}},
	{"times to the nanosecond", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		at, mt := time.Unix(1234567890, 123456789), time.Unix(987654321, 1)
		return errors.Join(put(path, "x"), os.Chtimes(path, at, mt), times(path, at, mt))
	}},
	{"extended attributes", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		if err := put(path, "x"); err != nil {
			return err
		}
		if err := syscall.Setxattr(path, "user.a", []byte("first"), 0); errors.Is(err, syscall.EOPNOTSUPP) {
			return skipped("the mount has none")
		} else if err != nil {
			return err
		}
		value := func(name, want string) error {
			p := make([]byte, 10_000)
			n, err := syscall.Getxattr(path, name, p)
			if err != nil {
				return err
			}
			return same(name, string(p[:n]), want)
		}
		long := strings.Repeat("v", 3000)
		return all(
			func() error { return value("user.a", "first") },
			func() error { return syscall.Setxattr(path, "user.a", []byte("other"), 2) },
			func() error { return fails(syscall.Setxattr(path, "user.a", nil, 1), syscall.EEXIST) },
			func() error { return fails(syscall.Setxattr(path, "user.b", nil, 2), syscall.ENODATA) },
			func() error { return syscall.Setxattr(path, "user.long", []byte(long), 1) },
			func() error { return value("user.long", long) },
			func() error {
				_, err := syscall.Getxattr(path, "user.long", make([]byte, 10))
				return fails(err, syscall.ERANGE)
			},
			func() error {
				n, err := syscall.Getxattr(path, "user.long", nil)
				return errors.Join(err, same("size", n, 3000))
			},
			func() error {
				p := make([]byte, 1000)
				n, err := syscall.Listxattr(path, p)
				if err == nil && (!strings.Contains(string(p[:n]), "user.a\x00") || !strings.Contains(string(p[:n]), "user.long\x00")) {
					err = fmt.Errorf("listed %q", p[:n])
				}
				return err
			},
			func() error { return syscall.Removexattr(path, "user.a") },
			func() error { return fails(value("user.a", ""), syscall.ENODATA) },
			func() error { return fails(syscall.Removexattr(path, "user.a"), syscall.ENODATA) },
		)
	}},
	{"statfs", false, func(dir string) error {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			return err
		}
		if st.Bsize <= 0 || st.Blocks < st.Bfree || st.Bfree < st.Bavail || st.Namelen != 255 {
			return fmt.Errorf("%+v", st)
		}
		return nil
	}},
	{"devices and fifos", true, func(dir string) error {
		null, fifo := filepath.Join(dir, "null"), filepath.Join(dir, "fifo")
		return all(
			func() error { return syscall.Mknod(null, syscall.S_IFCHR|0o666, 1<<8|3) },
			func() error { st, err := stat(null); return errors.Join(err, same("device", uint64(st.Rdev), 1<<8|3)) },
			func() error {
				b, err := os.ReadFile(null)
				if errors.Is(err, syscall.EACCES) {
					return nil // mounted with nodev
				}
				return errors.Join(err, same("null", len(b), 0))
			},
			func() error { return syscall.Mkfifo(fifo, 0o622) },
			func() error {
				go put(fifo, "through the fifo")
				return holds(fifo, "through the fifo")
			},
			func() error { return os.Rename(fifo, fifo+"2") },
			func() error {
				st, err := stat(fifo + "2")
				return errors.Join(err, same("type", st.Mode&syscall.S_IFMT, syscall.S_IFIFO))
			},
		)
	}},
}
