package wasm_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/jit/wasm"
)

// loopCode is three blocks: a loop of 7 instructions with a call in it.
var loopCode = []byte{
	0x83, 0xc0, 0x03, // add eax, 3
	0x31, 0xc3, // xor ebx, eax
	0x89, 0x1d, 0x00, 0x50, 0x00, 0x00, // mov [5000h], ebx
	0xe8, 0x05, 0x00, 0x00, 0x00, // call sub
	0x41,       // inc ecx
	0x75, 0xed, // jnz start
	0xeb, 0xeb, // jmp start
	0x03, 0x15, 0x00, 0x50, 0x00, 0x00, // sub: add edx, [5000h]
	0xc3, // ret
}

// TestStaysInside: a loop with calls and returns stays in generated code, but for
// the ends of budgets and a few first times, and does what the interpreter does.
func TestStaysInside(t *testing.T) {
	for _, compiled := range []bool{false, true} {
		t.Run(fmt.Sprint("compiled ", compiled), func(t *testing.T) {
			const n = 300_000
			g := newGuest(t, loopCode, compiled, &wasm.Config{Eager: true})
			want := newGuest(t, loopCode, false, nil)
			g.c.Run(n)
			want.c.Run(n)
			if g.c.R != want.c.R || g.c.EIP != want.c.EIP || g.c.Retired != n {
				t.Errorf("%x at %#x, %d retired; the interpreter has %x at %#x", g.c.R, g.c.EIP, g.c.Retired, want.c.R, want.c.EIP)
			}
			if s := g.tr.Stats; s.Entries > 50 || s.Insts == 0 {
				t.Errorf("code was entered %d times: %+v", s.Entries, s)
			}
		})
	}
}

// TestExact: Run retires what it is asked for, wherever in a region that ends.
func TestExact(t *testing.T) {
	g := newGuest(t, loopCode, false, &wasm.Config{Eager: true, Strict: true})
	want := newGuest(t, loopCode, false, nil)
	for n := range 200 {
		g.c.Run(n)
		want.c.Run(n)
		if g.c.R != want.c.R || g.c.EIP != want.c.EIP || g.c.Retired != want.c.Retired || g.c.EFLAGS() != want.c.EFLAGS() {
			t.Fatalf("after a Run of %d: %x at %#x, %d retired; the interpreter has %x at %#x, %d", n, g.c.R, g.c.EIP, g.c.Retired, want.c.R, want.c.EIP, want.c.Retired)
		}
	}
}

// TestNoAllocation: once code is there, running it allocates nothing.
func TestNoAllocation(t *testing.T) {
	g := newGuest(t, loopCode, true, &wasm.Config{Eager: true})
	g.c.Run(5000)
	if n := testing.AllocsPerRun(20, func() { g.c.Run(5000) }); n != 0 {
		t.Errorf("%v allocations a Run", n)
	}
}

// TestReach: pages that take each other's place in the processor's translation cache, of
// 512 entries, are found nevertheless.
func TestReach(t *testing.T) {
	const apart = cpu.TLBSize << 12
	code := []byte{0xa1, 0, 0x60, 0, 0, 0x03, 0x05} // mov eax, [6000h]; add eax, [6000h and apart]
	code = binary.LittleEndian.AppendUint32(code, 0x6000+apart)
	code = append(code, 0xff, 0x05) // inc dword [6000h and twice apart]
	code = binary.LittleEndian.AppendUint32(code, 0x6000+2*apart)
	code = append(code, 0xeb, byte(-len(code)-2))
	g := newGuestOf(t, 4*apart, code, false, &wasm.Config{Eager: true})
	const rounds = 5000
	g.c.Run(4 * rounds)
	if b, _ := g.m.View(0x6000+2*apart, 4, false); binary.LittleEndian.Uint32(b) != rounds {
		t.Errorf("counted to %x in %d rounds", b, rounds)
	}
	if s := g.tr.Stats; s.Miss > 10 || s.Entries == 0 {
		t.Errorf("%d misses in %d rounds: %+v", s.Miss, rounds, s)
	}
}

