package gdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

// register is one that gdb knows, by its place in a registerSet.
type register struct {
	name string
	size int    // bytes
	kind string // gdb's type
	// group is where "info registers" shows it: general, float, vector, system.
	group string
	read  func(c *cpu.CPU, b []byte)
	write func(c *cpu.CPU, b []byte) error // nil: it cannot be changed
}

// Features, in the order of their registers.
const (
	featureCore   = "org.gnu.gdb.i386.core"
	featureSSE    = "org.gnu.gdb.i386.sse"
	featureSystem = "org.alpinevm.i386.system"
)

var le = binary.LittleEndian

// feature is a group of registers that gdb knows by its name.
type feature struct {
	name      string
	registers []register
}

// registerSet is all registers. It is made for who debugs: a machine that nobody debugs
// starts without it, and a program that has no server of ours is linked without it.
type registerSet struct {
	all   []register // the number that gdb gives one is its index
	bytes int        // of all
	xml   string     // describes them
}

func newRegisterSet() *registerSet {
	// In the order that gdb wants, and what else the processor has.
	features := []feature{{featureCore, coreRegisters()}, {featureSSE, sseRegisters()}, {featureSystem, systemRegisters()}}
	set := &registerSet{xml: describe(features)}
	for _, f := range features {
		set.all = append(set.all, f.registers...)
	}
	for _, r := range set.all {
		set.bytes += r.size
	}
	return set
}

// value is a register of 32 bits that is seen as v.
func value(name, kind, group string, v func(c *cpu.CPU) uint32) register {
	return register{name: name, size: 4, kind: kind, group: group, read: func(c *cpu.CPU, b []byte) { le.PutUint32(b, v(c)) }}
}

// field is one that can be changed.
func field(name, kind, group string, at func(c *cpu.CPU) *uint32) register {
	r := value(name, kind, group, func(c *cpu.CPU) uint32 { return *at(c) })
	r.write = func(c *cpu.CPU, b []byte) error {
		*at(c) = le.Uint32(b)
		return nil
	}
	return r
}

// word is one of the x87's control registers of 16 bits.
func word(name string, v func(f *cpu.FPU) uint16, set func(f *cpu.FPU, v uint16)) register {
	r := value(name, "int32", "float", func(c *cpu.CPU) uint32 { return uint32(v(&c.FPU)) })
	if set != nil {
		r.write = func(c *cpu.CPU, b []byte) error {
			set(&c.FPU, le.Uint16(b))
			return nil
		}
	}
	return r
}

func coreRegisters() (list []register) {
	for i, name := range []string{"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"} {
		kind := "int32"
		if i == x86.ESP || i == x86.EBP {
			kind = "data_ptr"
		}
		list = append(list, field(name, kind, "", func(c *cpu.CPU) *uint32 { return &c.R[i] }))
	}
	eip := value("eip", "code_ptr", "", func(c *cpu.CPU) uint32 { return c.EIP })
	eip.write = func(c *cpu.CPU, b []byte) error {
		c.Jump(le.Uint32(b))
		return nil
	}
	eflags := value("eflags", "i386_eflags", "", func(c *cpu.CPU) uint32 { return c.EFLAGS() })
	eflags.write = func(c *cpu.CPU, b []byte) error {
		const fixed = x86.FlagVM // a change of mode takes more than that
		c.SetEFLAGS(le.Uint32(b)&^fixed | c.Flags&fixed)
		c.Reload()
		return nil
	}
	list = append(list, eip, eflags)
	for _, s := range []struct {
		name  string
		index int
	}{{"cs", x86.CS}, {"ss", x86.SS}, {"ds", x86.DS}, {"es", x86.ES}, {"fs", x86.FS}, {"gs", x86.GS}} {
		r := value(s.name, "int32", "", func(c *cpu.CPU) uint32 { return uint32(c.Seg[s.index].Sel) })
		r.write = func(c *cpu.CPU, b []byte) error { return setSegment(c, s.index, le.Uint32(b)) }
		list = append(list, r)
	}
	return append(list, x87Registers()...)
}

