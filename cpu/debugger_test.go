package cpu

import (
	"fmt"
	"slices"
	"testing"

	"alpinevm/cpu/x86"
)

// debug runs n instructions on both twins, the tested one with stops. At each stop
// it is compared with the one that knows nothing of them. What is given is where it
// stopped: a breakpoint's address, or that of an access with the letter w.
func (w *twins) debug(n int, code []uint32, data []Watchpoint) (at []string) {
	w.t.Helper()
	c := w.tested.CPU
	c.StopAt(code, data)
	for end := c.Retired + uint64(n); c.Retired < end; {
		before := c.Retired
		x := c.Run(int(end - c.Retired))
		w.plain.slowly(int(c.Retired - w.plain.Retired))
		w.compare()
		if x.Reason != Stopped {
			if c.Retired == before {
				break
			}
			continue
		}
		h := c.Hit()
		if h.Watch != nil {
			at = append(at, fmt.Sprintf("w%x", h.Addr))
			continue
		}
		at = append(at, fmt.Sprintf("%x", h.Addr))
		if lin := c.Seg[segCS].Base + c.EIP; h.Addr != lin || !slices.Contains(code, lin) {
			w.t.Fatalf("a breakpoint at %x is hit at %x", h.Addr, lin)
		}
		c.Step(false)
	}
	c.StopAt(nil, nil)
	if c.stops != nil {
		w.t.Error("without stops they still cost")
	}
	w.plain.slowly(int(c.Retired - w.plain.Retired))
	w.compare()
	w.compareRAM()
	return at
}

