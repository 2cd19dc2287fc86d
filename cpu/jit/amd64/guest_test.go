//go:build linux && amd64

package amd64_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/mem"
)

// Where a guest of these tests lies: its code at the start, data behind it.
const (
	guestCode = 0x100000
	guestData = 0x8000
)

// guest is a processor with its memory.
type guest struct {
	*cpu.CPU
	mem *mem.Memory
}

// newGuest makes a processor in flat 32-bit mode without paging that is about to
// execute code at guestCode, with a stack below it.
func newGuest(t testing.TB, ram uint64, code []byte) *guest {
	t.Helper()
	m, err := mem.New(ram)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c, err := cpu.New(cpu.Config{Mem: m})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.WriteAt(code, guestCode); err != nil {
		t.Fatal(err)
	}
	const data = cpu.AttrP | cpu.AttrS | cpu.AttrWritable | cpu.AttrAccessed | cpu.AttrDB | cpu.AttrG
	for i := range 6 {
		c.Seg[i] = cpu.Seg{Limit: 0xffffffff, Sel: 0x10, Attr: data}
	}
	c.Seg[1].Sel, c.Seg[1].Attr = 8, data|cpu.AttrCode
	c.CR0 |= 1
	c.EIP, c.R[4] = guestCode, guestCode
	c.Reload()
	return &guest{c, m}
}

// WriteCode changes memory as a device does.
func (g *guest) WriteCode(at uint32, b []byte) { g.mem.Store(at, b) }

// ring is code of n functions, each called by the one before it from another
// place, that do arithmetic on registers and on memory; the last one jumps to the
// start. A function is 32 bytes or a little more, and 8 instructions.
func ring(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	order := r.Perm(n)
	const size = 32
	code := make([]byte, n*size)
	for i, at := range order {
		next := order[(i+1)%n]
		b := []byte{0x05}
		b = binary.LittleEndian.AppendUint32(b, r.Uint32())                 // add eax, imm32
		b = append(b, 0xc1, 0xc0|byte(r.IntN(2))<<3, byte(1+r.IntN(30)))    // rol or ror eax, n
		b = append(b, 0x31, 0x05)                                           // xor [data], eax
		b = binary.LittleEndian.AppendUint32(b, guestData+r.Uint32N(0x400)) // some of them misaligned
		b = append(b, 0x11, 0xc3, 0x4a, 0x01, 0xda)                         // adc ebx, eax; dec edx; add edx, ebx
		b = append(b, 0x89, 0xd1, 0xe9)                                     // mov ecx, edx; jmp next
		to := next*size - (at*size + len(b) + 4)
		b = binary.LittleEndian.AppendUint32(b, uint32(to))
		if len(b) > size {
			panic("BUG: a function is too long")
		}
		copy(code[at*size:], b)
	}
	return code
}
