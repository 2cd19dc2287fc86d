package cputest

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"math/rand/v2"

	"alpinevm/cpu/x86"
)

// generator makes one case. Its methods run in the order of make.
type generator struct {
	*rand.Rand
	row   *x86.FormRow
	n     int
	plain bool // operands from the pairs of edges, no prefixes that do not matter
	c     Case

	prefixes         []byte
	opSize, addrSize uint8
	seg              int // override, or -1
	rep              byte
	off              byte // added to the opcode: condition or register

	// The ModRM operand. Base and index are x86.NoReg where absent.
	modRM       byte
	mem         bool
	memArg      x86.Arg
	base, index uint8
	scale       uint8
	mod         byte
	disp        uint32
	target      uint32 // linear address of the operand
	shift       uint32 // added to the effective address by BT and its like
	memory      []byte // what to put there, nil for the default

	fixed [8]bool // registers whose value must stay
	quit  bool    // make another case
	imm   []byte
}

// Generate makes case n of a form for code slot slot. Equal arguments make
// equal cases. It says false where the form cannot be asked of silicon.
func Generate(seed uint64, mode x86.Mode, form x86.Form, n, slot int) (Case, bool) {
	row := &x86.Forms[form]
	if !asked(row) {
		return Case{}, false
	}
	if mode == x86.Mode16 {
		seed += 1 << 32
	}
	// Chance hangs on what the row says, not on where it stands in the table.
	h := fnv.New32a()
	io.WriteString(h, row.String())
	stream := uint64(h.Sum32())<<32 | uint64(n)
	for attempt := range uint64(100) {
		r := rand.New(rand.NewPCG(seed+attempt<<48, stream))
		g := &generator{Rand: r, row: row, n: n, plain: n < pairs, seg: -1, base: x86.NoReg, index: x86.NoReg}
		g.c.Form, g.c.Mode = form, mode
		g.c.Addr = CodeBase + uint32(slot)*CodeSlot + CodeAt
		if g.make() {
			return g.c, true
		}
	}
	return Case{}, false
}

// chance is true p times in 100, and never in a plain case.
func (g *generator) chance(p int) bool { return g.IntN(100) < p && !g.plain }

// pick returns one of list.
func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) make() bool {
	g.choosePrefixes()
	g.chooseModRM()
	for i := range g.c.R {
		g.c.R[i] = word(g.Rand, 4)
	}
	g.c.R[x86.ESP] = pageStack + 0x800 + uint32(g.IntN(16)) - g.c.dataBase()
	g.flags()
	fxState(g.Rand, g.row, &g.c.FX)
	g.operands()
	if f := setups[g.row.Op]; f != nil {
		f(g)
	}
	if g.mem {
		g.address()
	}
	g.assemble()
	var in x86.Inst
	res := x86.Decode(g.c.Code[:g.c.Len], g.c.Mode, &in)
	switch {
	case res == x86.Undefined:
		return in.Len == g.c.Len && !g.bad()
	case res != x86.OK || in.Form != g.c.Form || in.Len != g.c.Len:
		return false
	}
	return !g.bad()
}

// bad says that the case is outside the bounds of what engines take.
func (g *generator) bad() bool {
	n := 0
	for _, w := range g.c.Windows {
		n += len(w.Data)
	}
	return g.quit || len(g.c.Windows) > maxWindows || n > maxWindowData
}

func (g *generator) flags() {
	f := uint32(g.IntN(1<<12))&(x86.FlagsArith|x86.FlagDF) | 2 | x86.FlagIF
	if g.IntN(4) != 0 {
		f &^= x86.FlagDF
	}
	if g.chance(4) {
		f |= x86.FlagAC
	}
	if g.chance(4) {
		f |= x86.FlagNT
	}
	if g.chance(8) {
		f |= x86.FlagID
	}
	g.c.EFLAGS = f
}

// hasV says that the form has an operand of OpSize.
func (g *generator) hasV() bool {
	for _, a := range g.row.Args {
		if a.Size(2) != a.Size(4) || a == x86.RvMw || a == x86.Ibs || a == x86.Ap || a == x86.Jb {
			return true
		}
	}
	return opSized[g.row.Op]
}

// isString says that REP repeats the form.
func (g *generator) isString() bool {
	for _, a := range g.row.Args {
		switch a {
		case x86.Xb, x86.Xv, x86.Yb, x86.Yv:
			return true
		}
	}
	return false
}