// TestBreakpoints: a breakpoint stops whenever its instruction is about to be
// executed, and the guest is then where it is without one.
func TestBreakpoints(t *testing.T) {
	const loops = 100
	// mov ecx,100; l: inc eax; add ebx,eax; loop l; jmp $
	loop := cat([]byte{0xb9}, imm32(loops), []byte{0x40, 0x01, 0xc3, 0xe2, 0xfb, 0xeb, 0xfe})
	every := func(n int, at ...string) (list []string) {
		for range n {
			list = append(list, at...)
		}
		return list
	}
	for _, tt := range []struct {
		name  string
		setup func(r *rig)
		code  []byte
		at    []uint32 // relative to rigCode
		n     int
		want  []string
	}{
		{name: "in the middle", code: loop, at: []uint32{6}, n: 320, want: every(loops, "10006")},
		{name: "at the head", code: loop, at: []uint32{5}, n: 320, want: every(loops, "10005")},
		{name: "at the end", code: loop, at: []uint32{8}, n: 320, want: every(loops, "10008")},
		{name: "everywhere", code: loop, at: []uint32{0, 5, 6, 8}, n: 1 + 3*loops, want: append([]string{"10000"}, every(loops, "10005", "10006", "10008")...)},
		{name: "between two instructions", code: loop, at: []uint32{7, 1}, n: 320},
		{name: "elsewhere in the page", code: loop, at: []uint32{0x800, 0xfff}, n: 320},
		{name: "repeated", code: cat([]byte{0xb9}, imm32(50), []byte{0xbf}, imm32(rigData), []byte{0xf3, 0xaa, 0xeb, 0xfe}), at: []uint32{10}, n: 80, want: []string{"1000a"}},
		{name: "behind STI", code: []byte{0xfb, 0x40, 0xeb, 0xfe}, at: []uint32{1}, n: 5, want: []string{"10001"}},
		{name: "behind MOV SS", code: []byte{0x8c, 0xd0, 0x8e, 0xd0, 0x40, 0xeb, 0xfe}, at: []uint32{4}, n: 6, want: []string{"10004"}},
		{
			name: "under the guest's single step", setup: func(r *rig) { r.put(rigIntr+0x10, 0xcf); r.flags(flagTF, 0) },
			code: []byte{0x40, 0x40, 0x40}, at: []uint32{1}, n: 9, want: []string{"10001"},
		},
		{
			// The handler returns with RF set: or byte [esp+10],1; iret
			name: "at the guest's breakpoint", setup: func(r *rig) {
				r.put(rigIntr+0x10, 0x80, 0x4c, 0x24, 0x0a, 0x01, 0xcf)
				r.DR[0], r.DR[7] = rigCode+1, r.DR[7]|1
				r.Reload()
			},
			code: []byte{0x40, 0x40, 0x40, 0xeb, 0xfe}, at: []uint32{1}, n: 8, want: []string{"10001", "10001"},
		},
		{name: "across pages", setup: beginAt(0xffe), code: nil, at: []uint32{0xffe}, n: 4, want: []string{"10ffe"}},
		{name: "at the beginning of a page", setup: beginAt(0xffb), at: []uint32{0x1000}, n: 4, want: []string{"11000"}},
		{name: "where an interrupt leads to", code: []byte{0xcd, 0x41, 0xeb, 0xfe}, at: []uint32{rigIntr + 0x410 - rigCode}, n: 2, want: []string{"50410"}},
		{name: "in real mode", setup: (*rig).real, code: []byte{0x40, 0x40, 0xeb, 0xfe}, at: []uint32{1}, n: 5, want: []string{"10001"}},
		{name: "in virtual-8086 mode", setup: func(r *rig) { r.v86(3) }, code: []byte{0x40, 0x40, 0xeb, 0xfe}, at: []uint32{1}, n: 5, want: []string{"10001"}},
		{name: "of the user", setup: func(r *rig) { r.ring(3) }, code: loop, at: []uint32{6}, n: 320, want: every(loops, "10006")},
		{
			name: "in a page mapped twice", setup: func(r *rig) {
				p := r.paging32()
				p.put(rigCode+0x10000, rigCode|3)
			},
			// mov ecx,50; l: call +10000h; call; loop l; jmp $; f: inc eax; ret
			code: cat([]byte{0xb9}, imm32(50), []byte{0xe8}, imm32(0x10000+4+5), []byte{0xe8}, imm32(4), []byte{0xe2, 0xf4, 0xeb, 0xfe}, []byte{0x40, 0xc3}),
			at:   []uint32{0x10000 + 19}, n: 500, want: every(50, "20013"),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTwins(t, func(r *rig) {
				if tt.setup != nil {
					tt.setup(r)
				}
				r.put(rigCode, tt.code...)
			})
			var code []uint32
			for _, at := range tt.at {
				code = append(code, rigCode+at)
			}
			if got := w.debug(tt.n, code, nil); !slices.Equal(got, tt.want) {
				t.Errorf("stopped at %v, want %v", got, tt.want)
			}
		})
	}
}

// beginAt puts mov eax,12345678h; inc eax; jmp $ there and EIP at it.
func beginAt(off uint32) func(*rig) {
	return func(r *rig) {
		r.put(rigCode+off, 0xb8, 0x78, 0x56, 0x34, 0x12, 0x40, 0xeb, 0xfe)
		r.EIP = rigCode + off
		r.Reload()
	}
}

// TestBreakpointsInHotCode: they are honoured in code that is translated already, and
// gone when they are taken away.
func TestBreakpointsInHotCode(t *testing.T) {
	w := newTwins(t, func(r *rig) { r.put(rigCode, 0x40, 0x01, 0xc3, 0xeb, 0xfb) }) // l: inc eax; add ebx,eax; jmp l
	for range 3 {
		w.run(3000, 1000)
		if got := w.debug(30, []uint32{rigCode + 1}, nil); len(got) != 10 {
			t.Errorf("stopped at %v", got)
		}
	}
}

