package amd64

// A reg is a host register by its number in ModRM, SIB and REX (SDM vol. 2A
// 2.2.1.2). The same numbers name XMM registers where the opcode says so.
type reg uint8

// The general registers.
const (
	rax reg = iota
	rcx
	rdx
	rbx
	rsp
	rbp
	rsi
	rdi
	r8
	r9
	r10
	r11
	r12
	r13
	r14
	r15
	none reg = 0xff // an absent base or index
)

// A loc is the r/m operand of an instruction: a register, or memory at
// base + index<<scale + disp in 64-bit arithmetic.
type loc struct {
	reg         reg // where inMem is false
	base, index reg
	scale       uint8
	inMem       bool
	disp        int32
}

func direct(r reg) loc { return loc{reg: r} }

func at(base reg, disp int32) loc { return loc{inMem: true, base: base, index: none, disp: disp} }

func indexed(base, index reg, scale uint8, disp int32) loc {
	return loc{inMem: true, base: base, index: index, scale: scale, disp: disp}
}

// Operand sizes as the encoder needs them.
type width uint8

const (
	w8  width = 1
	w16 width = 2
	w32 width = 4
	w64 width = 8
)

// asm appends machine code to b. Code is written to where it will run, less
// base: position p of b is going to be at code offset base+p.
type asm struct {
	b    []byte
	base uint32
}

// pos is the code offset of what comes next.
func (a *asm) pos() uint32 { return a.base + uint32(len(a.b)) }

func (a *asm) bytes(b ...byte) { a.b = append(a.b, b...) }

