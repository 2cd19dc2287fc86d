package cpu

import (
	"fmt"
	"hash/fnv"

	"alpinevm/cpu/x86"
)

func cpuidFamily() family {
	return family{x86.CPUID: always(cpuid)}
}

// leaf is what CPUID gives in EAX, EBX, ECX and EDX.
type leaf [4]uint32

// Feature bits that CPUID shows (SDM vol. 2A, CPUID). A bit stands here only if
// what it announces works.
const (
	features1EDX = 1<<0 | // FPU
		1<<2 | // DE
		1<<3 | // PSE
		1<<4 | // TSC
		1<<5 | // MSR
		1<<6 | // PAE
		1<<8 | // CX8
		1<<11 | // SEP
		1<<13 | // PGE
		1<<15 | // CMOV
		1<<16 | // PAT
		1<<19 | // CLFSH
		1<<23 | // MMX
		1<<24 | // FXSR
		1<<25 | // SSE
		1<<26 // SSE2
	features1ECX = 1<<0 | // SSE3
		1<<1 | // PCLMULQDQ
		1<<9 | // SSSE3
		1<<19 | // SSE4.1
		1<<20 | // SSE4.2
		1<<22 | // MOVBE
		1<<23 | // POPCNT
		1<<25 | // AES
		1<<31 // a hypervisor is present
	features1Random = 1 << 30 // RDRAND, in ECX

	features7EBX = 1<<7 | // SMEP
		1<<20 // SMAP
	features7ECX  = 1 << 2  // UMIP
	features7Seed = 1 << 18 // RDSEED, in EBX

	featuresExtEDX = 1<<20 | // NX
		1<<27 // RDTSCP

	invariantTSC = 1 << 8 // leaf 80000007h, EDX

	clflushLine = 8 << 8  // in quadwords, leaf 1, EBX
	oneLogical  = 1 << 16 // logical processors in the package
)

const (
	maxBasic    = 0x16
	maxExtended = 0x80000008
	hypervisor  = 0x40000000
)

// leaves are those that depend on nothing.
var leaves = map[uint32]leaf{
	0: {maxBasic, ascii("Genu"), ascii("ntel"), ascii("ineI")},
	// Leaf 2 refers to leaf 4 for caches (descriptor FFh); TLBs of 128
	// pages (B0h, B3h).
	2:           {0x00b0ff01, 0x000000b3, 0, 0},
	hypervisor:  {hypervisor, ascii("alpi"), ascii("nevm"), ascii("    ")},
	0x80000000:  {maxExtended, 0, 0, 0},
	0x80000001:  {0, 0, 0, featuresExtEDX},
	0x80000002:  {ascii("alpi"), ascii("nevm"), ascii(" vir"), ascii("tual")},
	0x80000003:  {ascii(" CPU"), 0, 0, 0},
	0x80000006:  {0, 0, l2KiB<<16 | 6<<12 | cacheLine, 0}, // 6 stands for 8 ways
	0x80000007:  {0, 0, 0, invariantTSC},
	maxExtended: {32<<8 | 36, 0, 0, 0}, // bits of linear and physical addresses
}

const (
	cacheLine = 64
	l1KiB     = 32
	l2KiB     = 2048
)

// caches are the subleaves of leaf 4: plausible caches for software that asks.
// There are none.
var caches = [...]leaf{
	cache(1, 1, l1KiB, 8),
	cache(2, 1, l1KiB, 8),
	cache(3, 2, l2KiB, 8),
}

// cache describes one cache of type 1 (data), 2 (code) or 3 (both).
func cache(typ, level, kib, ways uint32) leaf {
	const selfInit = 1 << 8
	return leaf{typ | level<<5 | selfInit, (ways-1)<<22 | cacheLine - 1, kib<<10/cacheLine/ways - 1, 0}
}

// ascii packs four characters as CPUID does.
func ascii(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// identify gives the leaf for EAX and, where it has several, ECX.
func (c *CPU) identify(n, sub uint32) leaf {
	// A leaf beyond the last one of its range gives the last basic one
	// (SDM vol. 2A, CPUID).
	switch {
	case n <= maxBasic, n == hypervisor, n >= 0x80000000 && n <= maxExtended:
	default:
		n = maxBasic
	}
	switch n {
	case 1:
		l := leaf{c.model.signature(), clflushLine | oneLogical, features1ECX, features1EDX}
		if c.random != nil {
			l[2] |= features1Random
		}
		return l
	case 4:
		if sub < uint32(len(caches)) {
			return caches[sub]
		}
		return leaf{}
	case 7:
		if sub != 0 {
			return leaf{}
		}
		l := leaf{1: features7EBX, 2: features7ECX}
		if c.random != nil {
			l[1] |= features7Seed
		}
		return l
	case 0x15:
		return c.model.frequency()
	case 0x16:
		mhz := uint32(c.model.hertz() / 1e6)
		return leaf{mhz, mhz, 100, 0} // base, maximum, bus
	}
	return leaves[n]
}

// signature is CPUID.1:EAX: family 6, model 15 (0Fh), stepping 11.
func (Model) signature() uint32 { return 0x6fb }

func (m Model) hertz() uint64 {
	if m.TSCHz == 0 {
		return 1e9
	}
	return m.TSCHz
}

// frequency is leaf 15h: the TSC runs at EBX/EAX times the crystal's ECX hertz.
func (m Model) frequency() leaf {
	hz := m.hertz()
	k := hz>>32 + 1
	return leaf{1, uint32(k), uint32(hz / k), 0}
}

// Model names what CPUID shows, which a processor has to show alike to go on from
// another one's State: its signature, and a checksum of all leaves.
func (c *CPU) Model() string {
	h := fnv.New32a()
	show := func(n, sub uint32) {
		for _, v := range c.identify(n, sub) {
			h.Write([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
		}
	}
	for _, last := range []uint32{maxBasic, hypervisor, maxExtended} {
		for n := last &^ 0xffff; n <= last; n++ {
			show(n, 0)
		}
	}
	for sub := range uint32(len(caches)) {
		show(4, sub)
	}
	return fmt.Sprintf("%03x-%08x", c.model.signature(), h.Sum32())
}

func cpuid(c *CPU, o *op) status {
	l := c.identify(c.R[eax], c.R[ecx])
	c.R[eax], c.R[ebx], c.R[ecx], c.R[edx] = l[0], l[1], l[2], l[3]
	return next
}

// shown is the set of the opcode table's features that CPUID shows.
func (c *CPU) shown() (set uint64) {
	for f := range x86.NumFeatures {
		if at := f.Bit(); at.Leaf == 0 || c.identify(at.Leaf, 0)[at.Reg]>>at.Bit&1 != 0 {
			set |= 1 << f
		}
	}
	return set
}
