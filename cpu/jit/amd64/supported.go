//go:build linux && amd64

package amd64

import (
	"errors"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

// Supported says why the host cannot run translated code: its processor, or what
// it lets a process map.
func Supported() error {
	if !cpu.X86.HasBMI2 {
		return errors.New("the processor has no BMI2")
	}
	write, exec, err := mapTwice(1 << 12)
	if err != nil {
		return err
	}
	return errors.Join(unix.Munmap(write), unix.Munmap(exec))
}

// Masks for PEXT: the page number, and the address bits that must be zero.
const (
	mask1 = 0xfffff000
	mask2 = 0xfffff001
	mask4 = 0xfffff003
)
