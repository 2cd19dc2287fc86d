package cpu

import (
	"fmt"
	"testing"
)

// FuzzSystem runs arbitrary code over arbitrary descriptor tables, task-state
// segments and page tables: whatever the guest does, Run comes back in time and
// retires no more than it was asked to.
func FuzzSystem(f *testing.F) {
	f.Add([]byte{0x0f, 0x0b}, []byte{}, uint8(0))
	f.Add([]byte{0xcd, 0x60}, []byte{0x80, 0, 0x28, 0, 0, 0x85, 0, 0}, uint8(3))
	f.Add([]byte{0xcf}, []byte{0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0}, uint8(0x13))
	f.Add([]byte{0x9a, 0, 0, 0, 0, 0x30, 0}, []byte{}, uint8(0x40))
	f.Add([]byte{0x0f, 0x00, 0xd8, 0xcf}, []byte{0x67, 0, 0, 0x40, 0, 0x89, 0, 0}, uint8(0x20))
	f.Fuzz(func(t *testing.T, code, tables []byte, how uint8) {
		r := newRig(t)
		r.task2()
		if how&0x10 != 0 {
			r.paging32()
			r.put32(rigTSS2+tssCR3, r.CR3)
		}
		if how&0x20 != 0 {
			r.pagingPAE()
		}
		for i, v := range []uint8{vecGP, vecNP, vecDF, vecPF} {
			if how&0x40 != 0 {
				r.idt(v, gate(selTSS2, 0, typeTask, uint8(i), 0))
			}
		}
		// The tables from the input lie over the end of the rig's GDT, all
		// of its LDT and, further on, over IDT, TSS and page tables.
		for i, b := range tables {
			r.put(uint32(rigGDT+selTest+i*37%0x8000), b)
		}
		switch how & 3 {
		case 1, 3:
			r.ring(how & 3)
		case 2:
			r.v86(uint32(how >> 2 & 3))
		}
		if how&0x80 != 0 {
			r.flags(flagTF|flagNT, 0)
			r.DR[0], r.DR[7] = rigData, 0xf0001|dr7Fixed
			r.Reload()
		}
		if len(code) > 0x1000 {
			code = code[:0x1000]
		}
		r.put(r.Seg[segCS].Base+r.EIP, code...)
		start := r.Retired
		for i := range 20 {
			if i == 10 {
				r.CPU.NMI()
			}
			r.CPU.Run(50)
		}
		if n := r.Retired - start; n > 1000 {
			t.Errorf("%d retired, asked for 1000", n)
		}
		if r.R[8] != 0 {
			t.Errorf("the slot of absent registers is %x", r.R[8])
		}
	})
}

// BenchmarkSystemCall is an INT through an interrupt gate from ring 3 and the
// IRET back: two instructions and a delivery.
func BenchmarkSystemCall(b *testing.B) {
	for _, name := range []string{"INT", "SYSENTER"} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			r.OnFault(nil)
			r.paging32()
			r.ring(3)
			per := 3
			if name == "INT" {
				r.put(rigIntr+0x800, 0xcf)
				r.put(rigCode, 0xcd, 0x80, 0xeb, 0xfc)
			} else {
				r.SysenterCS, r.SysenterESP, r.SysenterEIP = selCode0, rigStack0, rigTarget
				r.put(rigCode, 0x0f, 0x34)
				r.R[edx], r.R[ecx] = rigCode, rigStack3
				r.put(rigTarget, 0x0f, 0x35)
				per = 2
			}
			b.ReportAllocs()
			b.ResetTimer()
			r.CPU.Run(b.N * per)
			if r.Shutdown || r.CPL != 3 && r.CPL != 0 {
				b.Fatal(fmt.Sprint(r.Fault, r.EIP))
			}
		})
	}
}