// island is one of many small loops, each at its own address, which lead on to the
// next one by an indirect jump.
func islands(n int) []byte {
	var code []byte
	for i := range n {
		at := origin + 32*uint32(i)
		next := origin + 32*uint32((i+1)%n)
		b := []byte{0xb9, 3, 0, 0, 0, 0x83, 0xc0, 0x01, 0x49, 0x75, 0xfa, 0xba, 0, 0, 0, 0, 0xff, 0xe2} // mov ecx,3; l: add eax,1; dec ecx; jnz l; mov edx,next; jmp edx
		binary.LittleEndian.PutUint32(b[12:], next)
		code = append(code, b...)
		for uint32(len(code)) < at-origin+32 {
			code = append(code, 0x90)
		}
	}
	return code
}

// TestRoom: where there is more hot code than room, the oldest goes, what is
// kept stays bounded, and nothing goes wrong.
func TestRoom(t *testing.T) {
	for _, tt := range []struct{ islands, kept int }{{10, 20}, {40, 20}, {40, 3}} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			code := islands(tt.islands)
			g := newGuest(t, code, false, &wasm.Config{Eager: true, Regions: 1, Kept: tt.kept})
			want := newGuest(t, code, false, nil)
			const n = 20_000
			g.c.Run(n)
			want.c.Run(n)
			if g.c.R != want.c.R || g.c.EIP != want.c.EIP {
				t.Errorf("%x at %#x, the interpreter has %x at %#x", g.c.R, g.c.EIP, want.c.R, want.c.EIP)
			}
			s := g.tr.Stats
			if dropped := s.Dropped != 0; dropped != (tt.islands > tt.kept) || s.Regions-s.Dropped > uint64(tt.kept) {
				t.Errorf("%d islands with room for %d: %+v", tt.islands, tt.kept, s)
			}
		})
	}
}

// TestBatches: functions wait for others to share a module with, or for long enough.
func TestBatches(t *testing.T) {
	code := islands(40)
	for _, tt := range []struct {
		regions  int
		patience uint64
		most     uint64 // modules
	}{{1, 0, 100}, {16, 1 << 40, 4}, {16, 1000, 12}} {
		g := newGuest(t, code, false, &wasm.Config{Eager: true, Regions: tt.regions, Patience: tt.patience})
		g.c.Run(20_000)
		if s := g.tr.Stats; s.Modules == 0 || s.Modules > tt.most || s.Entries == 0 {
			t.Errorf("%+v: %+v", tt, s)
		}
	}
}

// TestReturns: a function that is called from more places than a return is compared
// with, that calls another, and that returns to where nobody has called it from, does
// what the interpreter does.
func TestReturns(t *testing.T) {
	var code []byte
	call := func(to int) {
		code = append(code, 0xe8)
		code = binary.LittleEndian.AppendUint32(code, uint32(to-len(code)-4))
	}
	const inner, outer, odd = 0x80, 0xa0, 0xc0
	for i := range 6 {
		call([]int{inner, outer, odd}[i%3])
		code = append(code, 0x83, 0xc0, byte(i)) // add eax, i
	}
	code = append(code, 0xeb, byte(-len(code)-2))
	put := func(at int, b ...byte) {
		for len(code) < at {
			code = append(code, 0x90)
		}
		code = append(code, b...)
	}
	put(inner, 0x31, 0xc3, 0xc2, 0, 0) // xor ebx, eax; ret 0
	put(outer, 0x41)                   // inc ecx
	call(inner)
	put(len(code), 0xc3)                       // ret
	put(odd, 0x83, 0x04, 0x24, 3, 0xc3)        // add dword [esp], 3; ret
	for _, blocks := range []int{1, 2, 3, 0} { // the functions are in other regions, or not
		alike(t, code, blocks)
	}
}

// TestCallsInCalls: calls of what is in other regions, in each other, more than the host's
// stack is to hold, returns from within them to where others have called from, and what
// does not return, do what the interpreter does.
func TestCallsInCalls(t *testing.T) {
	code := []byte{
		0xb9, 200, 0, 0, 0, // start: mov ecx, 200
		0xe8, 0x0b, 0, 0, 0, // call deep
		0xff, 0xd6, // call esi
		0x89, 0xe5, // mov ebp, esp
		0xe8, 0x14, 0, 0, 0, // call far
		0xeb, 0xeb, // jmp start
		0x49,       // deep: dec ecx
		0x74, 0x08, // jz over the next two
		0xe8, 0xf8, 0xff, 0xff, 0xff, // call deep
		0x83, 0xc3, 0x03, // add ebx, 3
		0xff, 0x05, 0x00, 0x50, 0x00, 0x00, // inc dword [5000h]
		0xc3,                         // ret
		0xe8, 0x01, 0x00, 0x00, 0x00, // far: call further
		0xc3,             // ret
		0x43,             // further: inc ebx
		0x8d, 0x65, 0xfc, // lea esp, [ebp-4]
		0xc3, // ret, from far
	}
	for _, blocks := range []int{1, 2, 4, 0} {
		alike(t, code, blocks)
	}
}

