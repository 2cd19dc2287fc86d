package cpu

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/mem"
)

// fuzzRAM is a machine small enough to compare whole.
const fuzzRAM = 1 << 20

// newFuzz makes a CPU that runs code from 8000h in the given mode: 0 real, 1
// protected 32-bit with paging (identity, 4 MB pages) at CPL 0, 2 the same at
// CPL 3. There is an IDT whose gates all lead to a HLT. make is New or newCPU.
func newFuzz(tb testing.TB, mode byte, code []byte, make func(testing.TB, Config) (*CPU, error)) *CPU {
	m, err := mem.New(fuzzRAM)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	seed := uint32(1)
	c, err := make(tb, Config{Mem: m, AckIRQ: func() uint8 { return 0x20 }, Random: func() uint32 { seed = seed*1664525 + 1013904223; return seed }})
	if err != nil {
		tb.Fatal(err)
	}
	put := func(off uint32, v ...uint32) {
		for i, x := range v {
			c.ram.Store32(off+uint32(4*i), x)
		}
	}
	m.WriteAt(code[:min(len(code), 0x1000)], 0x8000)
	for i := range uint32(256) {
		if mode == 0 {
			put(i*4, 0x00007000) // 0:7000h
		} else {
			put(0x1000+i*8, 0x00080000|0x7000, 0xee00)
		}
	}
	c.ram.Store8(0x7000, 0xf4)
	if mode == 0 {
		for i := range 6 {
			c.Seg[i] = Seg{Limit: 0xffff, Attr: AttrP | AttrS | AttrWritable | AttrAccessed}
		}
		c.IDTR = TableReg{0, 0x3ff}
	} else {
		// GDT at 2000h: null, code, data, user code, user data, TSS
		put(0x2000, 0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300, 0xffff, 0xcffb00, 0xffff, 0xcff300, 0x30000067, 0x8b00)
		c.GDTR, c.IDTR = TableReg{0x2000, 0x2f}, TableReg{0x1000, 0x7ff}
		put(0x3004, 0x6000, 0x10) // ESP0, SS0
		put(0x4000, 0x87|0x100)   // page directory: 4 MB, user, writable
		c.CR3, c.CR4 = 0x4000, cr4PSE|cr4OSFXSR|cr4OSXMMEXCPT
		c.CR0 = c.CR0&^(cr0CD|cr0NW) | cr0PE | cr0PG | cr0WP
		sel, dpl := uint16(8), uint16(0)
		if mode == 2 {
			sel, dpl, c.CPL = 0x1b, AttrDPL, 3
		}
		for i := range 6 {
			c.Seg[i] = Seg{Sel: sel + 8, Limit: 0xffffffff, Attr: AttrP | AttrS | AttrWritable | AttrAccessed | AttrDB | AttrG | dpl}
		}
		c.Seg[segCS].Sel, c.Seg[segCS].Attr = sel, c.Seg[segCS].Attr|AttrCode
		c.Seg[segTR] = Seg{Sel: 0x28, Base: 0x3000, Limit: 0x67, Attr: AttrP | 0xb}
	}
	c.EIP, c.R = 0x8000, [16]uint32{1, 2, 3, 0x9000, 0x9800, 0x9900, 0x9a00, 0x9b00}
	c.Reload()
	return c
}

// staleFuzz says that the code has gone over to other paging structures than those
// of newFuzz, or has changed them: then it is the processor's to decide which of
// the old translations it still uses (SDM vol. 3A 4.10.2).
func (c *CPU) staleFuzz() bool {
	const changing = 1<<5 | 1<<6 // accessed and dirty
	return c.CR0&cr0PG != 0 && (c.CR3 != 0x4000 || c.ram.Load32(0x4000)&^changing != 0x87|0x100)
}