// TestBreakpointAbsent: a page that is not there faults before a breakpoint in it is
// looked at, which then stops.
func TestBreakpointAbsent(t *testing.T) {
	w := newTwins(t, func(r *rig) {
		p := r.paging32()
		p.unmap(0x200000)
		r.put(0x300000, 0x40, 0xeb, 0xfe)
		r.put(rigCode, jumpTo(rigCode, 0x200000)...)
		// mov dword [pte],300003h; add esp,4; iret
		r.put(rigIntr+0xe0, cat([]byte{0xc7, 0x05}, imm32(p.entry(0x200000)), imm32(0x300003), []byte{0x83, 0xc4, 4, 0xcf})...)
	})
	if got := w.debug(10, []uint32{0x200000}, nil); !slices.Equal(got, []string{"200000"}) {
		t.Errorf("stopped at %v", got)
	}
}

// TestWatchpoints: an access to what is watched stops behind its instruction, and
// names the first byte that is watched.
func TestWatchpoints(t *testing.T) {
	const at = rigData + 8
	store := func(off uint32) []byte { return cat([]byte{0xa3}, imm32(rigData+off)) }
	load := func(off uint32) []byte { return cat([]byte{0xa1}, imm32(rigData+off)) }
	to := func(opcode ...byte) []byte { return cat(opcode, imm32(at)) } // with [disp32]
	for _, tt := range []struct {
		name        string
		code        []byte
		setup       func(r *rig)
		n           uint32 // watched from at on; 0: 4
		write, read string // where a stop is
	}{
		{name: "store", code: store(8), write: "20008"},
		{name: "load", code: load(8), read: "20008"},
		{name: "store below", code: store(4)},
		{name: "store above", code: store(12)},
		{name: "store into its beginning", code: store(5), write: "20008"},
		{name: "store into its end", code: store(11), write: "2000b"},
		{name: "store of a byte", code: cat([]byte{0xa2}, imm32(at+1)), write: "20009"},
		{name: "store of a word", code: cat([]byte{0x66, 0xa3}, imm32(at+2)), write: "2000a"},
		{name: "one byte watched", code: store(8), n: 1, write: "20008"},
		{name: "beside one byte", code: store(9), n: 1},
		{name: "change", code: to(0xff, 0x05), write: "20008", read: "20008"},
		{name: "locked change", code: to(0xf0, 0xff, 0x05), write: "20008", read: "20008"},
		{name: "exchange", code: to(0x87, 0x05), write: "20008", read: "20008"},
		{name: "compare", code: to(0x39, 0x05), read: "20008"},
		{name: "CMPXCHG8B", code: to(0x0f, 0xc7, 0x0d), write: "20008", read: "20008"},
		{name: "BTS", code: cat(to(0x0f, 0xba, 0x2d), []byte{1}), write: "20008", read: "20008"},
		{name: "PUSH", code: []byte{0x50}, setup: func(r *rig) { r.R[esp] = at + 4 }, write: "20008"},
		{name: "PUSH below", code: []byte{0x50}, setup: func(r *rig) { r.R[esp] = at }},
		{name: "POP", code: []byte{0x58}, setup: func(r *rig) { r.R[esp] = at }, read: "20008"},
		{name: "PUSHA", code: []byte{0x60}, setup: func(r *rig) { r.R[esp] = at + 16 }, write: "20008"},
		{name: "CALL", code: []byte{0xe8, 0, 0, 0, 0}, setup: func(r *rig) { r.R[esp] = at + 4 }, write: "20008"},
		{name: "REP STOSB", code: []byte{0xf3, 0xaa}, setup: func(r *rig) { r.R[edi], r.R[ecx] = rigData, 32 }, write: "20008 20009 2000a 2000b"},
		{name: "REP MOVSD from", code: []byte{0xf3, 0xa5}, setup: func(r *rig) { r.R[esi], r.R[edi], r.R[ecx] = rigData, rigData+0x1000, 8 }, read: "20008"},
		{name: "REP MOVSD to", code: []byte{0xf3, 0xa5}, setup: func(r *rig) { r.R[esi], r.R[edi], r.R[ecx] = rigData+0x1000, rigData, 8 }, write: "20008"},
		{name: "REPNE SCASB", code: []byte{0xf2, 0xae}, setup: func(r *rig) { r.R[eax], r.R[edi], r.R[ecx] = 1, rigData, 9 }, read: "20008"},
		{name: "XLAT", code: []byte{0xd7}, setup: func(r *rig) { r.R[ebx], r.R[eax] = rigData, 9 }, read: "20009"},
		{name: "MOVUPS to", code: to(0x0f, 0x11, 0x05), setup: sseOn, write: "20008"},
		{name: "MOVUPS from, overlapping", code: cat([]byte{0x0f, 0x10, 0x05}, imm32(at-13)), setup: sseOn, read: "20008"},
		{name: "MOVAPS beside", code: cat([]byte{0x0f, 0x29, 0x05}, imm32(at+8)), setup: sseOn},
		{name: "MOVQ", code: to(0x0f, 0x7f, 0x05), write: "20008"},
		{name: "FSTP of 80 bits", code: cat([]byte{0xd9, 0xee, 0xdb, 0x3d}, imm32(at-8)), write: "20008"},
		{name: "FXSAVE", code: cat([]byte{0x0f, 0xae, 0x05}, imm32(rigData)), write: "20008"},
		{name: "across pages", code: store(8), setup: func(r *rig) { // to be watched where the second page begins
			r.put(rigCode, cat([]byte{0xa3}, imm32(rigData+0xffe))...)
			r.EIP = rigCode
		}, n: 0x1000, write: "20ffe"},
		{name: "what a fault pushes", code: []byte{0x0f, 0x0b}, setup: func(r *rig) { r.R[esp] = at + 4 }, write: "20008"},
		{name: "what an interrupt pushes", code: []byte{0xcd, 0x41}, setup: func(r *rig) { r.R[esp] = at + 12 }, write: "20008"},
		{name: "a descriptor's accessed bit", code: []byte{0x8e, 0xd8}, setup: func(r *rig) {
			r.put64(at, segment(0, 0xffffffff, attrData0))
			r.GDTR, r.R[eax] = TableReg{rigData, 0xff}, 8
			r.Reload()
		}, n: 8, write: "2000d", read: "20008"},
		{name: "an instruction is no access", code: []byte{0x90, 0x90}, setup: func(r *rig) { r.put(rigData, 0x90, 0x90); r.EIP = at }},
	} {
		for _, kind := range []struct {
			name string
			w    Watchpoint
			want string
		}{{"write", Watchpoint{Write: true}, tt.write}, {"read", Watchpoint{Read: true}, tt.read}} {
			t.Run(tt.name+"/"+kind.name, func(t *testing.T) {
				w := newTwins(t, func(r *rig) {
					r.put(rigCode, cat(tt.code, []byte{0xeb, 0xfe})...)
					r.put(at, 1)
					if tt.setup != nil {
						tt.setup(r)
					}
					r.Reload()
				})
				kind.w.Addr, kind.w.N = at, tt.n
				if tt.n == 0 {
					kind.w.N = 4
				}
				got := ""
				for _, g := range w.debug(40, nil, []Watchpoint{kind.w}) {
					if got != "" {
						got += " "
					}
					got += g[1:]
				}
				if got != kind.want {
					t.Errorf("stopped for %q, want %q", got, kind.want)
				}
			})
		}
	}
}

