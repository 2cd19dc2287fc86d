package cpu

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"alpinevm/cpu/x86"
)

type xmm = [2]uint64

// moveRows is every move of XMM registers: what the register form, the load and
// the store make of destination and source. nil: there is no such form.
var moveRows = []struct {
	op        x86.Op
	reg, load func(d, s xmm) xmm
	store     func(m, s xmm) xmm
}{
	{x86.MOVAPS, entire, entire, entire}, {x86.MOVAPD, entire, entire, entire}, {x86.MOVDQA, entire, entire, entire},
	{x86.MOVUPS, entire, entire, entire}, {x86.MOVUPD, entire, entire, entire}, {x86.MOVDQU, entire, entire, entire},
	{x86.LDDQU, nil, entire, nil},
	{x86.MOVNTPS, nil, nil, entire}, {x86.MOVNTPD, nil, nil, entire}, {x86.MOVNTDQ, nil, nil, entire},
	{x86.MOVSS, mergeSingle, clearSingle, mergeSingle},
	{x86.MOVSD, mergeLow, clearHigh, mergeLow},
	{x86.MOVLPS, nil, mergeLow, mergeLow}, {x86.MOVLPD, nil, mergeLow, mergeLow},
	{x86.MOVHPS, nil, toHigh, fromHigh}, {x86.MOVHPD, nil, toHigh, fromHigh},
	{x86.MOVHLPS, fromHigh, nil, nil}, {x86.MOVLHPS, toHigh, nil, nil},
	{x86.MOVDDUP, double, double, nil},
	{x86.MOVSLDUP, evenLanes, evenLanes, nil}, {x86.MOVSHDUP, oddLanes, oddLanes, nil},
	{x86.MOVQ, clearHigh, clearHigh, mergeLow},
}

func entire(_, s xmm) xmm      { return s }
func mergeSingle(d, s xmm) xmm { return xmm{d[0]>>32<<32 | s[0]<<32>>32, d[1]} }
func clearSingle(_, s xmm) xmm { return xmm{s[0] << 32 >> 32, 0} }
func mergeLow(d, s xmm) xmm    { return xmm{s[0], d[1]} }
func clearHigh(_, s xmm) xmm   { return xmm{s[0], 0} }
func toHigh(d, s xmm) xmm      { return xmm{d[0], s[0]} }
func fromHigh(d, s xmm) xmm    { return xmm{s[1], d[1]} }
func double(_, s xmm) xmm      { return xmm{s[0], s[0]} }
func evenLanes(_, s xmm) xmm {
	return xmm{s[0]<<32>>32 | s[0]<<32, s[1]<<32>>32 | s[1]<<32}
}
func oddLanes(_, s xmm) xmm {
	return xmm{s[0]>>32 | s[0]>>32<<32, s[1]>>32 | s[1]>>32<<32}
}

func TestMoves(t *testing.T) {
	c := newSSE(t)
	r := rand.New(rand.NewPCG(5, 6))
	ran := map[string]bool{}
	for _, row := range moveRows {
		for _, f := range formsOf(row.op) {
			if f.Args[0].MMX() || f.Args[1].MMX() {
				continue
			}
			for i := range c.FPU.XMM {
				c.FPU.XMM[i] = to128(operand16(r))
			}
			m := to128(operand16(r))
			store := f.Args[0].Memory()
			for _, mem := range []bool{false, true} {
				if !takes(f, mem) {
					continue
				}
				c.poke(t, bytes128(m))
				want, wantMem := c.FPU, m
				switch {
				case mem && store:
					wantMem = row.store(m, want.XMM[1])
				case mem:
					want.XMM[1] = row.load(want.XMM[1], m)
				case store:
					want.XMM[2] = row.reg(want.XMM[2], want.XMM[1])
				default:
					want.XMM[1] = row.reg(want.XMM[1], want.XMM[2])
				}
				if st := c.execute1(t, encode(f, 1, 2, mem, 0)...); st != next {
					t.Errorf("%v: status %d, fault %+v", f, st, c.Fault)
				}
				if got := to128(c.at(16)); c.FPU != want || got != wantMem {
					t.Errorf("%v, memory %v:\n got  %x %x\n want %x %x", f, mem, c.FPU.XMM, got, want.XMM, wantMem)
				}
				ran[row.op.String()] = true
			}
		}
	}
	if len(ran) != len(moveRows) {
		t.Errorf("%d mnemonics ran, want %d", len(ran), len(moveRows))
	}
}

