package cpu

import (
	"sync"
	"testing"
)

// TestRunRetiresExactly: whatever slices a program is run in, the same count
// leads to the same state.
func TestRunRetiresExactly(t *testing.T) {
	code := flatCode(40)
	whole := newFlat(t, 4<<20, code)
	for _, slice := range []int{1, 2, 3, 7, 100} {
		c := newFlat(t, 4<<20, code)
		whole.State, whole.Retired = newFlat(t, 4<<20, code).State, 0
		whole.Reload()
		clearRAM(whole)
		for done := 0; done < 2000; {
			n := min(slice, 2000-done)
			if x := c.Run(n); x.Reason != Budget {
				t.Fatalf("slice %d: %v", slice, x)
			}
			done += n
			if c.Retired != uint64(done) {
				t.Fatalf("slice %d: %d retired, want %d", slice, c.Retired, done)
			}
		}
		whole.Run(2000)
		if c.R != whole.R || c.EIP != whole.EIP || c.EFLAGS() != whole.EFLAGS() {
			t.Fatalf("slice %d: %x at %x, flags %x; in one run %x at %x, flags %x", slice, c.R, c.EIP, c.EFLAGS(), whole.R, whole.EIP, whole.EFLAGS())
		}
	}
}

func clearRAM(c *CPU) {
	for off := uint32(0x200000); off < 0x210000; off += 4 {
		c.ram.Store32(off, 0)
	}
}

// TestStringCountsIterations: a REP iteration counts as one instruction and can
// be interrupted by the budget.
func TestStringCountsIterations(t *testing.T) {
	c := newFlat(t, 8<<20, []byte{
		0xbe, 0, 0, 0x20, 0, // mov esi, 200000h
		0xbf, 0, 0, 0x40, 0, // mov edi, 400000h
		0xb9, 10, 0, 0, 0, // mov ecx, 10
		0xf3, 0xa4, // rep movsb
		0x90, // nop
	})
	for i := range uint32(10) {
		c.ram.Store8(0x200000+i, uint8(i+1))
	}
	c.Run(3 + 4)
	if c.R[ecx] != 6 || c.EIP != 0x10000f || c.Retired != 7 {
		t.Fatalf("after 4 iterations: ECX %d, EIP %#x, retired %d", c.R[ecx], c.EIP, c.Retired)
	}
	c.Run(7)
	if c.R[ecx] != 0 || c.EIP != 0x100012 || c.Retired != 14 {
		t.Fatalf("behind the NOP: ECX %d, EIP %#x, retired %d", c.R[ecx], c.EIP, c.Retired)
	}
	for i := range uint32(10) {
		if got := c.ram.Load8(0x400000 + i); got != uint8(i+1) {
			t.Fatalf("byte %d is %d", i, got)
		}
	}
}

// TestSelfModifying: a store is seen by the very next instruction, in the same
// block, and by blocks that are chained to.
func TestSelfModifying(t *testing.T) {
	c := newFlat(t, 4<<20, []byte{
		0xc6, 0x05, 0x08, 0, 0x10, 0, 0x42, // mov byte [100008h], 42h
		0xb8, 0x01, 0, 0, 0, // mov eax, 1 (becomes 42h)
		0x40,       // inc eax
		0xeb, 0xf1, // jmp start
	})
	for range 3 {
		c.Run(4)
		if c.EIP != 0x100000 || c.R[eax] != 0x43 {
			t.Fatalf("EAX %#x at %#x", c.R[eax], c.EIP)
		}
		c.ram.Store8(0x100008, 0x17) // behind the cache's back: the guest's own store repairs it
	}
}

// TestDMAIntoCode: a device's write into a decoded block is seen.
func TestDMAIntoCode(t *testing.T) {
	c := newFlat(t, 4<<20, []byte{0xb8, 1, 0, 0, 0, 0xeb, 0xf9}) // mov eax, 1; jmp start
	c.Run(10)
	b, ok := c.mem.View(0x100001, 1, true)
	if !ok {
		t.Fatal("no view")
	}
	b[0] = 9
	c.Run(2)
	if c.R[eax] != 9 {
		t.Fatalf("EAX %d after DMA, want 9", c.R[eax])
	}
}

