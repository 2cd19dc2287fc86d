package jit

import (
	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

// Crossings of the border between CPL 3 and 0: programs call their kernel the same few
// ways all the time. Generated code remembers what the interpreter has found a way to
// lead to, and goes it again where the descriptors, which it reads, and the registers have
// not changed (SDM vol. 2A, INT n and IRET; vol. 2B, SYSENTER and SYSEXIT).

// Crossing is where one of the ways leads to.
type Crossing struct {
	// Key is what it is of: of CrossInt the vector and 1<<31, of CrossReturn the
	// selector of CS, and that of SS in the upper half, of the others IA32_SYSENTER_CS.
	// 0 is none.
	Key  uint32
	Keep uint32 // of CrossInt: the bits of EFLAGS that stay
	EIP  uint32 // of CrossInt: where the gate leads to
	Top  uint32 // of CrossInt: linear address of the stack of CPL 0 in the task-state segment
	// Descriptors of code, stack and gate, as they were.
	Raw   [3]uint64
	Lin   [3]uint32 // their linear addresses
	SS    uint32    // of CrossInt: the selector of the stack
	Code  cpu.Seg
	Stack cpu.Seg
}

// The ways, indexes of Context.Crossings.
const (
	CrossInt    = iota // INT n through an interrupt or trap gate
	CrossReturn        // IRET
	CrossEnter         // SYSENTER
	CrossExit          // SYSEXIT
	crossings
)

// checkCrossings forgets all where they may lead elsewhere.
func (t *Translator) checkCrossings() {
	c := t.cpu
	if t.idtr != c.IDTR || t.tr != c.Seg[cpu.TR] {
		t.idtr, t.tr = c.IDTR, c.Seg[cpu.TR]
		clear(t.mem.Crossings[:])
	}
}

// learnCrossing remembers where the interpreter has just gone, if it has, where generated
// code did not know the way.
func (t *Translator) learnCrossing(gone bool) {
	c, way := t.cpu, t.mem.Asked-1
	t.mem.Asked = 0
	if user, ok := c.Translatable(); !gone || !ok || user != (way == CrossReturn || way == CrossExit) || c.Traced() {
		return
	}
	x := Crossing{Code: c.Seg[x86.CS], Stack: c.Seg[x86.SS]}
	switch way {
	case CrossInt:
		if !t.learnGate(&x) {
			return
		}
	case CrossReturn:
		x.Key = uint32(x.Code.Sel) | uint32(x.Stack.Sel)<<16
	case CrossEnter, CrossExit:
		x.Key = c.SysenterCS
	}
	if way == CrossInt || way == CrossReturn {
		for i, sel := range [...]uint16{x.Code.Sel, x.Stack.Sel} {
			var ok bool
			if x.Lin[i], x.Raw[i], ok = c.Descriptor(sel); !ok {
				return
			}
			t.fill(cpu.HalfSystem, x.Lin[i])
		}
	}
	t.mem.Crossings[way] = x
}

// learnGate fills in what an INT n has gone through.
func (t *Translator) learnGate(x *Crossing) bool {
	const (
		interrupt, trap = 0xe, 0xf // 32-bit gates (SDM vol. 3A table 3-2)
		changes         = x86.FlagTF | x86.FlagNT | x86.FlagRF | x86.FlagVM
		inTSS           = 4 // where the task-state segment has ESP0; SS0 stands behind
	)
	c := t.cpu
	x.Key = t.mem.Vector
	x.Lin[2] = c.IDTR.Base + uint32(uint8(x.Key))*8
	x.Top = c.Seg[cpu.TR].Base + inTSS
	gate, ok := c.System64(x.Lin[2])
	top, known := c.System64(x.Top)
	x.Raw[2], x.EIP, x.SS = gate, c.EIP, uint32(uint16(top>>32))
	switch gate >> 40 & 0x1f {
	case interrupt:
		x.Keep = ^uint32(changes | x86.FlagIF)
	case trap:
		x.Keep = ^uint32(changes)
	default:
		return false
	}
	for _, lin := range [...]uint32{x.Lin[2], x.Top, c.R[x86.ESP]} {
		t.fill(cpu.HalfSystem, lin)
	}
	return ok && known && c.Seg[cpu.TR].Attr&tss32 != 0 && uint16(x.SS) == x.Stack.Sel
}

// tss32 is the bit of a task-state segment's type that says that it is one of 32 bits.
const tss32 = 1 << 3
