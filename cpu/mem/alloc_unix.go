//go:build unix && !aix

package mem

import (
	"errors"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allocate maps n bytes outside the Go heap: zeroed memory, but for a private
// copy of a file's part at its beginning.
func allocate(n int, from *mapping) ([]byte, func(), error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	free := func() { _ = unix.Munmap(b) }
	if from == nil {
		return b, free, nil
	}
	if err := overlay(b, from); err != nil {
		free()
		return nil, nil, err
	}
	return b, free, nil
}

// overlay puts a private copy of a file's part in the place of what b begins with.
func overlay(b []byte, from *mapping) error {
	// SAFETY: the range lies inside b, which allocate has mapped, and stays mapped.
	at := unsafe.Pointer(unsafe.SliceData(b[:from.n]))
	_, err := unix.MmapPtr(from.fd, from.off, at, uintptr(from.n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	return err
}

// file is a bank in a file of the host.
type file struct{ mapping }

// fileBank keeps a copy of the descriptor.
func fileBank(fd uintptr, off int64, n int) (bank, error) {
	own, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &file{mapping: mapping{own, off, n}}, nil
}

// WriteAt implements bank.
func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		if k, err = unix.Pwrite(f.fd, p[n:], f.off+off+int64(n)); errors.Is(err, unix.EINTR) {
			err = nil
		}
		n += max(k, 0)
	}
	return n, err
}

// ReadAt implements bank.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		switch k, err = unix.Pread(f.fd, p[n:], f.off+off+int64(n)); {
		case errors.Is(err, unix.EINTR):
			err = nil
		case err == nil && k == 0:
			err = io.ErrUnexpectedEOF
		}
		n += max(k, 0)
	}
	return n, err
}

func (f *file) part() *mapping { return &f.mapping }

func (f *file) close() error { return unix.Close(f.fd) }
