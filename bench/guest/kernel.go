//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// How much of the kernel's work an operation is.
const (
	syscalls   = 200      // calls
	pipeBytes  = 64 << 10 // in pieces of a page
	faultPages = 256
	page       = 4 << 10
)

// systemCalls asks the kernel for something that it knows at once.
func systemCalls() (func() (uint32, error), error) {
	want := uintptr(os.Getppid())
	return func() (uint32, error) {
		n := uint32(0)
		for range syscalls {
			if id, _, _ := syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0); id == want {
				n++
			}
		}
		return n, nil
	}, nil
}

// pipe moves bytes through the kernel.
func pipe() (func() (uint32, error), error) {
	var fd [2]int
	if err := syscall.Pipe(fd[:]); err != nil {
		return nil, err
	}
	out, in := make([]byte, page), make([]byte, page)
	for i := range out {
		out[i] = byte(i * 7)
	}
	return func() (uint32, error) {
		n := 0
		for range pipeBytes / page {
			if _, err := syscall.Write(fd[1], out); err != nil {
				return 0, err
			}
			clear(in[:16])
			k, err := syscall.Read(fd[0], in)
			if err != nil {
				return 0, err
			}
			if in[1] != 7 || in[page-1] != out[page-1] {
				return 0, io.ErrUnexpectedEOF
			}
			n += k
		}
		return uint32(n), nil
	}, nil
}

// faults has the kernel give memory, page by page, and takes it back.
func faults() (func() (uint32, error), error) {
	return func() (uint32, error) {
		b, err := memory(faultPages * page)
		if err != nil {
			return 0, err
		}
		n := uint32(0)
		for i := 0; i < len(b); i += page {
			if b[i] == 0 {
				b[i] = 1
				n++
			}
		}
		return n, syscall.Munmap(b)
	}, nil
}

// process starts this program anew and waits for its end.
func process() (func() (uint32, error), error) {
	const self = "/proc/self/exe"
	return func() (uint32, error) {
		p, err := os.StartProcess(self, []string{"guest", "nothing"}, &os.ProcAttr{Files: []*os.File{nil, nil, os.Stderr}})
		if err != nil {
			return 0, err
		}
		state, err := p.Wait()
		if err != nil {
			return 0, err
		}
		if !state.Success() {
			return 0, fmt.Errorf("the process ended by %s", state)
		}
		return 0, nil
	}, nil
}
