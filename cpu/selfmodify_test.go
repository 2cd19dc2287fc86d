package cpu

import (
	"bytes"
	"fmt"
	"testing"

	"alpinevm/cpu/x86"
)

// A program that changes itself, at rigCode. Each round it increments ECX, makes
// some MOV EDX, imm32 load the new count, executes that and adds EDX to EAX: so
// EAX is the sum of the counts where each change is seen.
type selfModifying struct {
	name  string
	n     int // instructions of a round
	code  func(r *rig) []byte
	paged bool // it needs the alias that paging gives
}

const (
	smcAlias = 0x3f0000 // another linear address of rigCode's page
	smcOther = rigCode + 0x1000
	smcAtEnd = rigCode + 0xfff
	smcData  = rigData + 0x40
	fsBase   = 0x1000
)

// around puts the common parts of a round around the change and what executes
// it; the code begins at rigCode+1.
func around(change ...[]byte) []byte {
	b := cat([]byte{0x41}, cat(change...), []byte{0x01, 0xd0}) // inc ecx; ...; add eax, edx
	return cat(b, jumpTo(uint32(len(b)), 0))
}

// jumpTo is JMP at an address to another, callTo CALL.
func jumpTo(at, to uint32) []byte { return cat([]byte{0xe9}, imm32(to-at-5)) }
func callTo(at, to uint32) []byte { return cat([]byte{0xe8}, imm32(to-at-5)) }

// storeCL is MOV [to], CL, loadEDX MOV EDX, n.
func storeCL(to uint32) []byte { return cat([]byte{0x88, 0x0d}, imm32(to)) }
func loadEDX(n uint32) []byte  { return cat([]byte{0xba}, imm32(n)) }

// onCode is an instruction with a 32-bit address, of the immediate behind itself.
func onCode(at uint32, opcode ...byte) []byte {
	end := at + uint32(len(opcode)) + 4
	return cat(opcode, imm32(end+1), loadEDX(0))
}

const c1 = rigCode + 1 // where the code that around takes begins

