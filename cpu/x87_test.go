package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"alpinevm/cpu/softfloat"
	"alpinevm/cpu/x86"
)

// x87 values of the tests.
var (
	xZero = softfloat.F80{}
	xOne  = softfloat.One80
	xTwo  = softfloat.FromInt(2)
	xNeg  = softfloat.FromInt(-1)
	xDef  = softfloat.Indefinite80
	xInf  = softfloat.F80{Mant: 1 << 63, SE: 0x7fff}
	xTiny = softfloat.F80{Mant: 1}
	xQNaN = softfloat.F80{Mant: 0xc000000000000001, SE: 0x7fff}
	xSNaN = softfloat.F80{Mant: 0x8000000000000001, SE: 0x7fff}
	xHuge = softfloat.F80{Mant: 1 << 63, SE: 0x7ffe}
	// xEmpty is a value that no test computes.
	xEmpty = softfloat.F80{Mant: 0x0123456789abcdef, SE: 0x4321}
	xLeft  = softfloat.F80{Mant: 3 << 62, SE: 0xbfff} // -1.5
)

// newX87 makes a flat CPU after FNINIT with the given numbers on the stack, top
// first.
func newX87(tb testing.TB, cw uint16, stack ...softfloat.F80) *CPU {
	c := newFlat(tb, 4<<20, nil)
	c.CR0 |= cr0NE | cr0MP
	c.CR4 |= cr4OSFXSR
	c.setX87(cw, stack...)
	return c
}

func (c *CPU) setX87(cw uint16, stack ...softfloat.F80) {
	f := &c.FPU
	f.initialize()
	f.CW = cw&cwBits | cwFixed
	for i := range f.Mant { // what lies in empty registers
		f.Mant[i], f.SE[i] = xLeft.Mant, xLeft.SE
	}
	for i := len(stack) - 1; i >= 0; i-- {
		f.push(stack[i])
		if stack[i] == xEmpty {
			f.Used &^= 1 << f.st(0)
		}
	}
}

// stack lists the registers from the top on, as text: "-" is an empty one.
func (c *CPU) stack() (s []string) {
	for i := range uint8(8) {
		p := c.FPU.st(i)
		if c.FPU.empty(p) {
			s = append(s, "-")
		} else {
			s = append(s, fmt.Sprintf("%04x:%016x", c.FPU.SE[p], c.FPU.Mant[p]))
		}
	}
	return s
}

func listed(stack []softfloat.F80) (s []string) {
	for _, v := range stack {
		if v == xEmpty {
			s = append(s, "-")
		} else {
			s = append(s, fmt.Sprintf("%04x:%016x", v.SE, v.Mant))
		}
	}
	for len(s) < 8 {
		s = append(s, "-")
	}
	return s
}

// stackOf lists the stack, the top first; xEmpty stands for an empty register,
// and so do those that are left out.
type stackOf []softfloat.F80

var full = stackOf{xOne, xOne, xOne, xOne, xOne, xOne, xOne, xOne}

// mem32, mem64 and mem80 are memory operands.
func mem32(f float32) []byte {
	return binary.LittleEndian.AppendUint32(nil, math.Float32bits(f))
}

func mem64(f float64) []byte {
	return binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))
}

func mem80(v softfloat.F80) []byte {
	b := make([]byte, 10)
	putF80(b, v)
	return b
}

// x87Row is an instruction, what it finds and what it makes of it. A cw of 0 stands for
// FNINIT's.
type x87Row struct {
	name    string
	cw      uint16
	stack   stackOf
	code    []byte
	mem     []byte
	sw      uint16
	want    stackOf
	wantMem []byte
}

func (r *x87Row) test(t *testing.T) {
	cw := r.cw
	if cw == 0 {
		cw = 0x37f
	}
	c := newX87(t, cw, r.stack...)
	c.R[x86.EBX] = scratch
	mem := make([]byte, 16)
	for i := range mem {
		mem[i] = 0x55
	}
	copy(mem, r.mem)
	c.poke(t, mem)
	if st := c.execute1(t, r.code...); st != next {
		t.Fatalf("status %d, fault %d", st, c.Fault.Vector)
	}
	if sw := c.FPU.SW &^ fpuTOP; sw != r.sw {
		t.Errorf("SW %04x, want %04x", sw, r.sw)
	}
	want := listed(r.want)
	got := c.stack()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("ST(%d) is %s, want %s", i, got[i], want[i])
		}
	}
	copy(mem, r.wantMem)
	if got := c.at(16); string(got) != string(mem) {
		t.Errorf("memory % x, want % x", got, mem)
	}
}