func sseOn(r *rig) { r.CR4 |= cr4OSFXSR }

// TestWatchpointFault: what an instruction has accessed that faults is no access.
func TestWatchpointFault(t *testing.T) {
	w := newTwins(t, func(r *rig) {
		p := r.paging32()
		p.unmap(0x200000)
		r.R[esi], r.R[edi] = rigData, 0x200000
		r.put(rigCode, 0xa5, 0xeb, 0xfe) // movsd
	})
	if got := w.debug(5, nil, []Watchpoint{{Addr: rigData, N: 4, Read: true}}); got != nil {
		t.Errorf("stopped for %v", got)
	}
}

// TestWatchpointsInHotCode: what is translated already stops, at each turn.
func TestWatchpointsInHotCode(t *testing.T) {
	// l: inc eax; mov [rigData],eax; mov ebx,[rigData+4]; jmp l
	w := newTwins(t, func(r *rig) {
		r.put(rigCode, cat([]byte{0x40, 0xa3}, imm32(rigData), []byte{0x8b, 0x1d}, imm32(rigData+4), []byte{0xeb, 0xf2})...)
	})
	for range 3 {
		w.run(4000, 1000)
		if got := w.debug(40, nil, []Watchpoint{{Addr: rigData, N: 4, Write: true}, {Addr: rigData + 6, N: 1, Read: true}}); len(got) != 20 || got[0] != "w20000" || got[1] != "w20006" {
			t.Errorf("stopped for %v", got)
		}
	}
}