// alike runs code in regions of so many blocks for ever longer, and by the interpreter.
// ESI leads to a RET.
func alike(t *testing.T, code []byte, blocks int) {
	t.Helper()
	g, want := newGuest(t, code, false, &wasm.Config{Eager: true, Strict: true, Blocks: blocks}), newGuest(t, code, false, nil)
	for _, g := range []*guest{g, want} {
		g.write(0x9000, 0xc3)
		g.c.R[6] = 0x9000
	}
	for n := 1; n < 40_000; n += n/3 + 1 {
		g.c.Run(n)
		want.c.Run(n)
		if g.c.R != want.c.R || g.c.EIP != want.c.EIP || g.c.EFLAGS() != want.c.EFLAGS() || g.c.Retired != want.c.Retired || g.ram() != want.ram() {
			t.Fatalf("regions of %d blocks, after %d: %x at %#x, the interpreter has %x at %#x", blocks, g.c.Retired, g.c.R, g.c.EIP, want.c.R, want.c.EIP)
		}
	}
	if s := g.tr.Stats; s.Insts == 0 || s.Inst != 0 {
		t.Errorf("regions of %d blocks: %+v", blocks, s)
	}
}

// TestAsks: what is hot is translated once the processor has said so for the asked
// number of times.
func TestAsks(t *testing.T) {
	const rounds, perRound = 40, 7
	for _, asks := range []uint8{0, 1, 20, 30, 255} {
		g := newGuest(t, loopCode, false, &wasm.Config{Asks: asks, Regions: 1})
		g.c.Run(rounds * perRound) // three blocks, each asked about in each round
		if got, want := g.tr.Stats.Regions != 0, asks < rounds; got != want {
			t.Errorf("%d times: translated %v, want %v", asks, got, want)
		}
		if asks > 1 && asks < rounds && g.tr.Stats.Regions > 1 {
			t.Errorf("%d times: %d regions for what has been hot as often", asks, g.tr.Stats.Regions)
		}
	}
}

// TestChangingCode: code that changes time and again is translated ever more
// rarely, and what runs is always what is there.
func TestChangingCode(t *testing.T) {
	code := []byte{
		0xfe, 0x05, 0x01, 0x90, 0x00, 0x00, // start: inc byte [9001h]
		0xe8, 0xf5, 0x0f, 0x00, 0x00, // call 9000h
		0xeb, 0xf3, // jmp start
	}
	changing := []byte{0x05, 0, 0, 0, 0, 0xc3} // add eax, n; ret
	make := func(cfg *wasm.Config) *guest {
		g := newGuest(t, code, false, cfg)
		g.write(0x9000, changing...)
		return g
	}
	g, want := make(&wasm.Config{Eager: true, Regions: 1, Kept: 64}), make(nil)
	const n = 50_000
	g.c.Run(n)
	want.c.Run(n)
	if g.c.R != want.c.R || g.ram() != want.ram() {
		t.Errorf("%x, the interpreter has %x", g.c.R, want.c.R)
	}
	if s := g.tr.Stats; s.Modules > 40 {
		t.Errorf("%d modules for code that changes in each of %d rounds", s.Modules, n/5)
	}
}

