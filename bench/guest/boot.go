//go:build linux

package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// boot is process 1: it makes the machine what the workloads expect, runs the
// command line, and switches the machine off. It does not return.
func boot() {
	err := mounts()
	if err == nil {
		err = loadModules()
	}
	if err == nil {
		os.Setenv("PATH", "/bin")
		err = run(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		tell("@failed %s %v\n", "run", err)
	} else {
		tell("@done\n")
	}
	syscall.Sync()
	err = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	fmt.Fprintln(os.Stderr, "guest: cannot switch off:", err)
	select {}
}

func mounts() error {
	for _, m := range []struct{ dir, typ string }{{"/proc", "proc"}, {"/dev", "devtmpfs"}, {"/tmp", "tmpfs"}} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(m.typ, m.dir, m.typ, 0, ""); err != nil && err != syscall.EBUSY {
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	return nil
}

// tcsbrk is the ioctl that waits for a terminal's output (ioctl_tty(2)).
const tcsbrk = 0x5409

// drain waits until what was written to a terminal has left it.
func drain(f *os.File) {
	// SAFETY: the argument of TCSBRK is a number; 1 only waits.
	syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), tcsbrk, 1)
}

// memory maps n bytes of fresh memory in small pages.
func memory(n int) ([]byte, error) {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	const noHugePage = 15 // madvise(2); kernels without huge pages refuse it
	// SAFETY: b is not empty and is mapped.
	syscall.Syscall(syscall.SYS_MADVISE, uintptr(unsafe.Pointer(&b[0])), uintptr(n), noHugePage)
	return b, nil
}