// TestDataBesideCode: stores to other lines of a code page leave blocks alone.
func TestDataBesideCode(t *testing.T) {
	c := newFlat(t, 4<<20, []byte{
		0xa3, 0x00, 0x08, 0x10, 0, // mov [100800h], eax
		0x40,       // inc eax
		0xeb, 0xf8, // jmp start
	})
	c.Run(30)
	before := c.blocks.next
	c.Run(3000)
	if c.blocks.next != before {
		t.Fatalf("%d blocks decoded again", c.blocks.next-before)
	}
	if got := c.ram.Load32(0x100800); got != c.R[eax]-1 {
		t.Fatalf("stored %d, EAX %d", got, c.R[eax])
	}
}

// TestCacheFlush: the cache is bounded and survives being full.
func TestCacheFlush(t *testing.T) {
	// A ring of one-byte-apart jumps: each block is 1 jump.
	var code []byte
	for range 1 << 18 {
		code = append(code, 0xeb, 0x00)
	}
	n := int32(-len(code) - 5)
	code = append(code, 0xe9, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	c := newFlat(t, 4<<20, code)
	for range 3 {
		c.Run(1<<18 + 1)
		if c.EIP != 0x100000 {
			t.Fatalf("EIP %#x", c.EIP)
		}
	}
	if c.blocks.flushes == 0 || len(c.blocks.blocks) > maxChunks {
		t.Fatalf("%d flushes, %d chunks", c.blocks.flushes, len(c.blocks.blocks))
	}
}

// TestTwoCPUs: several processors live in one process and share nothing.
func TestTwoCPUs(t *testing.T) {
	var wg sync.WaitGroup
	want := newFlat(t, 4<<20, flatCode(50))
	want.Run(50000)
	for range 2 {
		c := newFlat(t, 4<<20, flatCode(50))
		wg.Go(func() {
			c.Run(50000)
			if c.R != want.R || c.EIP != want.EIP {
				t.Errorf("%x at %#x, want %x at %#x", c.R, c.EIP, want.R, want.EIP)
			}
		})
	}
	wg.Wait()
}

// TestNoAllocation: executing cached blocks allocates nothing.
func TestNoAllocation(t *testing.T) {
	if callsAllocate {
		t.Skip("not here: wazero's interpreter allocates a frame a call; package wasm has a test of its own")
	}
	c := newFlat(t, 16<<20, flatCode(500))
	const ring = 500*7 + 1
	c.Run(ring)
	if n := testing.AllocsPerRun(10, func() { c.Run(ring) }); n != 0 {
		t.Fatalf("%v allocations a run", n)
	}
}

// TestDeadFlags: flags that are overwritten unseen are not computed, and are
// right wherever execution stops.
func TestDeadFlags(t *testing.T) {
	code := []byte{
		0x01, 0xd8, // add eax, ebx: dead
		0x29, 0xd8, // sub eax, ebx: dead
		0x89, 0xc1, // mov ecx, eax
		0x31, 0xd2, // xor edx, edx: seen by the load's fault
		0x8b, 0x35, 0, 0, 0x20, 0, // mov esi, [200000h]
		0x01, 0xc0, // add eax, eax: seen by adc
		0x11, 0xc0, // adc eax, eax: dead
		0x85, 0xdb, // test ebx, ebx
		0xeb, 0xea, // jmp start
	}
	whole := newFlat(t, 4<<20, code)
	whole.Run(9)
	b := whole.blockAt(0x100000, 0x100000)
	if !b.quiet || b.n != 9 {
		t.Fatalf("block of %d instructions, quiet %v", b.n, b.quiet)
	}
	for _, start := range []uint32{0, 1, 0x7fffffff, 0x80000000, 0xffffffff} {
		for n := 1; n <= 9; n++ {
			parts, steps := newFlat(t, 4<<20, code), newFlat(t, 4<<20, code)
			for _, c := range []*CPU{parts, steps} {
				c.R[eax], c.R[ebx] = start, 0x80000001
			}
			parts.Run(9) // the block is in the cache
			parts.Run(n)
			for range 9 + n {
				steps.flushBlocks()
				steps.Run(1)
			}
			if parts.EFLAGS() != steps.EFLAGS() || parts.R != steps.R {
				t.Fatalf("EAX %#x, %d instructions: flags %#x, want %#x", start, n, parts.EFLAGS(), steps.EFLAGS())
			}
		}
	}
}
