package cputest

import (
	"encoding/binary"
	"fmt"
	"strings"

	"alpinevm/cpu/x86"
)

// Engine runs cases. cases[i] must be made for code slot i, and there are at
// most Batch of them. An error means that the engine itself failed.
type Engine interface {
	Run(cases []Case, out []Outcome) error
}

// Diff returns what is different between two outcomes of a case, or "". What
// the manuals leave undefined, by the tables of undefined.go and differences.go, is not
// compared, as far as the host that want is of may be otherwise.
func Diff(c *Case, want, got *Outcome, h Host) string {
	var in x86.Inst
	var u undef
	if c.Taints != nil {
		u = c.tainted(want.EIP)
	} else {
		x86.Decode(c.Code[:c.Len], c.Mode, &in)
		u = undefined(c, &in, want, h)
	}
	if u.all {
		return ""
	}
	var b strings.Builder
	diff := func(name string, w, g uint64) {
		if w != g {
			fmt.Fprintf(&b, " %s %x, want %x;", name, g, w)
		}
	}
	either := u.cause || u.align && (want.Vector == vectorAC || got.Vector == vectorAC)
	if either && want.Vector != noVector && got.Vector != noVector {
		same := *got
		same.Vector, same.Code, same.CR2 = want.Vector, want.Code, want.CR2
		got = &same
	}
	diff("vector", uint64(want.Vector), uint64(got.Vector))
	if want.Vector == got.Vector {
		diff("error code", uint64(want.Code), uint64(got.Code))
		if !u.cr2 {
			diff("CR2", uint64(want.CR2), uint64(got.CR2))
		}
	}
	diff("EIP", uint64(want.EIP), uint64(got.EIP))
	if u.faults && want.Vector != noVector && want.Vector == got.Vector && want.EIP == c.eip() {
		for i := range c.R {
			diff(x86.RegName(uint8(i), 4), uint64(c.R[i]), uint64(got.R[i]))
		}
		return b.String()
	}
	for i := range want.R {
		m := ^u.regs[i]
		diff(x86.RegName(uint8(i), 4), uint64(want.R[i]&m), uint64(got.R[i]&m))
	}
	m := flagMask &^ u.flags
	diff("EFLAGS", uint64(want.EFLAGS&m), uint64(got.EFLAGS&m))
	for i := range want.Seg {
		diff(x86.SegName(uint8(i)), uint64(want.Seg[i]), uint64(got.Seg[i]))
	}
	diffFX(&b, &want.FX, &got.FX, &u)
	diffMemory(&b, c, want.Memory, got.Memory, &u)
	return b.String()
}

const vectorAC = 17

// flagMask leaves out RF: it is in the frame of a fault but not in the state
// that the child saves otherwise. The tests of package cpu look at it.
const flagMask = ^uint32(x86.FlagRF)

func diffFX(b *strings.Builder, want, got *[512]byte, u *undef) {
	le := binary.LittleEndian
	if string(want[:fxMask]) == string(got[:fxMask]) && string(want[fxST:fxRest]) == string(got[fxST:fxRest]) {
		return
	}
	diff := func(name string, w, g uint64) {
		if w != g {
			fmt.Fprintf(b, " %s %x, want %x;", name, g, w)
		}
	}
	u16 := func(name string, at int) { diff(name, uint64(le.Uint16(want[at:])), uint64(le.Uint16(got[at:]))) }
	u32 := func(name string, at int) { diff(name, uint64(le.Uint32(want[at:])), uint64(le.Uint32(got[at:]))) }
	if u.x87 {
		return
	}
	u16("CW", fxCW)
	diff("SW", uint64(le.Uint16(want[fxSW:])&^u.sw), uint64(le.Uint16(got[fxSW:])&^u.sw))
	diff("tags", uint64(want[fxTag]), uint64(got[fxTag]))
	if !u.fop {
		u16("FOP", fxFOP)
	}
	if !u.fip {
		u32("FIP", fxFIP)
	}
	if !u.fdp {
		u32("FDP", fxFDP)
	}
	u32("MXCSR", fxMXCSR)
	for i := range 8 {
		w, g := want[fxST+16*i:][:10], got[fxST+16*i:][:10]
		if string(w) != string(g) && u.st>>i&1 == 0 && !nearExtended(w, g, u.near80) {
			fmt.Fprintf(b, " ST%d %s, want %s;", i, text80(g), text80(w))
		}
	}
	for i := range 8 {
		w, g := want[fxXMM+16*i:][:16], got[fxXMM+16*i:][:16]
		if string(w) != string(g) && !(u.near12 && nearSingles(w, g)) && !sameNaNs(w, g, u.nans) {
			fmt.Fprintf(b, " XMM%d %016x:%016x, want %016x:%016x;", i, le.Uint64(g[8:]), le.Uint64(g), le.Uint64(w[8:]), le.Uint64(w))
		}
	}
}

func text80(b []byte) string {
	return fmt.Sprintf("%04x:%016x", binary.LittleEndian.Uint16(b[8:]), binary.LittleEndian.Uint64(b))
}

func diffMemory(b *strings.Builder, c *Case, want, got []byte, u *undef) {
	if string(want) == string(got) {
		return
	}
	i := 0
	for _, w := range c.Windows {
		for j := range w.Data {
			if i < len(want) && i < len(got) && want[i] != got[i] && !u.memory(w.Addr+uint32(j)) {
				fmt.Fprintf(b, " [%x] %02x, want %02x;", w.Addr+uint32(j), got[i], want[i])
			}
			i++
		}
	}
}

// Describe writes out a case for a failure report.
func (c *Case) Describe() string {
	le := binary.LittleEndian
	var b strings.Builder
	if c.Taints != nil {
		c.describeSequence(&b)
	} else {
		fmt.Fprintf(&b, "%v: % X\n", &x86.Forms[c.Form], c.Code[:c.Len])
	}
	fmt.Fprintf(&b, "  R %08x EFLAGS %x\n", c.R, c.EFLAGS)
	row := &x86.Forms[c.Form]
	if c.Taints == nil && usesX87(row) {
		fmt.Fprintf(&b, "  CW %04x SW %04x tags %02x", le.Uint16(c.FX[:]), le.Uint16(c.FX[2:]), c.FX[4])
		for i := range 8 {
			fmt.Fprintf(&b, " %s", text80(c.FX[fxST+16*i:]))
		}
		b.WriteByte('\n')
	}
	if c.Taints == nil && usesXMM(row) {
		fmt.Fprintf(&b, "  MXCSR %04x", le.Uint32(c.FX[fxMXCSR:]))
		for i := range 8 {
			fmt.Fprintf(&b, " %016x:%016x", le.Uint64(c.FX[fxXMM+16*i+8:]), le.Uint64(c.FX[fxXMM+16*i:]))
		}
		b.WriteByte('\n')
	}
	for _, w := range c.Windows {
		fmt.Fprintf(&b, "  [%08x] % x\n", w.Addr, w.Data)
	}
	return b.String()
}
