package cpu

import (
	"hash/crc32"
	"math/bits"

	"alpinevm/cpu/x86"
)

// What came with SSE4 for general registers.

func sse4GeneralFamily() family {
	return family{
		x86.POPCNT: always(popcnt),
		x86.MOVBE:  selectMovbe,
		x86.CRC32:  always(crc32c),
	}
}

// popcnt clears all flags but ZF, which it sets for a source of 0.
func popcnt(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	c.writeReg(o.reg, 0, uint32(bits.OnesCount32(v)), o.size)
	var f uint32
	if v == 0 {
		f = flagZF
	}
	c.SetArith(f)
	return next
}

func selectMovbe(t *translation) handler {
	if t.isStore() {
		return movbeStore
	}
	return movbeLoad
}

func movbeLoad(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	c.writeReg(o.reg, 0, swapped(v, o.size), o.size)
	return next
}

func movbeStore(c *CPU, o *op) status {
	return c.rmStore(o, swapped(c.R[o.reg&7], o.size), o.size)
}

// swapped reverses the low 2 or 4 bytes of v.
func swapped(v uint32, size uint8) uint32 {
	if size == 2 {
		return uint32(bits.ReverseBytes16(uint16(v)))
	}
	return bits.ReverseBytes32(v)
}

// castagnoli is the polynomial of CRC32 (SDM vol. 2A, CRC32), 11EDC6F41h.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c adds 1, 2 or 4 bytes to the sum in a 32-bit register, which it does
// not invert.
func crc32c(c *CPU, o *op) status {
	v, ok := c.rmLoad(o, o.size)
	if !ok {
		return faulted
	}
	sum := c.R[o.reg&7]
	for range o.size {
		sum = castagnoli[uint8(sum^v)] ^ sum>>8
		v >>= 8
	}
	c.R[o.reg&7] = sum
	return next
}
