//go:build unix && !aix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// mappedFile is a file whose parts are mapped where they are asked for, as long as
// the process lives: what many machines go on from is in the host's memory once.
type mappedFile struct{ *os.File }

// View gives n bytes from off on.
func (f mappedFile) View(off, n int64) ([]byte, error) {
	before := off % int64(os.Getpagesize())
	b, err := unix.Mmap(int(f.Fd()), off-before, int(before+n), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return b[before:], nil
}
