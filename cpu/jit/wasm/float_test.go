package wasm_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"alpinevm/cpu/jit/wasm"
)

// edges64 are doubles at which something changes, edges32 singles.
var edges64 = []uint64{
	0, 1 << 63, math.Float64bits(1), math.Float64bits(-1), math.Float64bits(1.5), math.Float64bits(-2.5), math.Float64bits(3), math.Float64bits(1.0 / 3),
	1, 1<<52 - 1, 1 << 52, 1<<52 | 1<<63, 1<<52 + 1, 2 << 52, // around the least normal number
	0x7fe << 52, 0x7fefffffffffffff, 0xffefffffffffffff, 0x7ff << 52, 0xfff << 52, // the largest, infinities
	0x7ff8000000000000, 0xfff0000000000001, // quiet, signaling
	math.Float64bits(1<<31 - 1), math.Float64bits(1<<31 - 0.5), math.Float64bits(-1 << 31), math.Float64bits(1 << 31), math.Float64bits(0.5), math.Float64bits(2147483647.25),
	math.Float64bits(0x1p-126), math.Float64bits(0x1.fffffffp-127), math.Float64bits(0x1p-150), math.Float64bits(math.MaxFloat32), math.Float64bits(0x1.fffffffp127), math.Float64bits(0x1p-600), math.Float64bits(0x1p600),
	math.Float64bits(1 - 0x1p-53), // times the least normal number is that, and was less
}

var edges32 = func() (e []uint32) {
	for _, f := range []float32{0, 1, -1, 1.5, -2.5, 3, 1.0 / 3, 0x1p-126, 0x1p-149, 0x1.8p-127, 0x1p-125, -0x1p-126, math.MaxFloat32, -math.MaxFloat32, 1 << 31, -1 << 31, 0x1.fffffep30, 0.5, 0x1p-80, 0x1p80, 16777215, 33554433, 1 - 0x1p-24} {
		e = append(e, math.Float32bits(f))
	}
	return append(e, 1<<31, 0x7f800000, 0xff800000, 0x7fc00000, 0xff800001)
}()

// operandPairs are pairs of vectors: for every two edges one with those in the lowest
// lanes, and some of chance.
func operandPairs(double bool) (b []byte) {
	r := rand.New(rand.NewPCG(5, 6))
	n := len(edges32)
	if double {
		n = len(edges64)
	}
	lane := func(i int) {
		switch {
		case double && i < 0:
			b = binary.LittleEndian.AppendUint64(b, r.Uint64()&^(1<<62)|1<<61)
		case double:
			b = binary.LittleEndian.AppendUint64(b, edges64[i])
		case i < 0:
			b = binary.LittleEndian.AppendUint32(b, r.Uint32()&^(1<<30)|1<<29)
		default:
			b = binary.LittleEndian.AppendUint32(b, edges32[i])
		}
	}
	more := 3
	if double {
		more = 1
	}
	for i := -1; i < n; i++ {
		for j := -1; j < n; j++ {
			for _, first := range []int{i, j} {
				lane(first)
				for range more { // now and then an edge in the others as well
					lane(max(r.IntN(4*n)-3*n, -1))
				}
			}
		}
	}
	return b
}

