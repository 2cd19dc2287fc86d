package mem

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newBank makes one in a file that has no name.
func newBank(n int) (bank, error) {
	fd, err := unix.MemfdCreate("alpinevm-ram", unix.MFD_CLOEXEC)
	if err != nil {
		return make(plain, n), nil // a sandbox can forbid it
	}
	if err := unix.Ftruncate(fd, int64(n)); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &file{mapping: mapping{fd, 0, n}}, nil
}

// An entry of /proc/self/pagemap (Linux's Documentation/admin-guide/mm/pagemap.rst).
const (
	pagemapEntry = 8       // bytes
	pagemapThere = 3 << 62 // present, swapped out
)

// touched says which pages of memory that is not a file's may be other than zero:
// reading the others would have the host make page tables for them.
func touched(b []byte) func(page uint32) bool {
	all := func(uint32) bool { return true }
	fd, err := unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil || unix.Getpagesize() != PageSize {
		return all
	}
	defer unix.Close(fd)
	// SAFETY: the address is only a number for the kernel.
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b))) / PageSize * pagemapEntry
	entries := make([]byte, len(b)/PageSize*pagemapEntry)
	for n := 0; n < len(entries); {
		k, err := unix.Pread(fd, entries[n:], int64(at)+int64(n))
		if err != nil || k <= 0 {
			return all
		}
		n += k
	}
	return func(page uint32) bool {
		return binary.LittleEndian.Uint64(entries[page*pagemapEntry:])&pagemapThere != 0
	}
}