var selfModifyings = []selfModifying{
	{name: "next instruction", n: 5, code: func(*rig) []byte { return around(onCode(c1, 0x88, 0x0d)) }},
	{name: "instruction before, in the next round", n: 6, code: func(*rig) []byte {
		return around(loadEDX(1), []byte{0x8d, 0x59, 0x01, 0x88, 0x1d}, imm32(c1+1)) // lea ebx, [ecx+1]; mov [], bl
	}},
	{name: "undefined opcode made one and back", n: 6, code: func(*rig) []byte {
		at := imm32(c1 + 9)
		return around([]byte{0x66, 0xc7, 0x05}, at, []byte{0x89, 0xca, 0x0f, 0x0b, 0x66, 0xc7, 0x05}, at, []byte{0x0f, 0x0b}) // mov edx, ecx; ud2
	}},
	{name: "next page", n: 7, code: func(r *rig) []byte { return called(r, smcOther, smcOther+1) }},
	{name: "page before", n: 7, code: func(r *rig) []byte { return called(r, rigCode-0x800, rigCode-0x7ff) }},
	{name: "second half of an instruction across pages", n: 7, code: func(r *rig) []byte { return called(r, smcAtEnd, smcOther) }},
	{name: "first half of one", n: 7, code: func(r *rig) []byte { return called(r, smcAtEnd-1, smcAtEnd) }},
	{name: "by an alias", n: 5, paged: true, code: func(*rig) []byte { return around(storeCL(smcAlias+8), loadEDX(0)) }},
	{name: "of an alias", n: 7, paged: true, code: func(r *rig) []byte {
		r.put(rigCode+0x200, cat(loadEDX(0), []byte{0xc3})...)
		return around(storeCL(rigCode+0x201), callTo(c1+6, smcAlias+0x200))
	}},
	{name: "by the alias of what runs in another alias", n: 7, paged: true, code: func(r *rig) []byte {
		r.put(rigCode+0x200, cat(loadEDX(0), []byte{0xc3})...)
		return around(storeCL(smcAlias+0x1201), callTo(c1+6, smcAlias+0x200))
	}},
	{name: "by MOVS", n: 8, code: func(*rig) []byte {
		return around(storeCL(smcData), []byte{0xbe}, imm32(smcData), []byte{0xbf}, imm32(c1+18), []byte{0xa4}, loadEDX(0))
	}},
	{name: "by REP MOVS", n: 11, code: func(*rig) []byte {
		return around(storeCL(smcData), []byte{0xbe}, imm32(smcData), []byte{0xbf}, imm32(c1+26),
			[]byte{0x51, 0xb9, 1, 0, 0, 0, 0xf3, 0xa4, 0x59}, loadEDX(0)) // push ecx; mov ecx, 1; rep movsb; pop ecx
	}},
	{name: "by PUSH", n: 6, code: func(*rig) []byte {
		return around([]byte{0xbc}, imm32(c1+11), []byte{0x51}, loadEDX(0)) // mov esp, ...; push ecx
	}},
	{name: "by INC", n: 5, code: func(*rig) []byte { return around(onCode(c1, 0xfe, 0x05)) }},
	{name: "by SHL and ADD", n: 8, code: func(*rig) []byte {
		at := imm32(c1 + 21)
		return around([]byte{0xd0, 0x25}, at, []byte{0x80, 0x25}, at, []byte{0, 0x00, 0x0d}, at, []byte{0x90}, loadEDX(0)) // shl; and 0; add cl; nop
	}},
	{name: "by XCHG", n: 6, code: func(*rig) []byte {
		return around([]byte{0x89, 0xca}, onCode(c1+2, 0x87, 0x15)) // mov edx, ecx; xchg
	}},
	{name: "by XADD", n: 6, code: func(*rig) []byte {
		return around([]byte{0xba, 1, 0, 0, 0}, onCode(c1+5, 0x0f, 0xc1, 0x15)) // mov edx, 1; xadd
	}},
	{name: "by CMPXCHG", n: 8, code: func(*rig) []byte {
		// mov ebx, eax; lea eax, [ecx-1]; cmpxchg; mov eax, ebx in front of the changed one
		return around([]byte{0x89, 0xc3, 0x8d, 0x41, 0xff, 0x0f, 0xb1, 0x0d}, imm32(c1+15), []byte{0x89, 0xd8}, loadEDX(0))
	}},
	{name: "by MOVD of MMX", n: 6, code: func(*rig) []byte {
		return around([]byte{0x0f, 0x6e, 0xc1}, onCode(c1+3, 0x0f, 0x7e, 0x05))
	}},
	{name: "by MOVD of SSE", n: 6, code: func(*rig) []byte {
		return around([]byte{0x66, 0x0f, 0x6e, 0xc1}, onCode(c1+4, 0x66, 0x0f, 0x7e, 0x05))
	}},
	{name: "by FISTP", n: 7, code: func(*rig) []byte {
		return around([]byte{0x89, 0x0d}, imm32(smcData), []byte{0xdb, 0x05}, imm32(smcData), onCode(c1+12, 0xdb, 0x1d))
	}},
	{name: "by a store from the page before", n: 10, code: func(r *rig) []byte {
		r.put(smcOther, cat(loadEDX(0), []byte{0xc3})...)
		// mov ebx, ecx; shl ebx, 24; or ebx, 0ba0000h; mov [], ebx
		return around([]byte{0x89, 0xcb, 0xc1, 0xe3, 0x18, 0x81, 0xcb, 0, 0, 0xba, 0, 0x89, 0x1d}, imm32(smcOther-2), callTo(c1+17, smcOther))
	}},
	{name: "by FS", n: 5, code: func(*rig) []byte {
		return around([]byte{0x64, 0x88, 0x0d}, imm32(c1+8-fsBase), loadEDX(0))
	}},
	{name: "what it falls through to", n: 45, code: func(*rig) []byte {
		return around(storeCL(c1+47), nops(40), loadEDX(0))
	}},
	{name: "where a branch leads", n: 7, code: func(*rig) []byte {
		return around(storeCL(c1+13), []byte{0x85, 0xc9, 0x75, 2, 0x0f, 0x0b}, loadEDX(0)) // test ecx, ecx; jnz; ud2
	}},
	{name: "where an indirect jump leads", n: 7, code: func(r *rig) []byte {
		r.R[ebx] = smcOther
		r.put(smcOther, cat(loadEDX(0), jumpTo(smcOther+5, c1+8))...)
		return around(storeCL(smcOther+1), []byte{0xff, 0xe3})
	}},
	{name: "where RET leads", n: 8, code: func(r *rig) []byte {
		r.put(smcOther, cat(loadEDX(0), jumpTo(smcOther+5, c1+12))...)
		return around(storeCL(smcOther+1), []byte{0x68}, imm32(smcOther), []byte{0xc3})
	}},
	{name: "by DMA into the next instruction", n: 5, code: func(r *rig) []byte {
		r.dma(c1 + 3)
		return around([]byte{0xe6, 0x80}, loadEDX(0)) // out 80h, al
	}},
	{name: "by DMA into another page", n: 7, code: func(r *rig) []byte {
		r.dma(smcOther + 1)
		r.put(smcOther, cat(loadEDX(0), []byte{0xc3})...)
		return around([]byte{0xe6, 0x80}, callTo(c1+2, smcOther))
	}},
	{name: "by DMA over the page", n: 7, code: func(r *rig) []byte {
		r.ports.onOut = func(uint32) {
			page := make([]byte, 0x1000)
			copy(page, cat(loadEDX(r.R[ecx]), []byte{0xc3}))
			r.put(smcOther, page...)
		}
		return around([]byte{0xe6, 0x80}, callTo(c1+2, smcOther))
	}},
}