// floatOps are instructions on XMM0 and the vector at ESI+16.
func floatOps() map[string][]byte {
	ops := map[string][]byte{}
	prefixes := []struct {
		name   string
		prefix []byte
	}{{"PS", nil}, {"PD", []byte{0x66}}, {"SS", []byte{0xf3}}, {"SD", []byte{0xf2}}}
	add := func(name string, prefix []byte, rest ...byte) {
		code := append(append(append([]byte{}, prefix...), 0x0f), rest...)
		ops[name+" memory"] = append(code[:len(code):len(code)], 0x46, 16)
		ops[name+" register"] = append([]byte{0x0f, 0x10, 0x4e, 16}, append(code[:len(code):len(code)], 0xc1)...) // movups xmm1, [esi+16]
	}
	for _, p := range prefixes {
		for op, name := range map[byte]string{0x51: "SQRT", 0x58: "ADD", 0x59: "MUL", 0x5a: "CVT 5A ", 0x5c: "SUB", 0x5d: "MIN", 0x5e: "DIV", 0x5f: "MAX"} {
			add(name+p.name, p.prefix, op)
		}
		if p.name == "SS" || p.name == "SD" {
			for op, name := range map[byte]string{0x2a: "CVTSI2", 0x2c: "CVTT2SI", 0x2d: "CVT2SI"} {
				add(name+p.name, p.prefix, op)
			}
		} else {
			add("UCOMI"+p.name, p.prefix, 0x2e)
			add("COMI"+p.name, p.prefix, 0x2f)
		}
		if p.name != "PS" {
			add("CVT E6 "+p.name, p.prefix, 0xe6)
		}
		if p.name != "SD" {
			add("CVT 5B "+p.name, p.prefix, 0x5b)
		}
		for pred := range byte(8) {
			name := fmt.Sprintf("CMP%s %d", p.name, pred)
			add(name, p.prefix, 0xc2)
			for _, kind := range []string{" memory", " register"} {
				ops[name+kind] = append(ops[name+kind], pred)
			}
		}
	}
	for prefix, name := range map[byte]string{0x66: "PD", 0xf2: "PS"} {
		add("HADD"+name, []byte{prefix}, 0x7c)
		add("HSUB"+name, []byte{prefix}, 0x7d)
	}
	delete(ops, "CVT E6 SS memory") // CVTDQ2PD of any bits: its operand is no double
	return ops
}

// TestFloats: what generated code does with floating point gives the interpreter's
// results, flags and MXCSR, for all kinds of operands, whatever MXCSR was.
func TestFloats(t *testing.T) {
	doubles, singles := operandPairs(true), operandPairs(false)
	const table = 0x10000 // 32 bytes of operands, and 32 of what comes out
	for name, op := range floatOps() {
		for i, mxcsr := range []uint16{0x1fa0, 0x1f80, 0x7fa0, 0x9fa0, 0x1fe0, 0x3fbf, 0x0fa0} {
			if i > 0 && strings.HasSuffix(name, "register") {
				continue
			}
			pairs := singles
			if op[0] == 0x66 || op[0] == 0xf2 || len(op) > 4 && (op[4] == 0x66 || op[4] == 0xf2) {
				pairs = doubles
			}
			code := []byte{0x0f, 0xae, 0x15, 0, 0x50, 0, 0, 0xeb, 0, 0x0f, 0x10, 0x06} // ldmxcsr [5000h]; jmp next; movups xmm0, [esi]
			code = append(code, op...)
			code = append(code,
				0x9c, 0x8f, 0x46, 0x34, // pushf; pop [esi+34h]
				0x0f, 0x11, 0x46, 0x20, // movups [esi+20h], xmm0
				0x89, 0x46, 0x38, // mov [esi+38h], eax
				0x0f, 0xae, 0x5e, 0x30, // stmxcsr [esi+30h]
				0x83, 0xc6, 0x40, // add esi, 40h
			)
			code = append(code, 0x49, 0x75, byte(-len(code)-3), 0xeb, 0xfe) // dec ecx; jnz the first
			var got [2]*guest
			for i, cfg := range []*wasm.Config{{Eager: true, Regions: 1}, nil} {
				g := newGuest(t, code, false, cfg)
				g.c.CR4 |= 1<<9 | 1<<10 // OSFXSR, OSXMMEXCPT
				n := len(pairs) / 32
				for k := range n {
					g.write(table+0x40*int64(k), pairs[32*k:32*k+32]...)
				}
				g.write(0x5000, byte(mxcsr), byte(mxcsr>>8))
				g.c.R[6], g.c.R[1] = table, uint32(n)
				g.c.Run(16 * n)
				got[i] = g
			}
			g, want := got[0], got[1]
			// LDMXCSR and STMXCSR are the interpreter's.
			if n := uint64(len(pairs) / 32); mxcsr == 0x1fa0 && g.tr.Stats.Inst >= 3*n {
				t.Errorf("%s: %d instructions left to the interpreter for %d operands", name, g.tr.Stats.Inst, n)
			}
			if g.ram() == want.ram() && g.c.FPU == want.c.FPU && g.c.R == want.c.R && g.c.EIP == want.c.EIP {
				continue
			}
			for k := range len(pairs) / 32 {
				at := table + 0x40*k
				if a, b := g.ram()[at:at+0x40], want.ram()[at:at+0x40]; a != b {
					t.Errorf("%s, MXCSR %#x, operands %x: %x, want %x", name, mxcsr, a[:32], a[32:], b[32:])
					break
				}
			}
		}
	}
}
