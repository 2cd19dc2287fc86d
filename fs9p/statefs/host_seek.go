//go:build linux || freebsd

package statefs

import "golang.org/x/sys/unix"

// hostData gives the first range at off or behind it that may hold something else
// than zeros; from is size where there is none. lseek(2), SEEK_DATA.
func hostData(f diskFile, off, size int64) (from, to int64) {
	h, ok := f.(interface{ Fd() uintptr })
	if !ok {
		return off, size
	}
	from, err := unix.Seek(int(h.Fd()), off, unix.SEEK_DATA)
	if err == unix.ENXIO {
		return size, size
	}
	if err != nil {
		return off, size
	}
	to, err = unix.Seek(int(h.Fd()), from, unix.SEEK_HOLE)
	if err != nil {
		to = size
	}
	return from, to
}