// TestSmallMoves checks what moves between register files.
func TestSmallMoves(t *testing.T) {
	const (
		a = 0x8877665544332291
		b = 0xf0e0d0c0b0a09080
	)
	for _, row := range []struct {
		name string
		code []byte
		want func(f *FPU, r *[16]uint32, m *xmm)
	}{
		{"movd xmm1, edx", []byte{0x66, 0x0f, 0x6e, 0xca}, func(f *FPU, r *[16]uint32, _ *xmm) { f.XMM[1] = xmm{uint64(r[edx])} }},
		{"movd edx, xmm1", []byte{0x66, 0x0f, 0x7e, 0xca}, func(f *FPU, r *[16]uint32, _ *xmm) { r[edx] = 0x44332291 }},
		{"movd xmm1, [esi]", []byte{0x66, 0x0f, 0x6e, 0x0e}, func(f *FPU, _ *[16]uint32, m *xmm) { f.XMM[1] = xmm{m[0] & 0xffffffff} }},
		{"movd [esi], xmm1", []byte{0x66, 0x0f, 0x7e, 0x0e}, func(f *FPU, _ *[16]uint32, m *xmm) { m[0] = m[0]>>32<<32 | 0x44332291 }},
		{"movd mm1, edx", []byte{0x0f, 0x6e, 0xca}, func(f *FPU, r *[16]uint32, _ *xmm) { f.mmx(1, uint64(r[edx])) }},
		{"movd edx, mm1", []byte{0x0f, 0x7e, 0xca}, func(f *FPU, r *[16]uint32, _ *xmm) { f.entered(); r[edx] = uint32(f.Mant[1]) }},
		{"movd mm1, [esi]", []byte{0x0f, 0x6e, 0x0e}, func(f *FPU, _ *[16]uint32, m *xmm) { f.mmx(1, m[0]&0xffffffff) }},
		{"movd [esi], mm1", []byte{0x0f, 0x7e, 0x0e}, func(f *FPU, _ *[16]uint32, m *xmm) { f.entered(); m[0] = m[0]>>32<<32 | f.Mant[1]<<32>>32 }},
		{"movq mm1, mm2", []byte{0x0f, 0x6f, 0xca}, func(f *FPU, _ *[16]uint32, _ *xmm) { f.mmx(1, f.Mant[2]) }},
		{"movq mm2, mm1", []byte{0x0f, 0x7f, 0xca}, func(f *FPU, _ *[16]uint32, _ *xmm) { f.mmx(2, f.Mant[1]) }},
		{"movq mm1, [esi]", []byte{0x0f, 0x6f, 0x0e}, func(f *FPU, _ *[16]uint32, m *xmm) { f.mmx(1, m[0]) }},
		{"movq [esi], mm1", []byte{0x0f, 0x7f, 0x0e}, func(f *FPU, _ *[16]uint32, m *xmm) { f.entered(); m[0] = f.Mant[1] }},
		{"movntq [esi], mm1", []byte{0x0f, 0xe7, 0x0e}, func(f *FPU, _ *[16]uint32, m *xmm) { f.entered(); m[0] = f.Mant[1] }},
		{"movnti [esi], edx", []byte{0x0f, 0xc3, 0x16}, func(_ *FPU, r *[16]uint32, m *xmm) { m[0] = m[0]>>32<<32 | uint64(r[edx]) }},
		{"movq2dq xmm1, mm2", []byte{0xf3, 0x0f, 0xd6, 0xca}, func(f *FPU, _ *[16]uint32, _ *xmm) { f.entered(); f.XMM[1] = xmm{f.Mant[2], 0} }},
		{"movdq2q mm1, xmm2", []byte{0xf2, 0x0f, 0xd6, 0xca}, func(f *FPU, _ *[16]uint32, _ *xmm) { f.mmx(1, f.XMM[2][0]) }},
		{"movmskps edx, xmm1", []byte{0x0f, 0x50, 0xd1}, func(_ *FPU, r *[16]uint32, _ *xmm) { r[edx] = 0b1110 }},
		{"movmskpd edx, xmm1", []byte{0x66, 0x0f, 0x50, 0xd1}, func(_ *FPU, r *[16]uint32, _ *xmm) { r[edx] = 0b11 }},
		{"pmovmskb edx, xmm1", []byte{0x66, 0x0f, 0xd7, 0xd1}, func(_ *FPU, r *[16]uint32, _ *xmm) { r[edx] = 0xff81 }},
		{"pmovmskb edx, mm3", []byte{0x0f, 0xd7, 0xd3}, func(f *FPU, r *[16]uint32, _ *xmm) { f.entered(); r[edx] = 0x5a }},
		{"pextrw edx, xmm1, 13", []byte{0x66, 0x0f, 0xc5, 0xd1, 13}, func(_ *FPU, r *[16]uint32, _ *xmm) { r[edx] = 0xb0a0 }},
		{"pextrw edx, mm3, 7", []byte{0x0f, 0xc5, 0xd3, 7}, func(f *FPU, r *[16]uint32, _ *xmm) { f.entered(); r[edx] = 0x0080 }},
		{"pinsrw xmm1, edx, 6", []byte{0x66, 0x0f, 0xc4, 0xca, 6}, func(f *FPU, _ *[16]uint32, _ *xmm) { f.XMM[1][1] = 0xf0e0cdefb0a09080 }},
		{"pinsrw xmm1, [esi], 8", []byte{0x66, 0x0f, 0xc4, 0x0e, 8}, func(f *FPU, _ *[16]uint32, m *xmm) { f.XMM[1][0] = a>>16<<16 | m[0]&0xffff }},
		{"pinsrw mm3, edx, 5", []byte{0x0f, 0xc4, 0xda, 5}, func(f *FPU, _ *[16]uint32, _ *xmm) { f.mmx(3, 0x00800080cdef8000) }},
		{"emms", []byte{0x0f, 0x77}, func(f *FPU, _ *[16]uint32, _ *xmm) { f.SW, f.Used = f.SW&^fpuTOP, 0 }},
		{"sfence", []byte{0x0f, 0xae, 0xf8}, func(*FPU, *[16]uint32, *xmm) {}},
		{"mfence", []byte{0x0f, 0xae, 0xf0}, func(*FPU, *[16]uint32, *xmm) {}},
		{"lfence", []byte{0x0f, 0xae, 0xe8}, func(*FPU, *[16]uint32, *xmm) {}},
		{"prefetcht0 [eax]", []byte{0x0f, 0x18, 0x08}, func(*FPU, *[16]uint32, *xmm) {}},
		{"clflush [esi]", []byte{0x0f, 0xae, 0x3e}, func(*FPU, *[16]uint32, *xmm) {}},
		{"ldmxcsr [esi+8]", []byte{0x0f, 0xae, 0x56, 8}, func(f *FPU, _ *[16]uint32, m *xmm) { f.MXCSR = 0xffbf }},
		{"stmxcsr [esi]", []byte{0x0f, 0xae, 0x1e}, func(f *FPU, _ *[16]uint32, m *xmm) { m[0] = m[0]>>32<<32 | 0x1f80 }},
	} {
		c := newSSE(t)
		m := xmm{0x1122334455667788, 0x0000ffbf}
		c.poke(t, bytes128(m))
		c.R[edx], c.R[esi], c.R[eax] = 0x89abcdef, scratch, 0xfffffff0
		c.FPU.XMM[1], c.FPU.XMM[2] = xmm{a, b}, xmm{b, a}
		c.FPU.Mant[1], c.FPU.Mant[2], c.FPU.Mant[3] = a, b, 0x0080008080008000
		c.FPU.SW, c.FPU.Used = 5<<11|0x4100, 0x18
		f, r := c.FPU, c.R
		row.want(&f, &r, &m)
		if st := c.execute1(t, row.code...); st != next {
			t.Errorf("%s: status %d, fault %+v", row.name, st, c.Fault)
		}
		if got := to128(c.at(16)); c.FPU != f || c.R != r || got != m {
			t.Errorf("%s:\n got  %x %x %x\n want %x %x %x", row.name, c.FPU, c.R, got, f, r, m)
		}
	}
}

