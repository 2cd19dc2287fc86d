package cpu

import (
	"fmt"
	"slices"
	"testing"

	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

// Where the rig keeps what, physically (and linearly, while paging is off).
const (
	rigGDT    = 0x1000
	rigIDT    = 0x2000
	rigLDT    = 0x3000
	rigTSS    = 0x4000 // of the current task
	rigTSS2   = 0x4400 // of another one, 32-bit
	rigTSS16  = 0x4800 // a 16-bit one
	rigPages  = 0x8000 // paging structures
	rigCode   = 0x10000
	rigTarget = 0x18000 // where far transfers lead
	rigData   = 0x20000
	rigStack0 = 0x30000
	rigStack1 = 0x38000
	rigStack3 = 0x40000
	rigIntr   = 0x50000 // handlers, 16 bytes a vector
	rigRAM    = 4 << 20
)

// Selectors of the rig's GDT. Those of ring 1 and 3 carry their RPL.
const (
	selCode0    = 0x08
	selData0    = 0x10
	selCode3    = 0x18 | 3
	selData3    = 0x20 | 3
	selTSS      = 0x28
	selTSS2     = 0x30
	selLDT      = 0x38
	selCode1    = 0x40 | 1
	selData1    = 0x48 | 1
	selConf0    = 0x50 // conforming code, DPL 0
	selTSS16    = 0x58
	selCode16   = 0x60 // 16-bit code, DPL 0
	selData16   = 0x68 // 16-bit data, DPL 0
	selTest     = 0x80 // free for rows
	selTest2    = 0x88
	selTest3    = 0x90
	selLocal    = 0x04 // first entry of the LDT: data, DPL 0
	selBeyond   = 0x200
	rigGDTLimit = 0x1ff
)

// Rights of descriptors.
const (
	attrCode0 = AttrP | AttrS | AttrCode | AttrWritable | AttrDB | AttrG
	attrData0 = AttrP | AttrS | AttrWritable | AttrDB | AttrG
	attrRing1 = 1 << 5
	attrRing3 = 3 << 5
)

// rig is a CPU in 32-bit protected mode, in ring 0, with tables that make every
// exception end at a HLT, and a record of what was delivered.
type rig struct {
	*CPU
	t      testing.TB
	faults []Fault
	ports  rigPorts
	// at is the state as the first fault of the last exec was delivered.
	at State
}

// rigPorts answers reads with the low bits of a constant and records accesses; a
// write may do more.
type rigPorts struct {
	log   []string
	val   uint32
	onOut func(v uint32)
}

func (p *rigPorts) In(port uint16, size int) uint32 {
	p.log = append(p.log, fmt.Sprintf("in%d %x", size, port))
	return p.val & uint32(1<<(8*size)-1)
}

func (p *rigPorts) Out(port uint16, size int, v uint32) {
	p.log = append(p.log, fmt.Sprintf("out%d %x=%x", size, port, v))
	if p.onOut != nil {
		p.onOut(v)
	}
}

func newRig(t testing.TB) *rig {
	t.Helper()
	m, err := mem.New(rigRAM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	r := &rig{t: t}
	c, err := newCPU(t, Config{Mem: m, Ports: &r.ports, AckIRQ: func() uint8 { return 0x40 }, Random: func() uint32 { return 0x12345678 }})
	if err != nil {
		t.Fatal(err)
	}
	r.CPU = c
	c.OnFault(func(c *CPU, f *Fault) {
		if len(r.faults) == 0 {
			r.at = c.State
		}
		r.faults = append(r.faults, *f)
	})
	for sel, d := range map[uint16]uint64{
		selCode0:  segment(0, 0xffffffff, attrCode0),
		selData0:  segment(0, 0xffffffff, attrData0),
		selCode3:  segment(0, 0xffffffff, attrCode0|attrRing3),
		selData3:  segment(0, 0xffffffff, attrData0|attrRing3),
		selTSS:    segment(rigTSS, 0x3ff, AttrP|typeTSS32Busy),
		selTSS2:   segment(rigTSS2, 0x67, AttrP|typeTSS32),
		selLDT:    segment(rigLDT, 0xff, AttrP|typeLDT),
		selCode1:  segment(0, 0xffffffff, attrCode0|attrRing1),
		selData1:  segment(0, 0xffffffff, attrData0|attrRing1),
		selConf0:  segment(0, 0xffffffff, attrCode0|AttrExpandDown),
		selTSS16:  segment(rigTSS16, 0x2b, AttrP|typeTSS16),
		selCode16: segment(0, 0xffff, AttrP|AttrS|AttrCode|AttrWritable),
		selData16: segment(0, 0xffff, AttrP|AttrS|AttrWritable),
	} {
		r.gdt(sel, d)
	}
	r.put64(rigLDT, segment(0, 0xffffffff, attrData0))
	for v := range uint32(256) {
		r.idt(uint8(v), gate(selCode0, rigIntr+16*v, typeInt32, 3, 0))
		r.put(rigIntr+16*v, 0xf4)
	}
	r.put32(rigTSS+4, rigStack0-0x1000)
	r.put32(rigTSS+8, selData0)
	r.put32(rigTSS+12, rigStack1)
	r.put32(rigTSS+16, selData1)
	r.put16(rigTSS+0x66, 0x100) // I/O map
	c.GDTR = TableReg{rigGDT, rigGDTLimit}
	c.IDTR = TableReg{rigIDT, 0x7ff}
	c.CR0 |= cr0PE
	c.Seg[segTR] = Seg{Base: rigTSS, Limit: 0x3ff, Sel: selTSS, Attr: AttrP | typeTSS32Busy}
	c.Seg[segLDTR] = Seg{Base: rigLDT, Limit: 0xff, Sel: selLDT, Attr: AttrP | typeLDT}
	r.ring(0)
	return r
}

// withoutRandom makes the CPU one without random numbers.
func (r *rig) withoutRandom() {
	r.random = nil
	r.features = r.shown()
	r.flushBlocks()
}

// ring puts the CPU into ring 0, 1 or 3.
func (r *rig) ring(cpl uint8) {
	cs, ss, sp := uint16(selCode0), uint16(selData0), uint32(rigStack0)
	switch cpl {
	case 1:
		cs, ss, sp = selCode1, selData1, rigStack1
	case 3:
		cs, ss, sp = selCode3, selData3, rigStack3
	}
	r.CPL = cpl
	for i := range 6 {
		r.Seg[i] = r.segOf(ss)
	}
	r.Seg[segCS] = r.segOf(cs)
	r.R[esp], r.EIP = sp, rigCode
	r.Reload()
}

// v86 puts the CPU into virtual-8086 mode with the given IOPL, at 1000:0000.
func (r *rig) v86(iopl uint32) {
	r.Flags |= flagVM | iopl<<12
	r.CPL = 3
	for i := range uint8(6) {
		r.loadReal(i, 0x2000)
	}
	r.loadReal(segCS, rigCode>>4)
	r.loadReal(segSS, rigStack3>>4)
	r.R[esp], r.EIP = 0x1000, 0
	r.Reload()
}

// real puts the CPU into real mode, at 1000:0000, with its vectors at 0 leading
// to 5000:16*v.
func (r *rig) real() {
	r.CR0 &^= cr0PE
	r.CPL = 0
	for i := range uint8(6) {
		r.Seg[i] = Seg{}
		r.loadReal(i, 0x2000)
	}
	r.loadReal(segCS, rigCode>>4)
	r.loadReal(segSS, rigStack0>>4)
	r.Seg[segCS].Attr |= AttrCode
	r.IDTR = TableReg{0, 0x3ff}
	for v := range uint32(256) {
		r.put32(4*v, (rigIntr>>4)<<16|16*v)
	}
	r.R[esp], r.EIP = 0x1000, 0
	r.Reload()
}

// segOf is the segment register that loading sel gives.
func (r *rig) segOf(sel uint16) Seg {
	d := r.descriptorAt(sel)
	d.hi |= uint32(AttrAccessed) << 8
	var s Seg
	s.load(&d, sel)
	return s
}

func (r *rig) descriptorAt(sel uint16) descriptor {
	lin := uint32(rigGDT) + uint32(sel&^7)
	if local(sel) {
		lin = rigLDT + uint32(sel&^7)
	}
	return descriptor{r.get32(lin), r.get32(lin + 4), lin}
}

func (r *rig) gdt(sel uint16, d uint64)   { r.put64(rigGDT+uint32(sel&^7), d) }
func (r *rig) idt(vector uint8, d uint64) { r.put64(rigIDT+8*uint32(vector), d) }
func (r *rig) put16(off uint32, v uint16) { r.put(off, byte(v), byte(v>>8)) }
func (r *rig) get32(off uint32) uint32    { return r.ram.Load32(off) }
func (r *rig) get16(off uint32) uint16    { return r.ram.Load16(off) }
func (r *rig) put64(off uint32, v uint64) { r.put32(off, uint32(v)); r.put32(off+4, uint32(v>>32)) }
func (r *rig) stack(i uint32) uint32      { return r.get32(r.Seg[segSS].Base + r.R[esp] + 4*i) }
func (r *rig) flags(set, clear uint32)    { r.SetEFLAGS(r.EFLAGS()&^clear | set); r.Reload() }
func (r *rig) attr(sel uint16) uint16     { d := r.descriptorAt(sel); return d.attr() }
func (r *rig) want(ok bool, what string)  { r.t.Helper(); r.wantf(ok, "%s", what) }

func (r *rig) wantf(ok bool, format string, args ...any) {
	r.t.Helper()
	if !ok {
		r.t.Errorf(format, args...)
	}
}

func (r *rig) put32(off, v uint32) { r.put(off, byte(v), byte(v>>8), byte(v>>16), byte(v>>24)) }

func (r *rig) put(off uint32, b ...byte) {
	if _, err := r.mem.WriteAt(b, int64(off)); err != nil {
		r.t.Fatal(err)
	}
}

// segment makes a code, data or system segment descriptor. limit is in bytes.
func segment(base, limit uint32, attr uint16) uint64 {
	if attr&AttrG != 0 {
		limit >>= 12
	}
	return uint64(limit&0xffff) | uint64(base&0xffffff)<<16 | uint64(attr)<<40 |
		uint64(limit&0xf0000)<<32 | uint64(base>>24)<<56
}

// gate makes a gate descriptor that is present.
func gate(sel uint16, off uint32, typ, dpl, count uint8) uint64 {
	return uint64(off&0xffff) | uint64(sel)<<16 | uint64(count)<<32 |
		uint64(uint32(typ)|uint32(dpl)<<5|0x80)<<40 | uint64(off>>16)<<48
}

// absent clears P.
func absent(d uint64) uint64 { return d &^ (1 << 47) }

// exec executes one instruction at CS:EIP and gives the first exception or
// interrupt that was delivered: "" for none, "13(18)" for #GP with error code
// 18h, "3" for one without. A fault must have changed nothing before its
// delivery.
func (r *rig) exec(code ...byte) string {
	r.t.Helper()
	r.put(r.Seg[segCS].Base+r.EIP, code...)
	return r.run(1)
}

// run executes n instructions and deliveries.
func (r *rig) run(n int) string {
	r.t.Helper()
	before := r.State
	r.faults = nil
	r.CPU.Run(n)
	if len(r.faults) == 0 {
		return ""
	}
	f := r.faults[0]
	if n == 1 && fault(f.Vector) {
		r.unchanged(&before, &r.at)
	}
	return describe(f)
}

func describe(f Fault) string {
	if f.HasCode {
		return fmt.Sprintf("%d(%x)", f.Vector, f.Code)
	}
	return fmt.Sprint(f.Vector)
}

// all describes every delivery of the last run.
func (r *rig) all() string {
	var s []string
	for _, f := range r.faults {
		s = append(s, describe(f))
	}
	return fmt.Sprint(s)
}

// unchanged compares what the guest can see of two states.
func (r *rig) unchanged(a, b *State) {
	r.t.Helper()
	if a.R != b.R {
		r.t.Errorf("fault changed registers: %x, were %x", b.R, a.R)
	}
	if a.EIP != b.EIP || a.EFLAGS()&^flagRF != b.EFLAGS()&^flagRF || a.CPL != b.CPL {
		r.t.Errorf("fault changed EIP %x, EFLAGS %x, CPL %d; were %x, %x, %d", b.EIP, b.EFLAGS(), b.CPL, a.EIP, a.EFLAGS(), a.CPL)
	}
	if a.Seg != b.Seg {
		r.t.Errorf("fault changed segments: %+v, were %+v", b.Seg, a.Seg)
	}
	if a.GDTR != b.GDTR || a.IDTR != b.IDTR || a.CR0 != b.CR0 || a.CR3 != b.CR3 || a.CR4 != b.CR4 || a.EFER != b.EFER {
		r.t.Error("fault changed a system register")
	}
}

// Assemblers of the few instructions that rows are made of; 32-bit code.

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }
func imm32(v uint32) []byte      { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }
func imm16(v uint16) []byte      { return []byte{byte(v), byte(v >> 8)} }

func jmpf(sel uint16, off uint32) []byte  { return cat([]byte{0xea}, imm32(off), imm16(sel)) }
func callf(sel uint16, off uint32) []byte { return cat([]byte{0x9a}, imm32(off), imm16(sel)) }
func intn(v uint8) []byte                 { return []byte{0xcd, v} }

// movSegAX is MOV sreg,AX.
func movSegAX(s uint8) []byte { return []byte{0x8e, 0xc0 | s<<3} }

var segs = map[string]uint8{"ES": x86.ES, "SS": x86.SS, "DS": x86.DS, "FS": x86.FS, "GS": x86.GS}