// errRefused is of a value with which the guest's own instruction would fault.
var errRefused = errors.New("the processor does not take it")

// setSegment changes a segment register: by the guest's descriptor in protected mode.
func setSegment(c *cpu.CPU, i int, sel uint32) error {
	switch {
	case sel == uint32(c.Seg[i].Sel): // gdb writes all registers to change one
		return nil
	case sel > 0xffff || !c.SetSegment(uint8(i), uint16(sel)):
		return errRefused
	}
	return nil
}

// control is CR0, CR3 or CR4.
func control(n int, kind string, v func(c *cpu.CPU) uint32) register {
	r := value(fmt.Sprint("cr", n), kind, "system", v)
	r.write = func(c *cpu.CPU, b []byte) error {
		if to := le.Uint32(b); to != v(c) && !c.SetControl(n, to) {
			return errRefused
		}
		return nil
	}
	return r
}

// x87Registers are those of the stack, from its top on, and of control.
func x87Registers() (list []register) {
	for i := range 8 {
		at := func(c *cpu.CPU) int { return (int(c.FPU.SW>>11) + i) & 7 }
		list = append(list, register{
			name: fmt.Sprintf("st%d", i), size: 10, kind: "i387_ext", group: "float",
			read: func(c *cpu.CPU, b []byte) {
				le.PutUint64(b, c.FPU.Mant[at(c)])
				le.PutUint16(b[8:], c.FPU.SE[at(c)])
			},
			write: func(c *cpu.CPU, b []byte) error {
				c.FPU.Mant[at(c)], c.FPU.SE[at(c)] = le.Uint64(b), le.Uint16(b[8:])
				return nil
			},
		})
	}
	return append(list,
		word("fctrl", func(f *cpu.FPU) uint16 { return f.CW }, nil),
		word("fstat", func(f *cpu.FPU) uint16 { return f.SW }, nil),
		word("ftag", (*cpu.FPU).Tags, nil),
		word("fiseg", func(f *cpu.FPU) uint16 { return f.FCS }, func(f *cpu.FPU, v uint16) { f.FCS = v }),
		field("fioff", "int32", "float", func(c *cpu.CPU) *uint32 { return &c.FPU.FIP }),
		word("foseg", func(f *cpu.FPU) uint16 { return f.FDS }, func(f *cpu.FPU, v uint16) { f.FDS = v }),
		field("fooff", "int32", "float", func(c *cpu.CPU) *uint32 { return &c.FPU.FDP }),
		word("fop", func(f *cpu.FPU) uint16 { return f.FOP }, func(f *cpu.FPU, v uint16) { f.FOP = v & 0x7ff }),
	)
}

func sseRegisters() (list []register) {
	for i := range 8 {
		list = append(list, register{
			name: fmt.Sprintf("xmm%d", i), size: 16, kind: "vec128", group: "vector",
			read: func(c *cpu.CPU, b []byte) {
				le.PutUint64(b, c.FPU.XMM[i][0])
				le.PutUint64(b[8:], c.FPU.XMM[i][1])
			},
			write: func(c *cpu.CPU, b []byte) error {
				c.FPU.XMM[i] = [2]uint64{le.Uint64(b), le.Uint64(b[8:])}
				return nil
			},
		})
	}
	return append(list, value("mxcsr", "i386_mxcsr", "vector", func(c *cpu.CPU) uint32 { return c.FPU.MXCSR }))
}

