package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// newFile begins a file that is to get that name by publish. It has none until
// then, so that nothing is left of it if we die; where a disk cannot do that it is
// newNamedFile's. open(2), O_TMPFILE.
func newFile(name string) (f *os.File, publish func(err error) error, err error) {
	f, err = os.OpenFile(filepath.Dir(name), unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		return newNamedFile(name)
	}
	return f, func(err error) error {
		defer f.Close()
		if err != nil {
			return err
		}
		part := name + beginning
		if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, part, unix.AT_SYMLINK_FOLLOW); err != nil {
			return &os.PathError{Op: "link", Path: part, Err: err}
		}
		if err := os.Rename(part, name); err != nil {
			os.Remove(part)
			return err
		}
		return syncFolder(filepath.Dir(name))
	}, nil
}

// syncFolder brings the names in a folder to the disk.
func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}
