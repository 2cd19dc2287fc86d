//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

var nameChecks = []check{
	{"rename over an open file", false, func(dir string) error {
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		if err := errors.Join(put(a, "new"), put(b, "old")); err != nil {
			return err
		}
		f, err := os.OpenFile(b, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return all(
			func() error { return os.Rename(a, b) },
			func() error { return holds(b, "new") },
			func() error { return fileHolds(f, "old") },
			func() error { _, err := f.WriteAt([]byte("OLD"), 0); return err },
			func() error { return fileHolds(f, "OLD") },
			func() error { return holds(b, "new") },
			func() error { _, err := os.Stat(a); return fails(err, syscall.ENOENT) },
			func() error { st, err := fstat(f); return errors.Join(err, same("links", uint64(st.Nlink), 0)) },
		)
	}},
	{"rename while open", false, func(dir string) error {
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "sub", "b")
		f, err := os.Create(a)
		if err != nil {
			return err
		}
		defer f.Close()
		return all(
			func() error { return os.Mkdir(filepath.Join(dir, "sub"), 0o755) },
			func() error { _, err := f.WriteString("one"); return err },
			func() error { return os.Rename(a, b) },
			func() error { _, err := f.WriteString(" two"); return err },
			func() error { return f.Chmod(0o600) },
			func() error { return holds(b, "one two") },
			func() error { st, err := stat(b); return errors.Join(err, same("mode", st.Mode&0o777, 0o600)) },
		)
	}},
	{"unlink while open", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		if err := put(path, "kept"); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return all(
			func() error { return os.Remove(path) },
			func() error { return fileHolds(f, "kept") },
			func() error { _, err := f.WriteAt([]byte(" on"), 4); return err },
			func() error { return fileHolds(f, "kept on") },
			func() error { return f.Chmod(0o640) },
			func() error { return f.Truncate(2) },
			func() error { return fileHolds(f, "ke") },
			func() error { return f.Sync() },
			func() error {
				st, err := fstat(f)
				return errors.Join(err, same("links", uint64(st.Nlink), 0), same("mode", st.Mode&0o777, 0o640), same("size", st.Size, 2))
			},
			func() error { return put(path, "another") },
			func() error { return fileHolds(f, "ke") },
		)
	}},
	{"hard links", false, func(dir string) error {
		path := func(i int) string { return filepath.Join(dir, fmt.Sprint("l", i)) }
		links := func(want uint64) error {
			st, err := stat(path(0))
			return errors.Join(err, same("links", uint64(st.Nlink), want))
		}
		return all(
			func() error { return put(path(0), "shared") },
			func() error {
				for i := 1; i < 10; i++ {
					if err := errors.Join(os.Link(path(i-1), path(i)), links(uint64(i+1))); err != nil {
						return err
					}
				}
				return nil
			},
			func() error { return put(path(5), "changed") },
			func() error { return holds(path(9), "changed") },
			func() error {
				a, err := stat(path(1))
				b, err2 := stat(path(8))
				return errors.Join(err, err2, same("inode", a.Ino, b.Ino))
			},
			func() error { return os.Rename(path(1), path(2)) }, // the same file: nothing happens
			func() error { return links(10) },
			func() error { return put(filepath.Join(dir, "other"), "x") },
			func() error { return os.Rename(filepath.Join(dir, "other"), path(3)) },
			func() error { return links(9) },
			func() error { return os.Remove(path(4)) },
			func() error { return links(8) },
			func() error { return fails(os.Link(path(0), path(5)), syscall.EEXIST) },
			func() error { return fails(os.Link(dir, path(20)), syscall.EPERM) },
		)
	}},
	{"errors of rename, rmdir and unlink", false, func(dir string) error {
		at := func(name string) string { return filepath.Join(dir, name) }
		// syscall's own are used: os looks before it calls.
		return all(
			func() error {
				return errors.Join(os.MkdirAll(at("full/inner"), 0o755), os.Mkdir(at("empty"), 0o755), put(at("file"), "x"))
			},
			func() error { return fails(syscall.Rmdir(at("full")), syscall.ENOTEMPTY) },
			func() error { return fails(syscall.Rmdir(at("file")), syscall.ENOTDIR) },
			func() error { return fails(syscall.Unlink(at("empty")), syscall.EISDIR) },
			func() error { return fails(syscall.Unlink(at("missing")), syscall.ENOENT) },
			func() error { return fails(syscall.Unlink(at("file/x")), syscall.ENOTDIR) },
			func() error { return fails(syscall.Rename(at("empty"), at("full")), syscall.ENOTEMPTY) },
			func() error { return fails(syscall.Rename(at("file"), at("empty")), syscall.EISDIR) },
			func() error { return fails(syscall.Rename(at("empty"), at("file")), syscall.ENOTDIR) },
			func() error { return fails(syscall.Rename(at("full"), at("full/inner/x")), syscall.EINVAL) },
			func() error { return fails(syscall.Rename(at("missing"), at("x")), syscall.ENOENT) },
			func() error { return fails(syscall.Mkdir(at("file"), 0o755), syscall.EEXIST) },
			func() error { return fails(syscall.Mkdir(at("missing/x"), 0o755), syscall.ENOENT) },
			func() error { return syscall.Rename(at("full"), at("empty")) },
			func() error { list, err := names(dir); return errors.Join(err, same("names", list, "empty file")) },
			func() error { _, err := os.Stat(at("empty/inner")); return err },
		)
	}},
	{"names of 255 bytes", false, func(dir string) error {
		long := filepath.Join(dir, strings.Repeat("n", 255))
		return all(
			func() error { return put(long, "long") },
			func() error { return holds(long, "long") },
			func() error { return fails(put(long+"n", "x"), syscall.ENAMETOOLONG) },
			func() error { return os.Rename(long, filepath.Join(dir, strings.Repeat("é", 127))) },
			func() error { return os.Mkdir(long, 0o755) },
			func() error { return fails(syscall.Rename(long, long+"n"), syscall.ENAMETOOLONG) },
		)
	}},
	{"symbolic links", false, func(dir string) error {
		at := func(name string) string { return filepath.Join(dir, name) }
		long := strings.Repeat("x", 4000)
		return all(
			func() error {
				return errors.Join(os.Symlink("b", at("a")), os.Symlink("a", at("b")), os.Symlink(long, at("long")))
			},
			func() error { _, err := os.ReadFile(at("a")); return fails(err, syscall.ELOOP) },
			func() error { _, err := os.ReadFile(at("a/x")); return fails(err, syscall.ELOOP) },
			func() error {
				target, err := os.Readlink(at("long"))
				return errors.Join(err, same("target", target, long))
			},
			func() error { st, err := stat(at("long")); return errors.Join(err, same("size", st.Size, 4000)) },
			func() error { return errors.Join(put(at("file"), "through"), os.Symlink("file", at("link"))) },
			func() error { return holds(at("link"), "through") },
			func() error {
				_, err := syscall.Open(at("link"), syscall.O_RDONLY|syscall.O_NOFOLLOW, 0)
				return fails(err, syscall.ELOOP)
			},
			func() error { return os.Remove(at("link")) },
			func() error { return holds(at("file"), "through") },
		)
	}},
	{"O_EXCL, O_DIRECTORY, O_PATH and O_TMPFILE", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		opens := func(path string, flags int, want syscall.Errno) error {
			fd, err := syscall.Open(path, flags, 0o644)
			if err == nil {
				defer syscall.Close(fd)
			}
			if want == 0 {
				return err
			}
			return fails(err, want)
		}
		const oPath, oTmpfile = 0o10000000, 0o20000000
		return all(
			func() error { return opens(path, syscall.O_CREAT|syscall.O_EXCL|syscall.O_RDWR, 0) },
			func() error { return opens(path, syscall.O_CREAT|syscall.O_EXCL|syscall.O_RDWR, syscall.EEXIST) },
			func() error { return opens(path, syscall.O_CREAT|syscall.O_RDWR, 0) },
			func() error { return opens(path, syscall.O_DIRECTORY, syscall.ENOTDIR) },
			func() error { return opens(dir, syscall.O_RDWR, syscall.EISDIR) },
			func() error { return opens(path, oPath, 0) },
			func() error { return opens(path, syscall.O_RDONLY|syscall.O_NOATIME|syscall.O_NOCTTY, 0) },
			func() error {
				// Either there is such a thing or the program is told to use a name.
				fd, err := syscall.Open(dir, oTmpfile|syscall.O_DIRECTORY|syscall.O_RDWR, 0o600)
				if err == nil {
					return syscall.Close(fd)
				}
				return fails(err, syscall.EOPNOTSUPP)
			},
			func() error { list, err := names(dir); return errors.Join(err, same("names", list, "f")) },
		)
	}},
	{"inode numbers", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		if err := put(path, "x"); err != nil {
			return err
		}
		before, err := stat(path)
		if err != nil {
			return err
		}
		return all(
			func() error { return os.Rename(path, path+"2") },
			func() error { return put(path+"2", "more") },
			func() error { st, err := stat(path + "2"); return errors.Join(err, same("inode", st.Ino, before.Ino)) },
			func() error { return put(path, "x") },
			func() error {
				st, err := stat(path)
				if st.Ino == before.Ino {
					return errors.New("two files have one inode number")
				}
				return err
			},
		)
	}},
}
