//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Tags of an entry of an access control list (linux/posix_acl_xattr.h).
const (
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclMask     = 0x10
	aclOther    = 0x20
)

// An aclEntry is who may do what.
type aclEntry struct {
	tag, perm uint16
	id        uint32
}

// acl gives a list as the attributes system.posix_acl_* have it.
func acl(entries ...aclEntry) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range entries {
		if e.tag != aclUser {
			e.id = 1<<32 - 1
		}
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

const (
	accessACL  = "system.posix_acl_access"
	defaultACL = "system.posix_acl_default"
)

// withNobody lets nobody write, and the others read.
func withNobody() []byte {
	return acl(aclEntry{aclUserObj, 6, 0}, aclEntry{aclUser, 6, nobody}, aclEntry{aclGroupObj, 4, 0}, aclEntry{aclMask, 6, 0}, aclEntry{aclOther, 4, 0})
}

// value checks an extended attribute.
func value(path, name, want string) error {
	p := make([]byte, 10_000)
	n, err := syscall.Getxattr(path, name, p)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return same(name, string(p[:n]), want)
}

// utimens sets both times of what is at path, which is not followed.
func utimens(path string, t time.Time) error {
	const cwd, noFollow = -100, 0x100 // AT_FDCWD, AT_SYMLINK_NOFOLLOW
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return err
	}
	ts := syscall.NsecToTimespec(t.UnixNano())
	both := [2]syscall.Timespec{ts, ts}
	at := cwd
	// SAFETY: p and both live until the call is over.
	_, _, e := syscall.Syscall6(syscall.SYS_UTIMENSAT, uintptr(at), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&both)), noFollow, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

var aclChecks = []check{
	{"attributes of all namespaces", true, func(dir string) error {
		path := filepath.Join(dir, "f")
		if err := put(path, "x"); err != nil {
			return err
		}
		for _, name := range []string{"trusted.a", "security.alpinevm"} {
			err := all(
				func() error { return syscall.Setxattr(path, name, []byte("one"), 1) },
				func() error { return value(path, name, "one") },
				func() error { return syscall.Setxattr(dir, name, []byte("dir"), 0) },
				func() error { return value(dir, name, "dir") },
				func() error { return os.Rename(path, path+"2") },
				func() error { return value(path+"2", name, "one") },
				func() error { return os.Rename(path+"2", path) },
				func() error {
					p := make([]byte, 1000)
					n, err := syscall.Listxattr(path, p)
					if err == nil && !strings.Contains(string(p[:n]), name+"\x00") {
						err = fmt.Errorf("listed %q", p[:n])
					}
					return err
				},
				func() error { return syscall.Removexattr(path, name) },
				func() error { return fails(value(path, name, ""), syscall.ENODATA) },
			)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}},
	{"access control lists", true, func(dir string) error {
		path := filepath.Join(dir, "f")
		if err := put(path, "x"); err != nil {
			return err
		}
		return all(
			func() error { return fails(asNobody("write", path), syscall.EACCES) },
			func() error { return syscall.Setxattr(path, accessACL, withNobody(), 0) },
			func() error { return value(path, accessACL, string(withNobody())) },
			func() error { return mode(path, 0o664) },
			func() error { return asNobody("write", path) },
			func() error { return os.Rename(path, path+"2") },
			func() error { return asNobody("write", path+"2") },
			func() error { return syscall.Chmod(path+"2", 0o600) }, // of the mask too
			func() error { return fails(asNobody("write", path+"2"), syscall.EACCES) },
			func() error { return syscall.Removexattr(path+"2", accessACL) },
			func() error { return fails(value(path+"2", accessACL, ""), syscall.ENODATA) },
		)
	}},
	{"default access control lists", true, func(dir string) error {
		sub := filepath.Join(dir, "sub")
		return all(
			func() error { return os.Mkdir(sub, 0o755) },
			func() error { return syscall.Setxattr(sub, defaultACL, withNobody(), 0) },
			func() error { return value(sub, defaultACL, string(withNobody())) },
			func() error { return os.WriteFile(filepath.Join(sub, "f"), []byte("x"), 0o666) },
			func() error { return asNobody("write", filepath.Join(sub, "f")) },
			func() error { return os.Mkdir(filepath.Join(sub, "d"), 0o777) },
			func() error { return value(filepath.Join(sub, "d"), defaultACL, string(withNobody())) },
			func() error { return syscall.Removexattr(sub, defaultACL) },
			func() error { return os.WriteFile(filepath.Join(sub, "g"), []byte("x"), 0o666) },
			func() error { return fails(asNobody("write", filepath.Join(sub, "g")), syscall.EACCES) },
		)
	}},
	{"times of symbolic links", false, func(dir string) error {
		link, target := filepath.Join(dir, "link"), filepath.Join(dir, "target")
		old := time.Unix(1234567890, 0)
		return all(
			func() error { return put(target, "x") },
			func() error { return os.Symlink("target", link) },
			func() error { return utimens(link, old) },
			func() error {
				var st syscall.Stat_t
				err := syscall.Lstat(link, &st)
				return errors.Join(err, same("mtime", int64(st.Mtim.Sec), old.Unix()))
			},
			func() error {
				st, err := stat(target)
				if err == nil && int64(st.Mtim.Sec) == old.Unix() {
					err = errors.New("the target has got the times")
				}
				return err
			},
		)
	}},
	{"changes have a time", true, func(dir string) error {
		null := filepath.Join(dir, "null")
		if err := syscall.Mknod(null, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
			return err
		}
		for name, change := range map[string]func() error{
			"chmod":     func() error { return syscall.Chmod(null, 0o600) },
			"chown":     func() error { return os.Chown(null, 12, 34) },
			"attribute": func() error { return syscall.Setxattr(null, "trusted.a", []byte("x"), 0) },
		} {
			before, err := stat(null)
			if err != nil {
				return err
			}
			time.Sleep(50 * time.Millisecond)
			if err := change(); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			after, err := stat(null)
			if err != nil {
				return err
			}
			if before.Ctim == after.Ctim {
				return fmt.Errorf("%s: ctime stays %v", name, before.Ctim)
			}
		}
		return nil
	}},
}
