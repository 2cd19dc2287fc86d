//go:build linux && amd64

package amd64_test

import (
	"encoding/binary"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/jit/amd64"
)

// TestCrossingsStay: calls of a kernel by INT and by SYSENTER, and its returns, do not
// leave generated code, but for the first few.
func TestCrossingsStay(t *testing.T) {
	if err := amd64.Supported(); err != nil {
		t.Skip("not here: ", err)
	}
	const (
		gdt, idt, tss  = 0x1000, 0x2000, 0x3000
		kernel, fast   = guestCode + 0x1000, guestCode + 0x2000
		stack0, stack3 = 0x40000, 0x50000
		rounds         = 5000
	)
	back := word32([]byte{0xba}, guestCode+5+3)                         // sysexit to behind the SYSENTER
	back = append(word32(append(back, 0xb9), stack3), 0x43, 0x0f, 0x35) // mov ecx, stack3; inc ebx; sysexit
	// inc esi; int 80h; inc edi; sysenter; jmp to the start
	g := newGuest(t, 16<<20, []byte{0x46, 0xcd, 0x80, 0x47, 0x90, 0x90, 0x0f, 0x34, 0xeb, 0xf6})
	put64 := func(at uint32, v uint64) { g.WriteCode(at, binary.LittleEndian.AppendUint64(nil, v)) }
	for i, d := range []uint64{0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff} { // code and data of CPL 0, of CPL 3
		put64(gdt+8+8*uint32(i), d)
	}
	put64(idt+8*0x80, uint64(kernel&0xffff|8<<16)|uint64(kernel&^0xffff|0xee00)<<32) // an interrupt gate for CPL 3
	put64(tss+4, stack0|0x10<<32)
	g.WriteCode(kernel, []byte{0x40, 0xcf}) // inc eax; iret
	g.WriteCode(fast, back)
	g.GDTR, g.IDTR = cpu.TableReg{Base: gdt, Limit: 0x27}, cpu.TableReg{Base: idt, Limit: 0x7ff}
	g.Seg[cpu.TR] = cpu.Seg{Base: tss, Limit: 0x67, Sel: 0x28, Attr: cpu.AttrP | 0xb}
	g.SysenterCS, g.SysenterESP, g.SysenterEIP = 8, stack0, fast
	for i := range 6 {
		g.Seg[i].Sel, g.Seg[i].Attr = 0x23, g.Seg[i].Attr|cpu.AttrDPL
	}
	g.Seg[1].Sel = 0x1b
	g.CPL, g.R[4] = 3, stack3
	g.Reload()
	tr, err := amd64.Attach(g.CPU, 2, jit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	g.Run(rounds * 13)
	for i, r := range []string{0: "EAX", 3: "EBX", 6: "ESI", 7: "EDI"} {
		if r != "" && g.R[i] != rounds {
			t.Errorf("%s is %d, want %d", r, g.R[i], rounds)
		}
	}
	if got := tr.Stats.Inst + tr.Stats.Jump + tr.Stats.Miss; got > rounds/10 {
		t.Errorf("left %d times in %d rounds of 4 ways, want a few", got, rounds)
	}
	g.Attach(nil, 0)
	tr.Close()
}
