package cpu

import (
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/x86"
)

// The opcode table is the one truth about an instruction. These tests hold the
// engine to it: blocks are made by it alone, and no handler does what its row
// does not say.

// refusals are the cases in which the mode decides against the selector.
var refusals = []struct {
	name string
	when func(c *CPU, row *x86.FormRow, m Mode) bool
}{
	{"NoV86 in real and virtual-8086 mode", func(_ *CPU, row *x86.FormRow, m Mode) bool {
		return row.Flags&x86.NoV86 != 0 && m&ModeProtected == 0
	}},
	{"Priv outside CPL 0, but for MOVDR, which looks for #UD first", func(_ *CPU, row *x86.FormRow, m Mode) bool {
		return row.Flags&x86.Priv != 0 && m&ModeSystem == 0 && row.Op != x86.MOVDR
	}},
	{"a feature that CPUID does not show", func(c *CPU, row *x86.FormRow, _ Mode) bool {
		return c.random == nil && (row.Feat == x86.FeatureRDRAND || row.Feat == x86.FeatureRDSEED)
	}},
}

// The modes in which the table is tried.
var tableModes = []Mode{
	0,
	ModeSystem,
	ModeUser,
	ModeProtected | ModeSystem,
	ModeProtected | ModeUser,
	ModeProtected | ModeFlatCode | ModeCode32,
	ModeProtected | ModeSystem | ModeFlat | ModeFlatCode | ModeCode32 | ModeStack32,
	ModeProtected | ModeUser | ModeFlat | ModeFlatCode | ModeCode32 | ModeStack32,
}

// encodings hands out, for code of mode m, instructions of all forms, with
// addresses and immediates that are small.
func encodings(m Mode, yield func(code []byte, in *x86.Inst)) {
	tail := []byte{0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for _, pfx := range [][]byte{{}, {0x66}, {0xf3}, {0xf2}, {0x67}} {
		for _, esc := range [][]byte{{}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}} {
			for low := range 256 {
				for reg := range byte(8) {
					plain := false
					for _, b := range []byte{0x41, 0x84, 0xc0, 0xd1} {
						code := cat(pfx, esc, []byte{byte(low), b&^0x38 | reg<<3}, tail)
						var in x86.Inst
						if x86.Decode(code, m.decoding(), &in) != x86.OK {
							continue
						}
						if in.Row().HasModRM() && in.Row().Sel&0xff == 0 && reg%4 != 1 {
							continue // ModRM.reg is a register like others
						}
						yield(code, &in)
						if plain = !in.Row().HasModRM(); plain {
							break
						}
					}
					if plain {
						break
					}
				}
			}
		}
	}
}

// TestBlocksFollowTable: a block ends where the table says so, or where the mode
// refuses the instruction, and an instruction that is to be alone is.
func TestBlocksFollowTable(t *testing.T) {
	for _, random := range []bool{true, false} {
		r := newRig(t)
		if !random {
			r.withoutRandom()
		}
		for _, m := range tableModes {
			r.Mode = m
			r.Seg[segCS].Limit = 0xffffffff
			encodings(m, func(code []byte, in *x86.Inst) {
				refused := false
				for _, e := range refusals {
					refused = refused || e.when(r.CPU, in.Row(), m)
				}
				var o op
				tr := r.translate(in, &o, m, 0)
				if tr.refused != refused || o.fn == nil {
					t.Fatalf("mode %02x, % x: %v: refused %v, want %v", m, code, in.Row(), tr.refused, refused)
				}
				behind := cat(code[:in.Len], []byte{0x90, 0x90})
				if n, _ := r.build(behind, maxBlockOps); n == 1 != (refused || in.Ends()) {
					t.Fatalf("mode %02x, % x: %v: a block of %d, Ends %v", m, code, in.Row(), n, in.Ends())
				}
				before := cat([]byte{0x90}, code[:in.Len])
				if n, _ := r.build(before, maxBlockOps); n == 1 != in.Alone() {
					t.Fatalf("mode %02x, % x: %v: behind another one it makes a block of %d, Alone %v", m, code, in.Row(), n, in.Alone())
				}
			})
		}
	}
}

// countsLate are the mnemonics that ask for an exact count only on a rare path,
// so that they need not be alone: what they do is in their way.
var countsLate = map[x86.Op]string{
	x86.IRET:  "where NMIs are masked, and back from a task",
	x86.JMPF:  "to a task",
	x86.CALLF: "to a task",
	x86.INT:   "to a task",
	x86.INT3:  "to a task",
	x86.INT1:  "to a task",
	x86.INTO:  "to a task",
}