// TestStep: a step is what Run(1) is; a quiet one holds interrupts off, but for a HLT
// that waits for one.
func TestStep(t *testing.T) {
	r := newRig(t)
	r.put(rigCode, 0xfb, 0x90, 0x90, 0xf4, 0x90) // sti; nop; nop; hlt; nop
	r.SetINTR(true)
	for i, want := range []uint32{1, 2, 3, 4} {
		before := r.Retired
		if r.Step(true); r.EIP != rigCode+want || r.Retired != before+1 {
			t.Fatalf("quiet step %d: EIP %x", i, r.EIP)
		}
	}
	if r.stops != nil {
		t.Error("a step leaves something behind")
	}
	if r.Step(true); r.EIP != rigIntr+0x400 {
		t.Errorf("out of HLT: EIP %x", r.EIP)
	}
	r.EIP, r.Flags = rigCode+1, r.Flags|flagIF
	r.Reload()
	if r.Step(false); r.EIP != rigIntr+0x400 {
		t.Errorf("not quiet: EIP %x", r.EIP)
	}
	// A REP goes on by an iteration, a fault ends at its handler.
	r.put(rigCode, 0xf3, 0xaa, 0x0f, 0x0b)
	r.EIP, r.R[edi], r.R[ecx], r.Halted = rigCode, rigData, 2, false
	r.SetINTR(false)
	r.StopAt([]uint32{rigCode, rigCode + 2}, nil)
	for i, want := range []uint32{rigCode, rigCode + 2, rigIntr + 0x60} {
		if r.Step(true); r.EIP != want {
			t.Errorf("step %d of a repeated instruction: EIP %x, want %x", i, r.EIP, want)
		}
	}
}

// TestPoke writes across two pages, whatever their rights, and stops before what is
// not there or no RAM; code that was there is executed as it is now.
func TestPoke(t *testing.T) {
	r := newRig(t)
	p := r.paging32()
	p.put(0x5000, 0x20000|1) // read-only
	p.put(0x6000, 0x22000|1)
	p.put(0x7000, 0)
	p.put(0x9000, 0xf0000000|3)
	before := r.State
	if n := r.Poke(0x5ffe, []byte{1, 2, 3}); n != 3 || r.get16(0x20ffe) != 0x201 || r.get16(0x22000) != 3 {
		t.Errorf("%d bytes", n)
	}
	if r.State != before {
		t.Error("the state has changed")
	}
	for lin, want := range map[uint32]int{0x6ffe: 2, 0x7000: 0, 0x9000: 0} {
		if n := r.Poke(lin, make([]byte, 4)); n != want {
			t.Errorf("%d bytes at %x, want %d", n, lin, want)
		}
	}
	r.put(rigCode, 0x40, 0xeb, 0xfd) // l: inc eax; jmp l
	r.run(2000)
	r.Poke(rigCode, []byte{0x48}) // dec eax
	if r.run(2000); r.R[x86.EAX] != 0 {
		t.Errorf("EAX is %d", r.R[x86.EAX])
	}
	if pa, ok := r.Physical(0x5123); pa != 0x20123 || !ok {
		t.Errorf("5123 lies at %x, %v", pa, ok)
	}
}
