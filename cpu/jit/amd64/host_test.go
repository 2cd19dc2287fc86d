//go:build linux && amd64

package amd64

import (
	"encoding/binary"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/mem"
)

// TestHostFloatingPoint: behind guest code that has its own rounding in both units,
// numbers on the x87 stack and sticky flags, the host's control words are what
// the Go runtime wants, its x87 stack is empty, and both are the guest's again
// when code is entered in the middle of a block.
func TestHostFloatingPoint(t *testing.T) {
	m, err := mem.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	c, err := cpu.New(cpu.Config{Mem: m})
	if err != nil {
		t.Fatal(err)
	}
	const start = 0x8000
	code := []byte{
		0xd9, 0xe8, // fld1
		0xd9, 0xeb, // fldpi
		0xde, 0xf9, // fdivp
		0xf3, 0x0f, 0x5e, 0xc1, // divss xmm0, xmm1
		0xa1, 0, 0x90, 0, 0, // mov eax, [9000h]: leaves, and comes back
		0xd9, 0xeb, // fldpi
		0xf3, 0x0f, 0x5e, 0xd1, // divss xmm2, xmm1
		0xeb, 0xfe, // jmp to itself
	}
	if _, err := m.WriteAt(code, start); err != nil {
		t.Fatal(err)
	}
	flat(c)
	c.EIP = start
	c.FPU.CW, c.FPU.MXCSR, c.FPU.Used = 0xc7f, 0x7f80, 0 // towards zero
	for i := range c.FPU.XMM {
		c.FPU.XMM[i] = [2]uint64{0x40400000, 0} // 3
	}
	c.FPU.XMM[0][0], c.FPU.XMM[2][0] = 0x40000000, 0x40000000
	c.Reload()
	target, err := New(c, jit.Config{})
	if err != nil {
		t.Skip("not here: ", err)
	}
	tr := jit.New(c, target, jit.Config{})
	defer tr.Close()
	c.Attach(tr, 0)
	c.Run(8)
	if tr.Stats.Miss == 0 || tr.Stats.Entries < 2 {
		t.Fatalf("%+v: nothing was left and entered again", tr.Stats)
	}
	if got := c.FPU.XMM[0][0]; got != 0x3f2aaaaa || c.FPU.XMM[2][0] != got {
		t.Errorf("2/3 is %x and %x, want 3f2aaaaa", got, c.FPU.XMM[2][0])
	}
	if c.FPU.MXCSR != 0x7fa0 || c.FPU.SW != 6<<11|0x20 || c.FPU.Used != 0xc0 || c.FPU.CW != 0xc7f {
		t.Errorf("MXCSR %x, SW %x, registers in use %x, CW %x", c.FPU.MXCSR, c.FPU.SW, c.FPU.Used, c.FPU.CW)
	}
	if got := c.FPU.Mant[6]; got != 0xc90fdaa22168c234 {
		t.Errorf("pi is %x", got)
	}

	// What the host has now.
	a := asm{base: target.hot}
	a.op(0, w32, 0xd9, 6, at0(hostOff))        // FNSTENV
	a.op(0, w32, 0xd9, 4, at0(hostOff))        // FLDENV: FNSTENV masks
	a.op(0, w32, 0x0fae, 3, at0(hostOff+0x40)) // STMXCSR
	a.bytes(0xc3)
	copy(target.write[target.hot:], a.b)
	enter(target.exec+uintptr(target.hot), target.context)
	env := target.region[hostOff:]
	cw, tags := binary.LittleEndian.Uint16(env), binary.LittleEndian.Uint16(env[8:])
	if mxcsr := binary.LittleEndian.Uint32(env[0x40:]); cw != 0x37f || tags != 0xffff || mxcsr&^0x3f != 0x1f80 {
		t.Errorf("the host's control word is %x, its tags %x, MXCSR %x", cw, tags, mxcsr)
	}
}

// hostOff is room in the region that nothing needs while no code runs.
const hostOff = fxsaveOff

func at0(off int32) loc { return at(r15, off) }

// flat makes all segments of c flat ones of protected 32-bit mode.
func flat(c *cpu.CPU) {
	c.CR0 |= 1
	c.CR4 |= 1 << 9
	for i := range 6 {
		c.Seg[i] = cpu.Seg{Limit: 0xffffffff, Sel: 0x10, Attr: cpu.AttrP | cpu.AttrS | cpu.AttrWritable | cpu.AttrAccessed | cpu.AttrDB | cpu.AttrG}
	}
	c.Seg[1].Attr |= cpu.AttrCode
	c.Seg[1].Sel = 8
}