func (g *generator) choosePrefixes() {
	row := g.row
	g.opSize, g.addrSize = 4, 4
	if g.c.Mode == x86.Mode16 {
		g.opSize, g.addrSize = 2, 2
	}
	var p []byte
	switch row.Prefix {
	case x86.P66:
		p = append(p, 0x66)
	case x86.PF3:
		p = append(p, 0xF3)
	case x86.PF2:
		p = append(p, 0xF2)
	}
	free := row.Prefix&(x86.NP|x86.P66) == x86.NP|x86.P66 // 66 selects no form
	mandatory := row.Prefix&(x86.NP|x86.P66) == 0         // F2 or F3 does, and 66 goes with it
	if free && (g.hasV() && g.IntN(3) == 0 || g.chance(3)) || mandatory && g.hasV() && g.IntN(3) == 0 {
		p = append(p, 0x66)
		g.opSize = 6 - g.opSize
	}
	hasMem := row.MemArg() >= 0 || g.isString() || addressSized[row.Op]
	if hasMem && g.chance(12) || g.chance(2) {
		p = append(p, 0x67)
		g.addrSize = 6 - g.addrSize
	}
	low := g.addrSize == 2 && g.c.Mode == x86.Mode32 // DS, ES and SS reach nothing
	if hasMem && g.chance(25) || g.chance(2) || low && g.chance(60) {
		g.seg = g.IntN(6)
		switch {
		case low:
			g.seg = pick(g, x86.FS, x86.FS, x86.FS, x86.GS, x86.SS)
		case g.c.Mode == x86.Mode16 && g.seg == x86.CS:
			g.seg = x86.GS
		}
		p = append(p, [6]byte{0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65}[g.seg])
	}
	if row.Prefix == x86.Any && !repMeans[row.Op] && (g.isString() && g.IntN(2) == 0 || g.chance(3)) {
		g.rep = pick(g, byte(0xF2), byte(0xF3))
		p = append(p, g.rep)
	}
	if row.Flags&x86.LockOK != 0 && g.chance(10) || !lockMeans[row.Op] && g.chance(1) {
		p = append(p, 0xF0)
	}
	g.Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
	g.prefixes = p
	g.off = byte(g.IntN(row.Span()))
	if row.Flags&x86.CC != 0 {
		g.off = byte(g.n & 15)
	}
}

// chooseModRM chooses the ModRM byte and the shape of the address.
func (g *generator) chooseModRM() {
	if i := g.row.MemArg(); i >= 0 {
		g.memArg = g.row.Args[i]
	}
	if g.memArg == x86.Ob || g.memArg == x86.Ov {
		g.mem = true
		return
	}
	if !g.row.HasModRM() {
		return
	}
	for try := 0; ; try++ {
		g.modRM = byte(g.Uint32())
		apart := g.modRM < 0xC0 || g.modRM>>3&7 != g.modRM&7
		if g.row.Sel.Match(g.modRM) && (apart || !g.plain || try > 100) {
			break
		}
	}
	g.mem = g.modRM < 0xC0 && g.memArg != x86.None
	if !g.mem {
		return
	}
	g.mod = g.modRM >> 6
	rm := g.modRM & 7
	if g.addrSize == 2 {
		pair := [8][2]uint8{{x86.EBX, x86.ESI}, {x86.EBX, x86.EDI}, {x86.EBP, x86.ESI}, {x86.EBP, x86.EDI},
			{x86.ESI, x86.NoReg}, {x86.EDI, x86.NoReg}, {x86.EBP, x86.NoReg}, {x86.EBX, x86.NoReg}}[rm]
		g.base, g.index = pair[0], pair[1]
		if g.mod == 0 && rm == 6 {
			g.base = x86.NoReg
		}
		return
	}
	g.base = rm
	if rm == 4 {
		g.base = uint8(g.IntN(8))
		g.index = uint8(g.IntN(8))
		g.scale = uint8(g.IntN(4))
		if g.index == x86.ESP {
			g.index = x86.NoReg
		}
	}
	if g.base == x86.EBP && g.mod == 0 {
		g.base = x86.NoReg
	}
}

// putReg sets a register operand of size bytes.
func (g *generator) putReg(n uint8, size int, v uint32) {
	r := &g.c.R[n&7]
	switch {
	case size == 4:
		*r = v
	case size == 2:
		*r = *r&0xFFFF0000 | v&0xFFFF
	case n < 4:
		*r = *r&0xFFFFFF00 | v&0xFF
	default:
		r = &g.c.R[n&3]
		n &= 3
		*r = *r&0xFFFF00FF | v&0xFF<<8
	}
	if g.plain {
		g.fixed[n&7] = true
	}
}

// value gives operand i of an integer instruction: one of the pair in a plain
// case, else any.
func (g *generator) value(i, size int) uint32 {
	if !g.plain || size > 4 {
		return word(g.Rand, size)
	}
	e := edges(size)
	if i == 0 {
		return e[g.n/12]
	}
	return e[g.n%12]
}

