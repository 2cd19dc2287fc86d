package amd64

import "golang.org/x/sys/cpu"

// host is what the host's processor has that code is the better for.
type host struct {
	rorx bool // rotations that leave the flags alone
	pext bool // PEXT, fast
}

// hostOf looks at the processor; plain makes it one of the first of its kind.
func hostOf(plain bool) host {
	if plain || !cpu.X86.HasBMI2 {
		return host{}
	}
	_, b, c, d := cpuid(0)
	a, _, _, _ := cpuid(1)
	return host{rorx: true, pext: !microcoded([3]uint32{b, d, c}, a)}
}

// Lacks says what code does without on the host's processor; "" is nothing.
func Lacks() string {
	switch h := hostOf(false); {
	case !h.rorx:
		return "the processor has no BMI2"
	case !h.pext:
		return "the processor's PEXT is slow"
	}
	return ""
}

// Vendors as CPUID tells them in EBX, EDX and ECX.
var (
	vendorAMD   = [3]uint32{0x68747541, 0x69746e65, 0x444d4163}
	vendorHygon = [3]uint32{0x6f677948, 0x6e65476e, 0x656e6975}
)

// microcoded says whether PEXT takes tens or hundreds of cycles, by vendor and
// signature: before family 19h of AMD's, and in what was made of family 17h
// (Software Optimization Guides for families 17h and 19h).
func microcoded(vendor [3]uint32, signature uint32) bool {
	family := signature >> 8 & 15
	if family == 15 {
		family += signature >> 20 & 0xff
	}
	return vendor == vendorAMD && family < 0x19 || vendor == vendorHygon
}

// cpuid executes CPUID with ECX = 0.
func cpuid(leaf uint32) (a, b, c, d uint32)

// Masks for PEXT: the page number, and the address bits that must be zero.
const (
	mask1 = 0xfffff000
	mask2 = 0xfffff001
	mask4 = 0xfffff003
)