// compare runs code in one go on the engine under test, and on the interpreter in
// steps of one instruction with the cache thrown away before each: the two must
// agree in everything.
func compare(t *testing.T, mode byte, code []byte, n int) {
	warm := newFuzz(t, mode, code, newCPU)
	fresh := newFuzz(t, mode, code, func(_ testing.TB, cfg Config) (*CPU, error) { return New(cfg) })
	for range 3 { // the second and third pass run from a warm cache
		x := warm.Run(n)
		for range n {
			before := fresh.Retired
			fresh.flushBlocks()
			y := fresh.Run(1)
			if y.Reason != Budget || fresh.Retired == before {
				if x.Reason != y.Reason && !warm.staleFuzz() && !fresh.staleFuzz() {
					t.Fatalf("exit %v, step by step %v", x, y)
				}
				break
			}
		}
		if warm.staleFuzz() || fresh.staleFuzz() {
			return
		}
		a, b := seen(warm), seen(fresh)
		if a != b {
			t.Fatalf("mode %d, code %x:\nin one go    %x EIP %x flags %x retired %d\nstep by step %x EIP %x flags %x retired %d\n%+v\n%+v", mode, code,
				a.R, a.EIP, a.EFLAGS(), a.Retired, b.R, b.EIP, b.EFLAGS(), b.Retired, a.FPU, b.FPU)
		}
		for off := uint32(0); off < fuzzRAM; off += mem.PageSize {
			if v, w := warm.ram.Bytes(off, mem.PageSize), fresh.ram.Bytes(off, mem.PageSize); !bytes.Equal(v, w) {
				t.Fatalf("mode %d, code %x: memory at %x is\n%x\nstep by step\n%x", mode, code, off, v, w)
			}
		}
		warm.EIP, fresh.EIP = 0x8000, 0x8000
		warm.Halted, fresh.Halted = false, false
		warm.Reload()
		fresh.Reload()
	}
}

// FuzzRun: whatever bytes are executed, nothing panics, the budget is kept, and
// a warm cache of whichever engine does what the interpreter does with a fresh one.
func FuzzRun(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s.mode, seed(f, s.code))
	}
	f.Fuzz(func(t *testing.T, mode byte, code []byte) {
		compare(t, mode%3, code, 100)
	})
}

// TestRandomCode is a short FuzzRun over random bytes that start with plausible
// opcodes.
func TestRandomCode(t *testing.T) {
	rounds := 1500
	if testing.Short() {
		rounds = 200
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		code := make([]byte, 64)
		for i := range code {
			code[i] = byte(r.Uint32())
			if i%3 == 0 {
				code[i] &= 0x3f // the arithmetic corner of the map
			}
		}
		compare(t, byte(r.IntN(3)), code, 60)
	}
}

// TestChainAcrossCR3: a chain made in one address space is not followed in
// another, where the same linear page leads elsewhere.
func TestChainAcrossCR3(t *testing.T) {
	m, err := mem.New(8 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c, err := newCPU(t, Config{Mem: m})
	if err != nil {
		t.Fatal(err)
	}
	// Two page tables: page 400000h is 200000h in the first space and
	// 201000h in the second; the rest is the same.
	for i, dir := range []uint32{0x10000, 0x20000} {
		c.ram.Store32(dir, 0x83)
		c.ram.Store32(dir+4, dir+0x1000|3)
		c.ram.Store32(dir+0x1000, 0x200000+uint32(i)*0x1000|3)
	}
	write := func(at int64, b ...byte) {
		if _, err := m.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
	// 100ff0: a loop in the first page that jumps into the other page and
	// back, then switches the address space and does it again.
	write(0x100000,
		0xe9, 0xfb, 0xff, 0x2f, 0x00, // jmp 400000h
	)
	write(0x200000, 0x83, 0xc0, 0x01, 0xe9, 0xf8, 0x00, 0xd0, 0xff) // add eax, 1; jmp 100100h
	write(0x201000, 0x83, 0xc3, 0x01, 0xe9, 0xf8, 0x00, 0xd0, 0xff) // add ebx, 1; jmp 100100h
	write(0x100100,
		0x0f, 0x20, 0xd9, // mov ecx, cr3
		0x81, 0xf1, 0x00, 0x00, 0x03, 0x00, // xor ecx, 30000h
		0x0f, 0x22, 0xd9, // mov cr3, ecx
		0xe9, 0xef, 0xfe, 0xff, 0xff, // jmp 100000h
	)
	c.CR0 |= cr0PE | cr0PG
	c.CR4 |= cr4PSE
	c.CR3 = 0x10000
	for i := range 6 {
		c.Seg[i] = Seg{Sel: 0x10, Limit: 0xffffffff, Attr: AttrP | AttrS | AttrWritable | AttrAccessed | AttrDB | AttrG}
	}
	c.Seg[segCS].Attr |= AttrCode
	c.EIP = 0x100000
	c.Reload()
	c.Run(7 * 200)
	if c.R[eax] != 100 || c.R[ebx] != 100 {
		t.Fatalf("%d rounds in the first space, %d in the second, want 100 each", c.R[eax], c.R[ebx])
	}
}