// operands gives values to registers and immediates; memory comes last.
func (g *generator) operands() {
	reg, rm := g.modRM>>3&7, g.modRM&7
	for i, a := range g.row.Args {
		size := a.Size(g.opSize)
		switch a {
		case x86.Eb, x86.Ew, x86.Ed, x86.Ev, x86.RvMw, x86.RdMw, x86.RdMb, x86.Rd, x86.Rv:
			if g.mem {
				g.putMemory(i, size)
			} else {
				if a == x86.RvMw {
					size = int(g.opSize)
				}
				g.putReg(rm, size, g.value(i, size))
			}
		case x86.Gb, x86.Gw, x86.Gd, x86.Gv:
			g.putReg(reg, size, g.value(i, size))
		case x86.Zb, x86.Zv:
			g.putReg(g.off, size, g.value(i, size))
		case x86.AL, x86.RAX, x86.AX:
			g.putReg(x86.EAX, size, g.value(i, size))
		case x86.CL:
			g.putReg(x86.ECX, 1, g.count())
		case x86.Ib:
			v := g.value(i, 1)
			if counts[g.row.Op] {
				v = g.count()
			}
			g.imm = append(g.imm, byte(v))
		case x86.Ibs:
			g.imm = append(g.imm, byte(g.value(i, 1)))
		case x86.Iw:
			g.imm = binary.LittleEndian.AppendUint16(g.imm, uint16(word(g.Rand, 2)))
		case x86.Iz:
			g.immediate(g.value(i, int(g.opSize)))
		case x86.Jb:
			g.imm = append(g.imm, 0) // assemble sets it
		case x86.Jz:
			g.immediate(0)
		case x86.Ap:
			g.immediate(g.branchTarget())
			g.imm = binary.LittleEndian.AppendUint16(g.imm, g.codeSelector())
		}
	}
}

// immediate appends an immediate of OpSize.
func (g *generator) immediate(v uint32) {
	if g.opSize == 2 {
		g.imm = binary.LittleEndian.AppendUint16(g.imm, uint16(v))
	} else {
		g.imm = binary.LittleEndian.AppendUint32(g.imm, v)
	}
}

// count is a shift count or a bit number.
func (g *generator) count() uint32 {
	if g.plain {
		return uint32(g.n % 36)
	}
	return uint32(g.IntN(256))
}

// putMemory gives the memory operand, argument i, an integer value.
func (g *generator) putMemory(i, size int) {
	v := g.value(i, size)
	g.memory = binary.LittleEndian.AppendUint32(nil, v)[:size]
}

// assemble writes the code.
func (g *generator) assemble() {
	b := append([]byte(nil), g.prefixes...)
	code := g.row.Code
	switch {
	case code > 0xFFFF:
		b = append(b, byte(code>>16), byte(code>>8))
	case code > 0xFF:
		b = append(b, byte(code>>8))
	}
	b = append(b, byte(code)+g.off)
	if g.row.HasModRM() {
		b = g.assembleModRM(b)
	} else if g.mem {
		b = binary.LittleEndian.AppendUint32(b, g.disp)[:len(b)+int(g.addrSize)]
	}
	at := len(b)
	b = append(b, g.imm...)
	if len(b) > x86.MaxLen {
		b = b[:x86.MaxLen]
	}
	g.c.Len = uint8(copy(g.c.Code[:], b))
	for _, a := range g.row.Args {
		switch a {
		case x86.Jb:
			g.c.Code[at] = byte(g.nearTarget())
		case x86.Jz:
			rel := g.branchTarget() - (g.c.eip() + uint32(g.c.Len))
			if g.opSize == 2 {
				binary.LittleEndian.PutUint16(g.c.Code[at:], uint16(rel))
			} else {
				binary.LittleEndian.PutUint32(g.c.Code[at:], rel)
			}
		}
	}
}

func (g *generator) assembleModRM(b []byte) []byte {
	if !g.mem {
		return append(b, g.modRM)
	}
	b = append(b, g.modRM&0x3F|g.mod<<6)
	rm := g.modRM & 7
	n := 0
	if g.addrSize == 4 && rm == 4 {
		index, base := g.index, g.base
		if index == x86.NoReg {
			index = x86.ESP
		}
		if base == x86.NoReg {
			base = x86.EBP
		}
		b = append(b, g.scale<<6|index<<3|base)
	}
	switch {
	case g.mod == 1:
		n = 1
	case g.mod == 2 || g.mod == 0 && g.base == x86.NoReg:
		n = int(g.addrSize)
	}
	return append(b, binary.LittleEndian.AppendUint32(nil, g.disp)[:n]...)
}