// TestX87Rows: what single instructions make of stack, status word and memory.
// SW is given without TOP. Rows about masked and unmasked responses follow SDM
// vol. 1, 8.5; what the SDM leaves open was read off silicon.
func TestX87Rows(t *testing.T) {
	const (
		ie, de, ze, oe, ue, pe = 1, 2, 4, 8, 16, 32
		sf, es, c1             = fpuSF, fpuES | fpuB, fpuC1
		unordered              = fpuC0 | fpuC2 | fpuC3
	)
	ebx := []byte{0x03} // ModRM of [ebx] without reg
	op := func(opcode, reg byte) []byte { return []byte{opcode, ebx[0] | reg<<3} }
	rows := []x87Row{
		{name: "fadd st,st1", stack: stackOf{xOne, xTwo}, code: []byte{0xd8, 0xc1}, want: stackOf{softfloat.FromInt(3), xTwo}},
		{name: "faddp st1", stack: stackOf{xOne, xTwo}, code: []byte{0xde, 0xc1}, want: stackOf{softfloat.FromInt(3)}},
		{name: "fsub st1,st", stack: stackOf{xOne, xTwo}, code: []byte{0xdc, 0xe9}, want: stackOf{xOne, xOne}},
		{name: "fsubr st1,st", stack: stackOf{xOne, xTwo}, code: []byte{0xdc, 0xe1}, want: stackOf{xOne, xNeg}},
		{name: "fsub st,st1", stack: stackOf{xOne, xTwo}, code: []byte{0xd8, 0xe1}, want: stackOf{xNeg, xTwo}},
		{name: "fsubr st,st1", stack: stackOf{xOne, xTwo}, code: []byte{0xd8, 0xe9}, want: stackOf{xOne, xTwo}},
		{name: "fdivp st1", stack: stackOf{xTwo, softfloat.FromInt(6)}, code: []byte{0xde, 0xf9}, want: stackOf{softfloat.FromInt(3)}},
		{name: "fdivrp st1", stack: stackOf{softfloat.FromInt(6), xTwo}, code: []byte{0xde, 0xf1}, want: stackOf{softfloat.FromInt(3)}},
		{name: "fmul m32", stack: stackOf{xTwo}, code: op(0xd8, 1), mem: mem32(1.5), want: stackOf{softfloat.FromInt(3)}},
		{name: "fsubr m64", stack: stackOf{xTwo}, code: op(0xdc, 5), mem: mem64(1), want: stackOf{xNeg}},
		{name: "fidiv m16", stack: stackOf{softfloat.FromInt(-6)}, code: op(0xde, 6), mem: []byte{0xfd, 0xff}, want: stackOf{xTwo}},
		{name: "fiadd m32", stack: stackOf{xTwo}, code: op(0xda, 0), mem: []byte{0xff, 0xff, 0xff, 0xff}, want: stackOf{xOne}},
		{name: "fadd m32 denormal", stack: stackOf{xInf}, code: op(0xd8, 0), mem: mem32(1e-45), sw: de, want: stackOf{xInf}},
		{name: "fadd m32 denormal, NaN", stack: stackOf{xQNaN}, code: op(0xd8, 0), mem: mem32(1e-45), want: stackOf{xQNaN}},
		{name: "fdivr m32 denormal, zero", stack: stackOf{xZero}, code: op(0xd8, 7), mem: mem32(1e-45), sw: ze, want: stackOf{xInf}},
		{name: "fadd m64 denormal unmasked", cw: 0x37d, stack: stackOf{xOne}, code: op(0xdc, 0), mem: mem64(5e-324), sw: de | es, want: stackOf{xOne}},
		{name: "fdivp by zero unmasked", cw: 0x37b, stack: stackOf{xZero, xOne}, code: []byte{0xde, 0xf9}, sw: ze | es, want: stackOf{xZero, xOne}},
		{name: "fmulp overflow unmasked", cw: 0x377, stack: stackOf{xHuge, xHuge}, code: []byte{0xde, 0xc9}, sw: oe | es,
			want: stackOf{{Mant: 1 << 63, SE: 0x7ffe*2 - 0x3fff - 24576}}},
		{name: "fmul overflow", stack: stackOf{xHuge, xHuge}, code: []byte{0xd8, 0xc9}, sw: oe | pe | c1, want: stackOf{xInf, xHuge}},
		{name: "fadd underflow of the stack", stack: stackOf{xOne}, code: []byte{0xd8, 0xc1}, sw: ie | sf, want: stackOf{xDef}},
		{name: "faddp underflow of the stack", stack: stackOf{xOne}, code: []byte{0xde, 0xc1}, sw: ie | sf, want: stackOf{xDef}},
		{name: "fadd underflow of the stack, unmasked", cw: 0x37e, stack: stackOf{xOne}, code: []byte{0xd8, 0xc1}, sw: ie | sf | es, want: stackOf{xOne}},
		{name: "fadd m32 on an empty stack", code: op(0xd8, 0), mem: mem32(1), sw: ie | sf, want: stackOf{xDef}},

		{name: "fld m32", code: op(0xd9, 0), mem: mem32(-1), want: stackOf{xNeg}},
		{name: "fld m32 SNaN", code: op(0xd9, 0), mem: []byte{1, 0, 0x80, 0x7f}, sw: ie, want: stackOf{{Mant: 0xc000010000000000, SE: 0x7fff}}},
		{name: "fld m32 SNaN unmasked", cw: 0x37e, code: op(0xd9, 0), mem: []byte{1, 0, 0x80, 0x7f}, sw: ie | es},
		{name: "fld m64 denormal unmasked", cw: 0x37d, code: op(0xdd, 0), mem: mem64(5e-324), sw: de | es, want: stackOf{{Mant: 1 << 63, SE: 0x3fff - 1074}}},
		{name: "fld m80 SNaN", code: op(0xdb, 5), mem: mem80(xSNaN), want: stackOf{xSNaN}},
		{name: "fild m64", code: op(0xdf, 5), mem: []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, want: stackOf{{Mant: 1 << 63, SE: 0xc03e}}},
		{name: "fbld", code: op(0xdf, 4), mem: []byte{0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0x80}, want: stackOf{softfloat.FromInt(-10)}},
		{name: "fld st1", stack: stackOf{xOne, xTwo}, code: []byte{0xd9, 0xc1}, want: stackOf{xTwo, xOne, xTwo}},
		{name: "fld st of an empty register", stack: stackOf{xOne}, code: []byte{0xd9, 0xc1}, sw: ie | sf, want: stackOf{xDef, xOne}},
		{name: "fld on a full stack", stack: full, code: []byte{0xd9, 0xc1}, sw: ie | sf | c1, want: append(stackOf{xDef}, full[:7]...)},
		{name: "fld1 on a full stack, unmasked", cw: 0x37e, stack: full, code: []byte{0xd9, 0xe8}, sw: ie | sf | es | c1, want: full},
		{name: "fldpi down", cw: 0x77f, code: []byte{0xd9, 0xeb}, want: stackOf{{Mant: 0xc90fdaa22168c234, SE: 0x4000}}},

		{name: "fst m32", stack: stackOf{xNeg}, code: op(0xd9, 2), wantMem: mem32(-1), want: stackOf{xNeg}},
		{name: "fstp m64 inexact", stack: stackOf{{Mant: 1<<63 | 0x7ff, SE: 0x3fff}}, code: op(0xdd, 3), wantMem: mem64(1.0000000000000002), sw: pe | c1},
		{name: "fstp m64 overflow unmasked", cw: 0x377, stack: stackOf{xHuge}, code: op(0xdd, 3), sw: oe | es, want: stackOf{xHuge}},
		{name: "fstp m32 empty", code: op(0xd9, 3), wantMem: []byte{0, 0, 0xc0, 0xff}, sw: ie | sf},
		{name: "fstp m80", stack: stackOf{xSNaN}, code: op(0xdb, 7), wantMem: mem80(xSNaN)},
		{name: "fstp m80 empty, unmasked", cw: 0x37e, code: op(0xdb, 7), sw: ie | sf | es},
		{name: "fistp m16 out of range", stack: stackOf{softfloat.FromInt(40000)}, code: op(0xdf, 3), wantMem: []byte{0, 0x80}, sw: ie},
		{name: "fist m32 up", cw: 0xb7f, stack: stackOf{{Mant: 3 << 62, SE: 0x3fff}}, code: op(0xdb, 2), wantMem: []byte{2, 0, 0, 0}, sw: pe | c1,
			want: stackOf{{Mant: 3 << 62, SE: 0x3fff}}},
		{name: "fisttp m64", stack: stackOf{{Mant: 7 << 61, SE: 0xbfff}}, code: op(0xdd, 1), wantMem: []byte{255, 255, 255, 255, 255, 255, 255, 255}, sw: pe},
		{name: "fbstp", stack: stackOf{softfloat.FromInt(-1234)}, code: op(0xdf, 6), wantMem: []byte{0x34, 0x12, 0, 0, 0, 0, 0, 0, 0, 0x80}},
		{name: "fst st2", stack: stackOf{xOne}, code: []byte{0xdd, 0xd2}, want: stackOf{xOne, xEmpty, xOne}},
		{name: "fstp st1", stack: stackOf{xOne, xTwo}, code: []byte{0xdd, 0xd9}, want: stackOf{xOne}},
		{name: "fstp st0", stack: stackOf{xOne, xTwo}, code: []byte{0xdf, 0xd8}, want: stackOf{xTwo}},
		{name: "fstp1 of an empty register", stack: stackOf{xEmpty, xTwo, xOne}, code: []byte{0xd9, 0xda}, want: stackOf{xTwo, xOne}},
		{name: "fxch", stack: stackOf{xOne, xTwo}, code: []byte{0xd9, 0xc9}, want: stackOf{xTwo, xOne}},
		{name: "fxch with an empty register", stack: stackOf{xOne}, code: []byte{0xdd, 0xc9}, sw: ie | sf, want: stackOf{xDef, xOne}},
		{name: "fchs of a NaN", stack: stackOf{xSNaN}, code: []byte{0xd9, 0xe0}, want: stackOf{{Mant: xSNaN.Mant, SE: 0xffff}}},
		{name: "fabs", stack: stackOf{xNeg}, code: []byte{0xd9, 0xe1}, want: stackOf{xOne}},
		{name: "fcmove, no", stack: stackOf{xOne, xTwo}, code: []byte{0xda, 0xc9}, want: stackOf{xOne, xTwo}},
		{name: "fcmovne, yes", stack: stackOf{xOne, xTwo}, code: []byte{0xdb, 0xc9}, want: stackOf{xTwo, xTwo}},
		{name: "fcmove of an empty register", stack: stackOf{xOne}, code: []byte{0xda, 0xc9}, sw: ie | sf, want: stackOf{xDef}},

		{name: "fcom less", stack: stackOf{xOne, xTwo}, code: []byte{0xd8, 0xd1}, sw: fpuC0, want: stackOf{xOne, xTwo}},
		{name: "fcomp m32 equal", stack: stackOf{xOne}, code: op(0xd8, 3), mem: mem32(1), sw: fpuC3},
		{name: "fcompp greater", stack: stackOf{xTwo, xOne}, code: []byte{0xde, 0xd9}},
		{name: "fucompp QNaN", stack: stackOf{xTwo, xQNaN}, code: []byte{0xda, 0xe9}, sw: unordered},
		{name: "fcom QNaN", stack: stackOf{xTwo, xQNaN}, code: []byte{0xd8, 0xd1}, sw: unordered | ie, want: stackOf{xTwo, xQNaN}},
		{name: "fcomp unmasked", cw: 0x37e, stack: stackOf{xTwo, xQNaN}, code: []byte{0xd8, 0xd9}, sw: unordered | ie | es, want: stackOf{xTwo, xQNaN}},
		{name: "fcomp denormal unmasked", cw: 0x37d, stack: stackOf{xTiny, xOne}, code: []byte{0xd8, 0xd9}, sw: fpuC0 | de | es, want: stackOf{xTiny, xOne}},
		{name: "fcomp empty", stack: stackOf{xTwo}, code: []byte{0xd8, 0xd9}, sw: unordered | ie | sf},
		{name: "ficom m16", stack: stackOf{xTwo}, code: op(0xde, 2), mem: []byte{3, 0}, sw: fpuC0, want: stackOf{xTwo}},
		{name: "ftst", stack: stackOf{xNeg}, code: []byte{0xd9, 0xe4}, sw: fpuC0, want: stackOf{xNeg}},
		{name: "ftst denormal", stack: stackOf{xTiny}, code: []byte{0xd9, 0xe4}, sw: de, want: stackOf{xTiny}},
		{name: "fxam -1", stack: stackOf{xNeg}, code: []byte{0xd9, 0xe5}, sw: fpuC2 | c1, want: stackOf{xNeg}},
		{name: "fxam NaN", stack: stackOf{xQNaN}, code: []byte{0xd9, 0xe5}, sw: fpuC0, want: stackOf{xQNaN}},
		{name: "fxam inf", stack: stackOf{xInf}, code: []byte{0xd9, 0xe5}, sw: fpuC0 | fpuC2, want: stackOf{xInf}},
		{name: "fxam zero", stack: stackOf{xZero}, code: []byte{0xd9, 0xe5}, sw: fpuC3, want: stackOf{xZero}},
		{name: "fxam denormal", stack: stackOf{xTiny}, code: []byte{0xd9, 0xe5}, sw: fpuC3 | fpuC2, want: stackOf{xTiny}},
		{name: "fxam empty", code: []byte{0xd9, 0xe5}, sw: fpuC3 | fpuC0 | c1},

		{name: "fsqrt", stack: stackOf{softfloat.FromInt(9)}, code: []byte{0xd9, 0xfa}, want: stackOf{softfloat.FromInt(3)}},
		{name: "fsqrt of -1", stack: stackOf{xNeg}, code: []byte{0xd9, 0xfa}, sw: ie, want: stackOf{xDef}},
		{name: "fscale", stack: stackOf{xOne, xTwo}, code: []byte{0xd9, 0xfd}, want: stackOf{softfloat.FromInt(4), xTwo}},
		{name: "fyl2x", stack: stackOf{softfloat.FromInt(4), xOne}, code: []byte{0xd9, 0xf1}, sw: pe, want: stackOf{xTwo}},
		{name: "fpatan empty", stack: stackOf{xOne}, code: []byte{0xd9, 0xf3}, sw: ie | sf, want: stackOf{xDef}},
		{name: "fprem", stack: stackOf{softfloat.FromInt(23), softfloat.FromInt(4)}, code: []byte{0xd9, 0xf8}, sw: fpuC0 | c1,
			want: stackOf{softfloat.FromInt(3), softfloat.FromInt(4)}},
		{name: "fprem1", stack: stackOf{softfloat.FromInt(23), softfloat.FromInt(4)}, code: []byte{0xd9, 0xf5}, sw: fpuC3 | fpuC0, want: stackOf{xNeg, softfloat.FromInt(4)}},
		{name: "fprem partial", stack: stackOf{xHuge, xOne}, code: []byte{0xd9, 0xf8}, sw: fpuC2, want: stackOf{xZero, xOne}},
		{name: "fxtract", stack: stackOf{softfloat.FromInt(-6)}, code: []byte{0xd9, 0xf4}, want: stackOf{{Mant: 3 << 62, SE: 0xbfff}, xTwo}},
		{name: "fxtract of zero", stack: stackOf{xZero}, code: []byte{0xd9, 0xf4}, sw: ze, want: stackOf{xZero, {Mant: 1 << 63, SE: 0xffff}}},
		{name: "fxtract on a full stack", stack: full, code: []byte{0xd9, 0xf4}, sw: ie | sf | c1, want: append(stackOf{xDef, xDef}, full[:6]...)},
		{name: "fsincos", stack: stackOf{xZero}, code: []byte{0xd9, 0xfb}, want: stackOf{xOne, xZero}},
		{name: "fsincos empty", code: []byte{0xd9, 0xfb}, sw: ie | sf, want: stackOf{xDef, xDef}},
		{name: "fptan", stack: stackOf{xZero}, code: []byte{0xd9, 0xf2}, want: stackOf{xOne, xZero}},
		{name: "fptan of infinity", stack: stackOf{xInf}, code: []byte{0xd9, 0xf2}, sw: ie, want: stackOf{xDef, xDef}},
		{name: "fptan out of range", stack: stackOf{xHuge}, code: []byte{0xd9, 0xf2}, sw: fpuC2, want: stackOf{xHuge}},
		{name: "fsin out of range", stack: stackOf{xHuge}, code: []byte{0xd9, 0xfe}, sw: fpuC2, want: stackOf{xHuge}},

		{name: "ffree", stack: stackOf{xOne}, code: []byte{0xdd, 0xc0}},
		{name: "ffreep st1", stack: stackOf{xOne, xTwo, xTwo}, code: []byte{0xdf, 0xc1}, want: stackOf{xEmpty, xTwo}},
		{name: "fincstp", stack: stackOf{xOne}, code: []byte{0xd9, 0xf7}, want: stackOf{xEmpty, xEmpty, xEmpty, xEmpty, xEmpty, xEmpty, xEmpty, xOne}},
	}
	for _, r := range rows {
		t.Run(r.name, r.test)
	}
}