// entered is what an MMX instruction does to the state beside its result, mmx
// what it does when it writes register i.
func (f *FPU) entered() { f.SW, f.Used = f.SW&^(7<<11), 0xff }

func (f *FPU) mmx(i int, v uint64) {
	f.entered()
	f.Mant[i], f.SE[i] = v, 0xffff
}

// simdForms is every form that needs MMX or SSE enabled.
func simdForms() (rows []*x86.FormRow) {
	for i := range x86.Forms {
		if f := &x86.Forms[i]; needsXMM(f) || needsMMX(f) {
			rows = append(rows, f)
		}
	}
	return rows
}

func needsXMM(f *x86.FormRow) bool {
	return f.Args[0].XMM() || f.Args[1].XMM() || f.Op == x86.LDMXCSR || f.Op == x86.STMXCSR
}

func needsMMX(f *x86.FormRow) bool { return f.Args[0].MMX() || f.Args[1].MMX() || f.Op == x86.EMMS }

// TestSIMDAvailability checks #UD, #NM and #MF of every form (SDM vol. 2A 2.4.1
// and vol. 3A 12.1, 14.1).
func TestSIMDAvailability(t *testing.T) {
	c := newSSE(t)
	fresh := c.State
	for _, f := range simdForms() {
		for _, mem := range []bool{false, true} {
			if !takes(f, mem) {
				continue
			}
			xmm, mmx := needsXMM(f), needsMMX(f)
			if mem && (f.Op == x86.CVTPI2PS || f.Op == x86.CVTPI2PD) {
				mmx = false
			}
			code := encode(f, 1, 2, mem, 0)
			for _, row := range []struct {
				name    string
				set     func(c *CPU)
				vector  uint8
				applies bool
			}{
				{"EM", func(c *CPU) { c.CR0 |= cr0EM | cr0TS; c.FPU.SW |= fpuES }, vecUD, true},
				{"TS", func(c *CPU) { c.CR0 |= cr0TS; c.FPU.SW |= fpuES }, vecNM, true},
				{"OSFXSR", func(c *CPU) { c.CR4 &^= cr4OSFXSR; c.CR0 |= cr0TS; c.FPU.SW |= fpuES }, vecUD, xmm},
				{"pending #MF", func(c *CPU) { c.CR0 |= cr0NE; c.FPU.SW |= fpuES }, vecMF, mmx},
			} {
				if !row.applies {
					continue
				}
				c.State = fresh
				row.set(c)
				before := c.FPU
				st := c.execute1(t, code...)
				if want := (Fault{Vector: row.vector}); st != faulted || c.Fault != want {
					t.Errorf("% x, %s: status %d, fault %+v, want vector %d", code, row.name, st, c.Fault, row.vector)
				}
				if c.FPU != before {
					t.Errorf("% x, %s: the state changed", code, row.name)
				}
			}
			// What is not needed does not matter.
			c.State = fresh
			c.FPU.SW |= fpuES
			if !xmm {
				c.CR4 &^= cr4OSFXSR
			}
			if mmx {
				c.CR0 &^= cr0NE // nothing reports the x87 exception then
			}
			c.R[edi] = scratch
			if st := c.execute1(t, code...); st != next {
				t.Errorf("% x: status %d, fault %+v", code, st, c.Fault)
			}
		}
	}
}