// systemRegisters are what gdb has no names of its own for: control and debug
// registers, the tables, and where segments begin.
func systemRegisters() (list []register) {
	seen := func(name, kind string, v func(c *cpu.CPU) uint32) {
		list = append(list, value(name, kind, "system", v))
	}
	list = append(list,
		control(0, "cr0_flags", func(c *cpu.CPU) uint32 { return c.CR0 }),
		field("cr2", "data_ptr", "system", func(c *cpu.CPU) *uint32 { return &c.CR2 }),
		control(3, "int32", func(c *cpu.CPU) uint32 { return c.CR3 }),
		control(4, "cr4_flags", func(c *cpu.CPU) uint32 { return c.CR4 }))
	seen("efer", "int32", func(c *cpu.CPU) uint32 { return uint32(c.EFER) })
	seen("cpl", "int32", func(c *cpu.CPU) uint32 { return uint32(c.CPL) })
	for i, name := range []string{"es", "cs", "ss", "ds", "fs", "gs"} {
		seen(name+"_base", "data_ptr", func(c *cpu.CPU) uint32 { return c.Seg[i].Base })
	}
	seen("gdt", "data_ptr", func(c *cpu.CPU) uint32 { return c.GDTR.Base })
	seen("gdt_limit", "int32", func(c *cpu.CPU) uint32 { return uint32(c.GDTR.Limit) })
	seen("idt", "data_ptr", func(c *cpu.CPU) uint32 { return c.IDTR.Base })
	seen("idt_limit", "int32", func(c *cpu.CPU) uint32 { return uint32(c.IDTR.Limit) })
	seen("ldtr", "int32", func(c *cpu.CPU) uint32 { return uint32(c.Seg[cpu.LDTR].Sel) })
	seen("tr", "int32", func(c *cpu.CPU) uint32 { return uint32(c.Seg[cpu.TR].Sel) })
	seen("tss", "data_ptr", func(c *cpu.CPU) uint32 { return c.Seg[cpu.TR].Base })
	for _, i := range []int{0, 1, 2, 3, 6, 7} {
		seen(fmt.Sprintf("dr%d", i), "int32", func(c *cpu.CPU) uint32 { return c.DR[i] })
	}
	return list
}

// flagRegister is a register of flags, by its type: names are those of bits.
type flagRegister struct {
	feature, id string
	names       map[int]string
}

// flagRegisters are those there are (SDM vol. 1, 3.4.3 and 10.2.3; vol. 3A 2.5).
func flagRegisters() []flagRegister {
	return []flagRegister{
		{featureCore, "i386_eflags", map[int]string{
			0: "CF", 1: "", 2: "PF", 4: "AF", 6: "ZF", 7: "SF", 8: "TF", 9: "IF", 10: "DF", 11: "OF", 14: "NT", 16: "RF", 17: "VM", 18: "AC", 19: "VIF", 20: "VIP", 21: "ID",
		}},
		{featureSSE, "i386_mxcsr", map[int]string{
			0: "IE", 1: "DE", 2: "ZE", 3: "OE", 4: "UE", 5: "PE", 6: "DAZ", 7: "IM", 8: "DM", 9: "ZM", 10: "OM", 11: "UM", 12: "PM", 15: "FZ",
		}},
		{featureSystem, "cr0_flags", map[int]string{0: "PE", 1: "MP", 2: "EM", 3: "TS", 4: "ET", 5: "NE", 16: "WP", 18: "AM", 29: "NW", 30: "CD", 31: "PG"}},
		{featureSystem, "cr4_flags", map[int]string{
			0: "VME", 1: "PVI", 2: "TSD", 3: "DE", 4: "PSE", 5: "PAE", 6: "MCE", 7: "PGE", 8: "PCE", 9: "OSFXSR", 10: "OSXMMEXCPT", 11: "UMIP", 20: "SMEP", 21: "SMAP",
		}},
	}
}

// bitsOf gives the bits that have names, in order.
func bitsOf(names map[int]string) (list []int) {
	mask := uint32(0)
	for i := range names {
		mask |= 1 << i
	}
	for ; mask != 0; mask &= mask - 1 {
		list = append(list, bits.TrailingZeros32(mask))
	}
	return list
}