// TestHostile: programs of accesses by addresses of chance, at the edges of RAM,
// beyond it, around 4 GiB and through segments with a base, reach what the
// interpreter reaches, and nothing of the memory that generated code could address
// beside: what lies behind RAM stays as it was.
func TestHostile(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	edges := []uint32{0, ramSize, 0xffffffff, 0x80000000, ramSize + 4<<20, origin + 0x1000, 0xfffff000, ramSize - 0x1000}
	for round := range 60 {
		var code []byte
		for range 40 {
			modrm := byte(r.IntN(8))<<3 | 0x80 | byte(r.IntN(8)) // [reg+disp32]
			if modrm&7 == 4 {
				modrm++
			}
			if r.IntN(3) == 0 {
				code = append(code, 0x64+byte(r.IntN(2))) // FS, GS
			}
			op := [][]byte{{0x8b}, {0x89}, {0x8a}, {0x88}, {0x01}, {0x66, 0x89}, {0x0f, 0xb7}, {0x87}, {0x0f, 0xab}, {0xff}}[r.IntN(10)]
			if op[0] == 0xff {
				modrm = modrm&0xc7 | []byte{0 << 3, 6 << 3}[r.IntN(2)] // INC, PUSH
			}
			code = append(append(code, op...), modrm)
			code = binary.LittleEndian.AppendUint32(code, edges[r.IntN(len(edges))]+uint32(r.IntN(16))-8)
		}
		code = append(code, 0xeb, 0xfe)
		run := func(cfg *wasm.Config) *guest {
			g := newGuest(t, code, false, cfg)
			for i := range 8 {
				g.c.R[i] = edges[(round+i)%len(edges)] + uint32(i)
			}
			g.c.Seg[4].Base, g.c.Seg[5].Base = 0xfffffff0, ramSize-2
			g.c.Reload()
			canary := g.c.CodeBytes(ramSize, 1<<20)
			for i := range canary {
				canary[i] = 0xa5
			}
			for range 5 { // the program runs to its first fault: go on behind it
				g.c.Run(45)
				for i := range canary {
					if canary[i] != 0xa5 {
						t.Fatalf("program %x has written %d bytes behind RAM", code, i)
					}
				}
				if g.c.Shutdown {
					g.c.Reset()
					break
				}
			}
			return g
		}
		g, want := run(&wasm.Config{Eager: true, Strict: true}), run(nil)
		if g.c.R != want.c.R || g.c.EIP != want.c.EIP || g.ram() != want.ram() {
			t.Fatalf("program %x: %x at %#x, the interpreter has %x at %#x", code, g.c.R, g.c.EIP, want.c.R, want.c.EIP)
		}
	}
}

// TestOnceForAllAddresses: what was translated at one linear address serves where the
// same memory is mapped elsewhere.
func TestOnceForAllAddresses(t *testing.T) {
	const directory, table, windows, apart = 0x1000, 0x2000, 16, 0x3000
	code := []byte{0xb9, 9, 0, 0, 0, 0xe8, 5, 0, 0, 0, 0x49, 0x75, 0xf8, 0xc3, 0x90, 0x03, 0x04, 0x24, 0xc3} // mov ecx, 9; call: add eax, [esp]; ret; loop; ret
	driver := []byte{}
	for k := range uint32(windows) {
		driver = binary.LittleEndian.AppendUint32(append(driver, 0xbf), 4<<20+k*apart) // mov edi, window
		driver = append(driver, 0xff, 0xd7)                                            // call edi
	}
	driver = append(driver, 0xeb, byte(-len(driver)-2))
	set := func(g *guest) *guest {
		word := func(at int64, v uint32) { g.write(at, binary.LittleEndian.AppendUint32(nil, v)...) }
		word(directory, 1<<7|7)
		word(directory+4, table|7)
		for k := range int64(windows) {
			word(table+k*apart>>12*4, origin|7)
		}
		g.write(origin+0x1000, driver...)
		g.c.CR3, g.c.CR4, g.c.CR0, g.c.EIP = directory, 1<<4, 1<<31|g.c.CR0, origin+0x1000
		g.c.Reload()
		return g
	}
	g, want := set(newGuest(t, code, false, &wasm.Config{Eager: true})), set(newGuest(t, code, false, nil))
	for range 10 {
		g.c.Run(5000)
		want.c.Run(5000)
	}
	if g.c.R != want.c.R || g.c.EIP != want.c.EIP {
		t.Errorf("%x at %#x, the interpreter has %x at %#x", g.c.R, g.c.EIP, want.c.R, want.c.EIP)
	}
	if s := g.tr.Stats; s.Insts > 200 || s.Entries == 0 {
		t.Errorf("%d instructions translated, of some 50: %+v", s.Insts, s)
	}
}