func (a *asm) u32(v uint32) {
	a.b = append(a.b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

// imm appends an immediate of an operand of w bytes: 1, 2 or 4 bytes,
// sign-extended by the processor where w is 8.
func (a *asm) imm(v uint32, w width) {
	switch w {
	case w8:
		a.bytes(byte(v))
	case w16:
		a.bytes(byte(v), byte(v>>8))
	default:
		a.u32(v)
	}
}

// op appends one instruction without its immediate. prefix is the mandatory
// prefix or 0, code the opcode with its escapes (0x89, 0x0FAF, 0x0F38F0), r
// the number in ModRM.reg: a register or an opcode extension. w chooses the
// prefix 66 or REX.W; it does not change the opcode.
func (a *asm) op(prefix uint8, w width, code uint32, r uint8, m loc) {
	if w == w16 {
		a.bytes(0x66)
	}
	if prefix != 0 {
		a.bytes(prefix)
	}
	rex := r >> 3 << 2
	if w == w64 {
		rex |= 8
	}
	if m.inMem {
		if m.base != none {
			rex |= uint8(m.base) >> 3
		}
		if m.index != none {
			rex |= uint8(m.index) >> 3 << 1
		}
	} else {
		rex |= uint8(m.reg) >> 3
	}
	if rex != 0 {
		a.bytes(0x40 | rex)
	}
	a.opcode(code)
	a.modRM(r, m)
}

func (a *asm) opcode(code uint32) {
	if code > 0xffff {
		a.bytes(byte(code >> 16))
	}
	if code > 0xff {
		a.bytes(byte(code >> 8))
	}
	a.bytes(byte(code))
}

// modRM appends ModRM, SIB and displacement (SDM vol. 2A tables 2-2 and 2-3).
func (a *asm) modRM(r uint8, m loc) {
	r = r & 7 << 3
	if !m.inMem {
		a.bytes(0xc0 | r | uint8(m.reg)&7)
		return
	}
	if m.base == none {
		i := uint8(4)
		if m.index != none {
			i = uint8(m.index) & 7
		}
		a.bytes(r|4, m.scale<<6|i<<3|5)
		a.u32(uint32(m.disp))
		return
	}
	mod := uint8(0x80)
	switch {
	case m.disp == 0 && m.base&7 != rbp:
		mod = 0
	case int32(int8(m.disp)) == m.disp:
		mod = 0x40
	}
	if m.index != none || m.base&7 == rsp {
		i := uint8(4)
		if m.index != none {
			i = uint8(m.index) & 7
		}
		a.bytes(mod|r|4, m.scale<<6|i<<3|uint8(m.base)&7)
	} else {
		a.bytes(mod | r | uint8(m.base)&7)
	}
	switch mod {
	case 0x40:
		a.bytes(byte(m.disp))
	case 0x80:
		a.u32(uint32(m.disp))
	}
}

// vex appends a VEX-encoded instruction of map 0F38 (m2) or 0F3A (m3) without
// its immediate: pp is 1 for 66, 2 for F3, 3 for F2; v the register in
// VEX.vvvv (SDM vol. 2A 2.3.5).
func (a *asm) vex(pp, mapNo uint8, w width, code, r, v uint8, m loc) {
	b1 := 0xe0 | mapNo // R, X, B are inverted
	if r&8 != 0 {
		b1 &^= 0x80
	}
	if m.inMem {
		if m.index != none && m.index&8 != 0 {
			b1 &^= 0x40
		}
		if m.base != none && m.base&8 != 0 {
			b1 &^= 0x20
		}
	} else if m.reg&8 != 0 {
		b1 &^= 0x20
	}
	b2 := ^v&15<<3 | pp
	if w == w64 {
		b2 |= 0x80
	}
	a.bytes(0xc4, b1, b2, code)
	a.modRM(r, m)
}

// Opcode numbers of the eight operations of the first ALU group.
const (
	aluADD = iota
	aluOR
	aluADC
	aluSBB
	aluAND
	aluSUB
	aluXOR
	aluCMP
)

// aluImm appends op m, v with the shortest immediate.
func (a *asm) aluImm(op uint8, w width, m loc, v int32) {
	switch {
	case w == w8:
		a.op(0, w, 0x80, op, m)
		a.bytes(byte(v))
	case int32(int8(v)) == v:
		a.op(0, w, 0x83, op, m)
		a.bytes(byte(v))
	default:
		a.op(0, w, 0x81, op, m)
		a.imm(uint32(v), w)
	}
}

// aluImmLong is aluImm of 32 bits with an immediate of 4 bytes, for code that is
// to have a fixed length.
func (a *asm) aluImmLong(op uint8, m loc, v int32) {
	a.op(0, w32, 0x81, op, m)
	a.u32(uint32(v))
}

// load is MOV r, m and store MOV m, r.
func (a *asm) load(w width, r reg, m loc) {
	if w == w8 {
		a.op(0, w, 0x8a, uint8(r), m)
		return
	}
	a.op(0, w, 0x8b, uint8(r), m)
}

func (a *asm) store(w width, m loc, r reg) {
	if w == w8 {
		a.op(0, w, 0x88, uint8(r), m)
		return
	}
	a.op(0, w, 0x89, uint8(r), m)
}

// movImm is MOV r32, v, which clears the upper half.
func (a *asm) movImm(r reg, v uint32) {
	if r >= r8 {
		a.bytes(0x41)
	}
	a.bytes(0xb8 | byte(r)&7)
	a.u32(v)
}

// lea is LEA r32, m: the address modulo 2^32.
func (a *asm) lea(r reg, m loc) { a.op(0, w32, 0x8d, uint8(r), m) }

// lea64 is LEA r64, m: the host's address.
func (a *asm) lea64(r reg, m loc) { a.op(0, w64, 0x8d, uint8(r), m) }

// leaRIP makes r the host's address of a code offset.
func (a *asm) leaRIP(r reg, to uint32) {
	a.bytes(0x48|byte(r)>>3<<2, 0x8d, byte(r)&7<<3|5)
	a.rel(to)
}

// jmp and jcc append a jump to a code offset.
func (a *asm) jmp(to uint32) {
	a.bytes(0xe9)
	a.rel(to)
}

func (a *asm) jcc(cond uint8, to uint32) {
	a.bytes(0x0f, 0x80|cond)
	a.rel(to)
}

func (a *asm) call(to uint32) {
	a.bytes(0xe8)
	a.rel(to)
}

func (a *asm) rel(to uint32) { a.u32(to - (a.pos() + 4)) }

// Condition codes (SDM vol. 1 appendix B).
const (
	condO  = 0
	condB  = 2
	condNB = 3
	condZ  = 4
	condNZ = 5
	condA  = 7
	condS  = 8
)

// rorx is RORX r32, m, n: a rotation that leaves the flags alone (BMI2).
func (a *asm) rorx(r reg, m loc, n uint8) {
	a.vex(3, 3, w32, 0xf0, uint8(r), 0, m)
	a.bytes(n)
}

// pext is PEXT r32, v, m: the bits of v under the mask m, packed (BMI2).
func (a *asm) pext(r, v reg, m loc) { a.vex(2, 2, w32, 0xf5, uint8(r), uint8(v), m) }
