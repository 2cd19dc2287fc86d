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

// pages knows which of its pages this process has touched.
type pages struct{ fd int }

// openPages opens it at once: later this process may open no files.
func openPages() pages {
	fd, err := unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil || unix.Getpagesize() != PageSize {
		_ = unix.Close(fd)
		fd = -1
	}
	return pages{fd}
}

func (p pages) close() { _ = unix.Close(p.fd) }

// touched says which pages may be other than zero, or than those of the file that
// is mapped there: reading the others would have the host make page tables for them.
func (p pages) touched(b []byte) func(page uint32) bool {
	// SAFETY: the address is only a number for the kernel.
	at := uintptr(unsafe.Pointer(unsafe.SliceData(b))) / PageSize * pagemapEntry
	entries := make([]byte, len(b)/PageSize*pagemapEntry)
	for n := 0; n < len(entries); {
		k, err := unix.Pread(p.fd, entries[n:], int64(at)+int64(n))
		if err != nil || k <= 0 {
			return anyPage
		}
		n += k
	}
	return func(page uint32) bool {
		return binary.LittleEndian.Uint64(entries[page*pagemapEntry:])&pagemapThere != 0
	}
}

// data says which pages of a part of a file may be other than zero; nil: all.
// lseek(2), SEEK_DATA.
func (m *mapping) data() []bool {
	list := make([]bool, m.n>>pageShift)
	for at, end := m.off, m.off+int64(m.n); at < end; {
		from, err := unix.Seek(m.fd, at, unix.SEEK_DATA)
		if err == unix.ENXIO {
			break
		}
		to, err2 := unix.Seek(m.fd, from, unix.SEEK_HOLE)
		if err != nil || err2 != nil || to <= from {
			return nil
		}
		for p := (from - m.off) >> pageShift; p < int64(len(list)) && p<<pageShift < to-m.off; p++ {
			list[p] = true
		}
		at = to
	}
	return list
}