// called makes a function at f, of which the byte at changed becomes CL before
// each call.
func called(r *rig, f, changed uint32) []byte {
	r.put(f, cat(loadEDX(0), []byte{0xc3})...)
	return around(storeCL(changed), callTo(c1+6, f))
}

// dma makes OUT write CL to RAM as a device does.
func (r *rig) dma(to uint32) {
	r.ports.onOut = func(uint32) {
		b, ok := r.mem.View(uint64(to), 1, true)
		if !ok {
			r.t.Fatal("no view")
		}
		b[0] = byte(r.R[ecx])
	}
}

// seldom are places of code that a device changes every fourth round, so that in
// between an engine has made something of it and linked it.
var seldom = []struct {
	name    string
	changed uint32 // the byte
	code    func(r *rig) []byte
}{
	{"next instruction", c1 + 3, func(*rig) []byte { return around(outAL, loadEDX(0)) }},
	{"fallen through to", c1 + 43, func(*rig) []byte { return around(outAL, nops(40), loadEDX(0)) }},
	{"fallen through to twice", c1 + 83, func(*rig) []byte { return around(outAL, nops(80), loadEDX(0)) }},
	{"behind a branch not taken", c1 + 7, func(*rig) []byte { return around(outAL, []byte{0x85, 0xc9, 0x74, 0xf8}, loadEDX(0)) }},
	{"behind a branch taken", c1 + 9, func(*rig) []byte { return around(outAL, []byte{0x85, 0xc9, 0x75, 2, 0x0f, 0x0b}, loadEDX(0)) }},
	{"in another page, called", smcOther + 1, func(r *rig) []byte { return function(r, smcOther) }},
	{"across pages, the second half", smcOther, func(r *rig) []byte { return function(r, smcAtEnd) }},
	{"across pages, the first half", smcAtEnd, func(r *rig) []byte { return function(r, smcAtEnd-1) }},
	{"jumped to in another page", smcOther + 1, func(r *rig) []byte {
		r.put(smcOther, cat(loadEDX(0), jumpTo(smcOther+5, c1+7))...)
		return around(outAL, jumpTo(c1+2, smcOther))
	}},
	{"jumped to by a register", smcOther + 1, func(r *rig) []byte {
		r.R[ebx] = smcOther
		r.put(smcOther, cat(loadEDX(0), jumpTo(smcOther+5, c1+4))...)
		return around(outAL, []byte{0xff, 0xe3})
	}},
	{"returned to", smcOther + 1, func(r *rig) []byte {
		r.put(smcOther, cat(loadEDX(0), jumpTo(smcOther+5, c1+8))...)
		return around(outAL, []byte{0x68}, imm32(smcOther), []byte{0xc3})
	}},
	{"a loop", c1 + 9, func(*rig) []byte { // mov esi, 3; mov edx, ...; dec esi; jnz
		return around(outAL, []byte{0x90, 0xbe, 3, 0, 0, 0}, loadEDX(0), []byte{0x4e, 0x75, 0xf8})
	}},
}

