//go:build linux && amd64

package amd64

import (
	"errors"

	"golang.org/x/sys/cpu"
)

// Supported says why the host cannot run translated code.
func Supported() error {
	if !cpu.X86.HasBMI2 {
		return errors.New("the processor has no BMI2")
	}
	return nil
}

// Masks for PEXT: the page number, and the address bits that must be zero.
const (
	mask1 = 0xfffff000
	mask2 = 0xfffff001
	mask4 = 0xfffff003
)