// page makes linear page n absent, or present again, in identity paging of 4
// MiB.
func (c *CPU) page(tb testing.TB, n uint32, present bool) {
	tb.Helper()
	const dir, table = 0x300000, 0x301000
	var b [4096]byte
	for i := range uint32(1024) {
		e := i<<12 | pteP | pteRW | pteUS
		if i == n && !present {
			e = 0
		}
		binary.LittleEndian.PutUint32(b[4*i:], e)
	}
	if _, err := c.mem.WriteAt(b[:], table); err != nil {
		tb.Fatal(err)
	}
	if _, err := c.mem.WriteAt([]byte{7, 0x10, 0x30, 0}, dir); err != nil {
		tb.Fatal(err)
	}
	c.CR3, c.CR0 = dir, c.CR0|cr0PG
	c.Reload()
}

// TestSIMDFaults checks, for every form with a memory operand: alignment, an
// operand that reaches into an absent page, one beyond the segment's limit; and
// that a fault leaves everything as it was.
func TestSIMDFaults(t *testing.T) {
	c := newSSE(t)
	for _, f := range simdForms() {
		if !takes(f, true) {
			continue
		}
		arg := f.Args[f.MemArg()]
		size := uint32(arg.Size(4))
		limit := c.Seg[segDS].Limit
		for _, row := range []struct {
			name   string
			at     uint32 // where the operand starts
			limit  uint32
			vector uint8 // 0: no fault
			cr2    uint32
		}{
			{"misaligned", scratch + 1, limit, vecGP, 0},
			{"absent page", scratch + 0x1000, limit, vecPF, scratch + 0x1000},
			{"last byte absent", scratch + 0x1001 - size, limit, vecPF, scratch + 0x1000},
			{"last byte beyond the limit", scratch + 16 - size, scratch + 14, vecGP, 0},
		} {
			vector := row.vector
			switch {
			case row.name == "misaligned" && !arg.Aligned():
				vector = 0
			case row.name == "last byte absent" && arg.Aligned():
				vector = vecGP
			}
			c.page(t, (scratch+0x1000)>>12, false)
			c.Seg[segDS].Limit = row.limit
			c.Seg[segDS].refresh()
			c.modeChanged()
			code := encode(f, 1, 2, true, 0)
			i := bytes.Index(code, []byte{0, 0, 0x20, 0})
			binary.LittleEndian.PutUint32(code[i:], row.at)
			c.FPU = FPU{CW: 0x37f, MXCSR: 0x1f80, SW: 3 << 11, Used: 0x21}
			before, regs := c.FPU, c.R
			mem := append([]byte(nil), c.ram.Bytes(scratch+0xff0, 16)...)
			st := c.execute1(t, code...)
			if vector == 0 {
				if st != next {
					t.Errorf("%v, %s: status %d, fault %+v", f, row.name, st, c.Fault)
				}
				continue
			}
			if st != faulted || c.Fault.Vector != vector || !c.Fault.HasCode {
				t.Errorf("%v, %s: status %d, fault %+v, want vector %d", f, row.name, st, c.Fault, vector)
			}
			if vector == vecPF && c.CR2 != row.cr2 {
				t.Errorf("%v, %s: CR2 %#x, want %#x", f, row.name, c.CR2, row.cr2)
			}
			if c.FPU != before || c.R != regs || !bytes.Equal(mem, c.ram.Bytes(scratch+0xff0, 16)) {
				t.Errorf("%v, %s: the state changed", f, row.name)
			}
		}
		c.Seg[segDS].Limit = limit
		c.Seg[segDS].refresh()
	}
}

func TestLDMXCSRReserved(t *testing.T) {
	c := newSSE(t)
	c.poke(t, []byte{0x80, 0x1f, 1, 0})
	if st := c.execute1(t, 0x0f, 0xae, 0x15, 0, 0, 0x20, 0); st != faulted || c.Fault != (Fault{Vector: vecGP, HasCode: true}) {
		t.Errorf("status %d, fault %+v", st, c.Fault)
	}
	if c.FPU.MXCSR != 0x1f80 {
		t.Errorf("MXCSR %#x", c.FPU.MXCSR)
	}
}