var outAL = []byte{0xe6, 0x80}

func nops(n int) []byte { return bytes.Repeat([]byte{0x90}, n) }

func function(r *rig, f uint32) []byte {
	r.put(f, cat(loadEDX(0), []byte{0xc3})...)
	return around(outAL, callTo(c1+2, f))
}

// TestChangedSeldom: what has been executed several times, and is linked to, is
// executed anew behind a change of it.
func TestChangedSeldom(t *testing.T) {
	for _, row := range seldom {
		for _, mode := range []string{"no paging", "paging", "PAE, ring 3"} {
			for _, slice := range []int{1 << 30, 50} {
				t.Run(fmt.Sprintf("%s/%s/%d", row.name, mode, slice), func(t *testing.T) {
					w := newTwins(t, func(r *rig) {
						r.setSelfModifying(selfModifying{code: row.code}, mode)
						r.ports.onOut = func(uint32) {
							if r.R[ecx]%4 == 0 {
								r.mem.Store(row.changed, []byte{byte(r.R[ecx])})
							}
						}
					})
					w.run(3000, slice)
					w.compareRAM()
					// The last change may be in the round that has just begun.
					rounds, got := w.tested.R[ecx], w.tested.R[edx]
					if rounds < 20 || got != rounds&0xfc && got != (rounds-1)&0xfc || w.tested.faults != nil {
						t.Errorf("%d rounds, EDX %d, delivered %s", rounds, got, w.tested.all())
					}
				})
			}
		}
	}
}

// TestSelfModifyingWays: each change of code is seen by the very next
// instruction that executes it, by whatever way it was made.
func TestSelfModifyingWays(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 15
	}
	for _, row := range selfModifyings {
		for _, mode := range []string{"no paging", "paging", "paging, ring 3", "PAE, ring 3"} {
			if row.paged && mode == "no paging" {
				continue
			}
			for _, slice := range []int{1 << 30, 7, 1} {
				t.Run(fmt.Sprintf("%s/%s/%d", row.name, mode, slice), func(t *testing.T) {
					w := newTwins(t, func(r *rig) { r.setSelfModifying(row, mode) })
					w.run(rounds*row.n, slice)
					w.compareRAM()
					if got := w.tested.R[eax]; got != uint32(rounds*(rounds+1)/2) {
						t.Errorf("EAX is %d after %d rounds, want %d", got, rounds, rounds*(rounds+1)/2)
					}
				})
			}
		}
	}
}

func (r *rig) setSelfModifying(row selfModifying, mode string) {
	var p *pages
	switch mode {
	case "paging", "paging, ring 3":
		p = r.paging32()
	case "PAE, ring 3":
		p = r.pagingPAE()
	}
	if p != nil {
		p.put(smcAlias, rigCode|7)
		p.put(smcAlias+0x1000, rigCode|7)
	}
	if mode != "no paging" && mode != "paging" {
		r.ring(3)
		r.flags(flagIOPL, 0)
	}
	fs := r.Seg[segDS]
	fs.Base = fsBase
	r.Seg[x86.FS] = fs
	r.CR4 |= cr4OSFXSR
	r.FPU.CW, r.FPU.Used = 0x37f, 0
	r.put(rigCode, row.code(r)...)
	r.Reload()
}

// TestOverdueStorm: a Run that is overdue ends soon, though all of the host's time
// goes into code that changes, and in one that is not every instruction retires.
func TestOverdueStorm(t *testing.T) {
	for _, overdue := range []bool{false, true} {
		r := newRig(t)
		asked := 0
		r.overdue = func() bool { asked++; return overdue }
		r.put(rigCode, around(onCode(c1, 0xfe, 0x05))...) // inc byte [], the next instruction's
		const count, round = 3000, 5
		start := r.Retired
		r.CPU.Run(count)
		if ran := r.Retired - start; overdue == (ran == count) || ran > 3*pauseWrites*round && overdue {
			t.Errorf("overdue %v: %d of %d instructions retired", overdue, ran, count)
		}
		if asked == 0 {
			t.Error("nobody asked")
		}
	}
}