// TestTableTellsTheTruth executes every form from states that differ in nothing
// but flags that the form does not read, and holds what happens against its row.
func TestTableTellsTheTruth(t *testing.T) {
	const m = ModeProtected | ModeSystem | ModeFlat | ModeFlatCode | ModeCode32 | ModeStack32
	r := newRig(t)
	r.OnFault(nil) // a trace wants exact counts
	r.CR4 |= cr4OSFXSR | cr4OSXMMEXCPT
	r.CR0 &^= cr0NW | cr0CD
	r.Reload()
	start := r.State
	rnd := rand.New(rand.NewPCG(1, 2))
	encodings(m, func(code []byte, in *x86.Inst) {
		use := in.Flags()
		for round := range 2 {
			selectors := round == 1
			before := start
			for i := range 8 {
				before.R[i] = rigData + rnd.Uint32N(0x100)*rnd.Uint32N(2)
				switch {
				case in.Mem:
				case selectors:
					before.R[i] = selData16
				case rnd.IntN(2) == 0:
					before.R[i] = rnd.Uint32()
				}
			}
			before.R[ecx], before.R[edx] = rnd.Uint32N(4), rnd.Uint32N(0x200)
			before.R[esi], before.R[edi] = rigData+8, rigData+0x88
			before.R[esp], before.R[ebp] = rigStack0-0x100, rigStack0-0x80
			switch in.Op {
			case x86.BT, x86.BTS, x86.BTR, x86.BTC:
				before.R[in.Reg] &= 31 // a bit of the operand, not of a string around it
			case x86.XLAT:
				before.R[ebx] = rigData
			}
			flags := rnd.Uint32() & arithFlags
			other := flags ^ rnd.Uint32()&arithFlags&^use.Reads
			st, a := r.try(code, in, &before, flags, selectors)
			st2, b := r.try(code, in, &before, other, selectors)
			fail := func(format string, args ...any) {
				t.Helper()
				t.Errorf("% x: %v: "+format, append([]any{code[:in.Len], in.Row()}, args...)...)
			}
			if st != st2 {
				fail("it depends on flags %#x that it is not said to read", flags^other)
			}
			if st == faulted {
				if !in.MayFault() {
					fail("it raises %+v", a.Fault)
				}
				continue
			}
			fa, fb := a.EFLAGS(), b.EFLAGS()
			if (fa^flags|fb^other)&arithFlags&^use.Writes != 0 {
				fail("flags %#x become %#x, and %#x %#x; it is said to write %#x", flags, fa, other, fb, use.Writes)
			}
			if (fa^fb)&use.Kills != 0 {
				fail("flags %#x become %#x, and %#x %#x; it is said to kill %#x", flags, fa, other, fb, use.Kills)
			}
			if in.Op != x86.PUSHF && (a.R != b.R || a.EIP != b.EIP || a.FPU != b.FPU || a.Seg != b.Seg) {
				fail("what it does depends on flags %#x that it is not said to read", flags^other)
			}
			if t.Failed() {
				return
			}
		}
	})
}

// try executes one instruction in a block that goes on, and gives its status and
// the state afterwards. It checks what the row says of blocks. Memory may be made
// of selectors of a segment that is not flat.
func (r *rig) try(code []byte, in *x86.Inst, from *State, flags uint32, selectors bool) (status, *State) {
	r.t.Helper()
	run := func(n int) status {
		for _, at := range []uint64{0, rigData, rigData + rigData/8, 2 * rigData, rigStack0 - 0x300} {
			b, _ := r.mem.View(at, 0x400, true)
			for i := range b {
				b[i] = byte(i*i + i>>3)
				if selectors {
					b[i] = selData16 * byte(1-i&1)
				}
			}
		}
		r.State = *from
		r.SetEFLAGS(2 | flags)
		r.Reload()
		r.n, r.precise, r.retrying = n, n == 1, false
		var o op
		r.translate(in, &o, r.Mode, 0)
		return o.fn(r.CPU, &o)
	}
	mode, pending := r.Mode, r.Pending // of start
	st := run(2)
	stopped := r.stopped()
	if r.retrying {
		if _, late := countsLate[in.Op]; !in.Alone() && !late {
			r.t.Errorf("% x: %v wants an exact count and is not Alone", code, in.Row())
		}
		st = run(1)
	}
	if !in.Ends() && (st == jump || st == elsewhere || st == next && (stopped || r.Mode != mode || r.Pending != pending)) {
		r.t.Errorf("% x: %v ends its block (status %d, stopped %v, mode %02x, was %02x) and the table does not know", code, in.Row(), st, stopped, r.Mode, mode)
	}
	s := r.State
	r.State = *from
	r.Reload()
	return st, &s
}
