package cputest

import (
	"encoding/binary"
	"fmt"

	"alpinevm/cpu"
	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

// Machine runs cases on package cpu: the least a kernel does to run them as
// user code. Every exception ends in a HLT at CPL 0 whose address tells the
// vector.
type Machine struct {
	CPU    *cpu.CPU
	mem    *mem.Memory
	detach func()
	warm   Outcome
}

// The kernel half of the linear address space, for the supervisor alone, and
// where everything is in RAM.
const (
	kernBase  = 0xE0000000
	kernGDT   = 0x0000
	kernLDT   = 0x0400
	kernTSS   = 0x0800
	kernIDT   = 0x1000
	kernCode  = 0x2000 // 16 bytes a vector
	kernStack = 0x4000 // grows down from here
	kernSize  = 0x4000

	physKern   = 0x00000
	physTables = 0x08000 // PDPT, page directories, page tables
	physCode   = 0x20000
	physLand   = 0x38000
	physWarm   = 0x39000
	physData   = 0x40000
	ramSize    = 1 << 20

	selKernCode = 0x08
	selKernData = 0x18
	selTSS      = 0x40
	selLDT      = 0x50
)

// NewMachine makes the machine. attach may give the processor a back end, and
// says how that is released; it may be nil.
func NewMachine(attach func(*cpu.CPU) (detach func(), err error)) (*Machine, error) {
	m, err := mem.New(ramSize)
	if err != nil {
		return nil, err
	}
	c, err := cpu.New(cpu.Config{Mem: m})
	if err != nil {
		return nil, err
	}
	k := &Machine{CPU: c, mem: m, detach: func() {}}
	if attach != nil {
		if k.detach, err = attach(c); err != nil {
			return nil, err
		}
	}
	k.tables()
	k.paging()
	b := k.view(physCode, Batch*CodeSlot)
	for i := range b {
		b[i] = 0xCC
	}
	b = k.view(physLand, pageSize)
	for i := range b {
		b[i] = 0xCC
	}
	b = k.view(physData, DataSize)
	for i := range b {
		b[i] = background(DataBase + uint32(i))
	}
	return k, nil
}

// Close frees the memory.
func (k *Machine) Close() {
	k.detach()
	k.mem.Close()
}

func (k *Machine) view(pa uint64, n int) []byte {
	b, ok := k.mem.View(pa, n, true)
	if !ok {
		panic("BUG: outside RAM")
	}
	return b
}

func (k *Machine) put32(pa uint64, v uint32) { binary.LittleEndian.PutUint32(k.view(pa, 4), v) }
func (k *Machine) put64(pa uint64, v uint64) { binary.LittleEndian.PutUint64(k.view(pa, 8), v) }
func (k *Machine) u32(pa uint64) uint32      { return binary.LittleEndian.Uint32(k.view(pa, 4)) }

// descriptor packs a descriptor (SDM vol. 3A 3.4.5). attr holds its bits 40 to
// 55, limit is in units of G.
func descriptor(base, limit uint32, attr uint16) uint64 {
	return uint64(limit&0xFFFF) | uint64(base&0xFFFFFF)<<16 | uint64(attr&0xFF)<<40 |
		uint64(limit>>16&15)<<48 | uint64(attr>>12)<<52 | uint64(base>>24)<<56
}

// gdt has the user's descriptors where Linux has them.
var gdt = map[int]uint64{
	selKernCode >> 3: descriptor(0, 0xFFFFF, 0xC09B),
	0x10 >> 3:        descriptor(0, 0xFFFFF, 0xA09B),
	selKernData >> 3: descriptor(0, 0xFFFFF, 0xC093),
	selCode >> 3:     descriptor(0, 0xFFFFF, 0xC0FB),
	selData >> 3:     descriptor(0, 0xFFFFF, 0xC0F3),
	selLDT >> 3:      descriptor(kernBase+kernLDT, ldtLimit, 0x0082),
	selTSS >> 3:      descriptor(kernBase+kernTSS, 0x67, 0x008B),
	selFS >> 3:       descriptor(DataBase, 0xFFFFF, 0xD0F3), // AVL: "useable"
	selGS >> 3:       descriptor(DataBase, gsLimit, 0x50F3),
}

// ldt has the 16-bit segments.
var ldt = map[int]uint64{
	selCode16 >> 3: descriptor(CodeBase, 0xFFFF, 0x00FB),
	selData16 >> 3: descriptor(DataBase, 0xFFFF, 0x00F3),
}

const ldtLimit = 4*8 - 1

// gdtLimit is Linux's: 16 descriptors.
const gdtLimit = 16*8 - 1

// softwareVectors are those that user code may raise by INT n.
var softwareVectors = map[int]bool{3: true, 4: true}

// tables fills GDT, IDT, TSS and the handlers.
func (k *Machine) tables() {
	for i, d := range gdt {
		k.put64(physKern+kernGDT+uint64(8*i), d)
	}
	for i, d := range ldt {
		k.put64(physKern+kernLDT+uint64(8*i), d)
	}
	for v := range 256 {
		h := uint32(kernBase+kernCode) + 16*uint32(v)
		dpl := uint32(0)
		if softwareVectors[v] {
			dpl = 3
		}
		k.put32(physKern+kernIDT+uint64(8*v), selKernCode<<16|h&0xFFFF)
		k.put32(physKern+kernIDT+uint64(8*v)+4, h&0xFFFF0000|0x8E00|dpl<<13)
		k.view(physKern+kernCode+uint64(16*v), 1)[0] = 0xF4 // HLT
	}
	k.put32(physKern+kernTSS+4, kernBase+kernStack)
	k.put32(physKern+kernTSS+8, selKernData)
	k.put32(physKern+kernTSS+0x64, 0x68<<16) // no I/O bitmap
}

// Bits of page table entries.
const (
	ptePresent = 1 << 0
	pteWrite   = 1 << 1
	pteUser    = 1 << 2
	pteNX      = 1 << 63
)

// paging makes PAE tables that allow what the child's mappings allow.
func (k *Machine) paging() {
	next := uint64(physTables + pageSize)
	alloc := func() uint64 {
		next += pageSize
		return next - pageSize
	}
	for i := range uint64(4) {
		k.put64(physTables+8*i, alloc()|ptePresent)
	}
	page := func(linear uint32, phys, bits uint64) {
		dir := k.entry(physTables+8*uint64(linear>>30)) + 8*uint64(linear>>21&511)
		if k.entry(dir) == 0 {
			k.put64(dir, alloc()|ptePresent|pteWrite|pteUser)
		}
		k.put64(k.entry(dir)+8*uint64(linear>>12&511), phys|bits|ptePresent)
	}
	for off := uint32(0); off < kernSize; off += pageSize {
		page(kernBase+off, physKern+uint64(off), pteWrite)
	}
	for off := uint32(0); off < Batch*CodeSlot; off += pageSize {
		page(CodeBase+off, physCode+uint64(off), pteUser)
	}
	page(LandBase, physLand, pteUser)
	page(warmBase, physWarm, pteUser)
	for i, access := range dataPages {
		off := uint32(i) * pageSize
		switch access {
		case readOnly:
			page(DataBase+off, physData+uint64(off), pteUser|pteNX)
		case readWrite:
			page(DataBase+off, physData+uint64(off), pteUser|pteWrite|pteNX)
		}
	}
}

// entry reads the address in a page table entry.
func (k *Machine) entry(pa uint64) uint64 { return uint64(k.u32(pa)) &^ 0xFFF }

// budget bounds a case, in instructions.
const budget = 20000

// Run executes cases as Silicon.Run does.
func (k *Machine) Run(cases []Case, out []Outcome) error {
	for i := range cases {
		c := &cases[i]
		if c.Addr != CodeBase+uint32(i)*CodeSlot+CodeAt {
			return fmt.Errorf("cputest: case %d is at %#x", i, c.Addr)
		}
		if err := k.run(c, &out[i]); err != nil {
			return fmt.Errorf("cputest: case %d, %s: %w", i, c.Describe(), err)
		}
	}
	data := k.view(physData, DataSize)
	for i := range data {
		if data[i] != background(DataBase+uint32(i)) {
			return fmt.Errorf("cputest: a case of this batch wrote to %#x, outside its windows", DataBase+i)
		}
	}
	return nil
}

// run executes a case: first as the first code after a flush of the TLB; if it
// has memory operands, then once more from the block cache and with a warm TLB,
// which must not make a difference.
func (k *Machine) run(c *Case, o *Outcome) error {
	slot := k.view(physCode+uint64(c.Addr-CodeBase-CodeAt), CodeSlot)
	for i := range slot {
		slot[i] = 0xCC
	}
	copy(slot[CodeAt:], c.Code[:c.Len])
	k.load(c)
	if err := k.once(c, o); err != nil || len(c.Windows) == 0 {
		return err
	}
	k.load(c)
	k.warmUp(c)
	if err := k.once(c, &k.warm); err != nil {
		return err
	}
	if string(o.Memory) != string(k.warm.Memory) {
		return fmt.Errorf("memory is %x, with a warm TLB %x", o.Memory, k.warm.Memory)
	}
	if o.Final != k.warm.Final {
		return fmt.Errorf("is %+v, with a warm TLB %+v", o.Final, k.warm.Final)
	}
	return nil
}

// once runs what load has prepared.
func (k *Machine) once(c *Case, o *Outcome) error {
	for _, w := range c.Windows {
		copy(k.view(physData+uint64(w.Addr-DataBase), len(w.Data)), w.Data)
	}
	exit := k.CPU.Run(budget)
	if exit.Reason != cpu.Halt {
		return fmt.Errorf("ends with %v at EIP %#x", exit.Reason, k.CPU.EIP)
	}
	k.result(c, o)
	return nil
}

// warmUp makes the processor come to the case by code that has touched every
// data page and then loads flags and registers.
func (k *Machine) warmUp(c *Case) {
	var b []byte
	imm := func(op byte, v uint32) { b = binary.LittleEndian.AppendUint32(append(b, op), v) }
	for i, access := range dataPages {
		p := DataBase + uint32(i)*pageSize
		if access != absent {
			imm(0xA0, p) // MOV AL,[p]
		}
		if access == readWrite {
			imm(0xA2, p) // MOV [p],AL
		}
	}
	imm(0xBC, warmBase+pageSize-4) // MOV ESP
	b = append(b, 0x9D)            // POPF
	sel := c.selectors()
	imm(0xB8, uint32(sel[x86.DS]))
	b = append(b, 0x8E, 0xC0, 0x8E, 0xD8, 0x8E, 0xD0) // MOV ES, DS and SS,AX
	imm(0xBC, c.R[x86.ESP])
	for i, v := range c.R {
		imm(0xB8+byte(i), v)
	}
	imm(0xEA, c.eip()) // JMP far
	b = binary.LittleEndian.AppendUint16(b, sel[x86.CS])
	page := k.view(physWarm, pageSize)
	copy(page, b)
	binary.LittleEndian.PutUint32(page[pageSize-4:], c.EFLAGS)
	s := &k.CPU.State
	s.SetEFLAGS(x86.FlagIF | 2)
	s.EIP = warmBase
	for i, sel := range [...]uint16{selData, selCode, selData, selData} {
		s.Seg[i] = segment(sel)
	}
	k.CPU.Reload()
}

// load sets the processor's state before a case.
func (k *Machine) load(c *Case) {
	s := &k.CPU.State
	copy(s.R[:8], c.R[:])
	s.EIP = c.eip()
	s.SetEFLAGS(c.EFLAGS | x86.FlagIF | 2)
	for i, sel := range c.selectors() {
		s.Seg[i] = segment(sel)
	}
	s.CPL = 3
	s.Halted = false
	s.CR0 = 0x80050033 // PG AM WP NE ET MP PE
	s.CR2 = 0
	s.CR3 = physTables
	s.CR4 = 0x6E8 // OSXMMEXCPT OSFXSR PGE MCE PAE DE
	s.EFER = 0x800
	for i := range s.PDPTE {
		s.PDPTE[i] = uint64(k.u32(physTables + 8*uint64(i)))
	}
	s.GDTR = cpu.TableReg{Base: kernBase + kernGDT, Limit: gdtLimit}
	s.IDTR = cpu.TableReg{Base: kernBase + kernIDT, Limit: 0x7FF}
	s.Seg[6] = cpu.Seg{Base: kernBase + kernLDT, Limit: ldtLimit, Sel: selLDT, Attr: 0x82}
	s.Seg[7] = cpu.Seg{Base: kernBase + kernTSS, Limit: 0x67, Sel: selTSS, Attr: 0x8B}
	loadFX(&s.FPU, &c.FX)
	k.CPU.Reload()
}

// segment is a user segment register with its cache.
func segment(sel uint16) cpu.Seg {
	d := gdt[int(sel>>3)]
	if sel&4 != 0 {
		d = ldt[int(sel>>3)]
	}
	s := cpu.Seg{
		Base:  uint32(d>>16&0xFFFFFF) | uint32(d>>56)<<24,
		Limit: uint32(d&0xFFFF) | uint32(d>>48&15)<<16,
		Sel:   sel,
		Attr:  uint16(d>>40) & 0xF0FF,
	}
	if s.Attr&cpu.AttrG != 0 {
		s.Limit = s.Limit<<12 | 0xFFF
	}
	return s
}

// result reads the state after a case from the processor and from the frame of
// the exception that ended it.
func (k *Machine) result(c *Case, o *Outcome) {
	s := &k.CPU.State
	vector := uint8((s.EIP - 1 - kernBase - kernCode) / 16)
	frame := s.R[x86.ESP] - kernBase
	*o = Outcome{Final{Vector: vector}, o.Memory[:0]}
	switch vector {
	case 8, 10, 11, 12, 13, 14, 17:
		o.Code = k.u32(physKern + uint64(frame))
		frame += 4
	}
	if vector == 14 {
		o.CR2 = s.CR2
	}
	at := func(i uint32) uint32 { return k.u32(physKern + uint64(frame+4*i)) }
	o.EIP = at(0)
	o.EFLAGS = at(2)
	copy(o.R[:], s.R[:8])
	o.R[x86.ESP] = at(3)
	for i := range o.Seg {
		o.Seg[i] = s.Seg[i].Sel
	}
	o.Seg[x86.CS], o.Seg[x86.SS] = uint16(at(1)), uint16(at(4))
	if vector == 3 && o.EIP == c.eip()+uint32(c.Len)+1 {
		o.Vector = noVector
		o.EIP--
	}
	storeFX(&s.FPU, &o.FX)
	for _, w := range c.Windows {
		b := k.view(physData+uint64(w.Addr-DataBase), len(w.Data))
		o.Memory = append(o.Memory, b...)
		for i := range b {
			b[i] = background(w.Addr + uint32(i))
		}
	}
}
