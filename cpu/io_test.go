package cpu

import (
	"fmt"
	"testing"
)

// TestPortRights: IOPL and the I/O permission bitmap (SDM vol. 1 19.5).
func TestPortRights(t *testing.T) {
	allow := func(r *rig, port uint32) {
		r.put(rigTSS+0x100+port/8, r.ram.Load8(rigTSS+0x100+port/8)&^(1<<(port%8)))
	}
	for _, row := range []struct {
		name  string
		setup func(r *rig)
		code  []byte
		want  string
	}{
		{"ring 0", func(r *rig) { r.ring(0) }, []byte{0xe4, 0x47}, ""},
		{"denied", func(r *rig) {}, []byte{0xe4, 0x47}, "13(0)"},
		{"IOPL", func(r *rig) { r.flags(flagIOPL, 0) }, []byte{0xe4, 0x47}, ""},
		{"allowed", func(r *rig) { allow(r, 0x47) }, []byte{0xe4, 0x47}, ""},
		{"word needs both", func(r *rig) { allow(r, 0x47) }, []byte{0x66, 0xe5, 0x47}, "13(0)"},
		{"word across bytes", func(r *rig) { allow(r, 0x47); allow(r, 0x48) }, []byte{0x66, 0xe5, 0x47}, ""},
		{"dword", func(r *rig) {
			for p := range uint32(4) {
				allow(r, 0x46+p)
			}
		}, []byte{0xe5, 0x46}, ""},
		{"dword, last denied", func(r *rig) {
			for p := range uint32(3) {
				allow(r, 0x46+p)
			}
		}, []byte{0xe5, 0x46}, "13(0)"},
		{"OUT", func(r *rig) {}, []byte{0xe6, 0x47}, "13(0)"},
		{"INS", func(r *rig) {}, []byte{0x6c}, "13(0)"},
		{"OUTS", func(r *rig) {}, []byte{0x6e}, "13(0)"},
		{"no room for two bytes of map", func(r *rig) { allow(r, 0x47); r.Seg[segTR].Limit = 0x108 }, []byte{0xe4, 0x47}, "13(0)"},
		{"room for two bytes of map", func(r *rig) { allow(r, 0x47); r.Seg[segTR].Limit = 0x109 }, []byte{0xe4, 0x47}, ""},
		{"16-bit TSS has no map", func(r *rig) { allow(r, 0x47); r.Seg[segTR].Attr = AttrP | typeTSS16Busy }, []byte{0xe4, 0x47}, "13(0)"},
		{"TSS without map", func(r *rig) { allow(r, 0x47); r.Seg[segTR].Limit = 0x66 }, []byte{0xe4, 0x47}, "13(0)"},
		{"V86 ignores IOPL", func(r *rig) { r.v86(3) }, []byte{0xe4, 0x47}, "13(0)"},
		{"V86 allowed", func(r *rig) { r.v86(0); allow(r, 0x47) }, []byte{0xe4, 0x47}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t)
			for i := range uint32(0x40) {
				r.put32(rigTSS+0x100+4*i, 0xffffffff)
			}
			r.ring(3)
			r.R[edx], r.R[edi], r.R[esi] = 0x47, rigData, rigData
			row.setup(r)
			if got := r.exec(row.code...); got != row.want {
				t.Fatalf("got %q, want %q", got, row.want)
			}
			r.wantf((len(r.ports.log) == 0) == (row.want != ""), "ports: %v", r.ports.log)
		})
	}
}

// TestPorts: what reaches the bus, and the registers.
func TestPorts(t *testing.T) {
	for _, row := range []struct {
		name string
		code []byte
		log  string
		eax  uint32
	}{
		{"IN AL,imm", []byte{0xe4, 0x80}, "[in1 80]", 0x11111188},
		{"IN AX,DX", []byte{0x66, 0xed}, "[in2 3f8]", 0x11117788},
		{"IN EAX,DX", []byte{0xed}, "[in4 3f8]", 0x55667788},
		{"OUT imm,AL", []byte{0xe6, 0x80}, "[out1 80=11]", 0x11111111},
		{"OUT DX,EAX", []byte{0xef}, "[out4 3f8=11111111]", 0x11111111},
	} {
		r := newRig(t)
		r.ports.val = 0x55667788
		r.R[eax], r.R[edx] = 0x11111111, 0xabcd03f8
		if got := r.exec(row.code...); got != "" {
			t.Fatal(got)
		}
		r.wantf(fmt.Sprint(r.ports.log) == row.log && r.R[eax] == row.eax, "%s: %v, EAX %x", row.name, r.ports.log, r.R[eax])
	}
}

// TestStringPorts: REP INS and OUTS count an iteration as an instruction, and
// restart where they stopped.
func TestStringPorts(t *testing.T) {
	r := newRig(t)
	r.ports.val = 0x5a
	r.R[edx], r.R[edi], r.R[ecx] = 0x3f8, rigData, 3
	r.put(rigCode, 0xf3, 0x6c, 0x90)
	start := r.Retired
	for i := range uint32(3) {
		r.CPU.Run(1)
		r.wantf(r.R[ecx] == 2-i && r.R[edi] == rigData+1+i && r.Retired == start+uint64(i)+1, "iteration %d: ECX %d, EDI %x, retired %d", i, r.R[ecx], r.R[edi], r.Retired-start)
		at := uint32(rigCode)
		if i == 2 {
			at += 2
		}
		r.wantf(r.EIP == at, "iteration %d: EIP %x", i, r.EIP)
	}
	r.wantf(r.get32(rigData) == 0x5a5a5a, "memory %x", r.get32(rigData))
	r.ring(0)
	r.put(rigCode, 0xf3, 0x6c)
	r.CPU.Run(1)
	r.wantf(r.EIP == rigCode+2 && len(r.ports.log) == 3, "ECX 0: EIP %x, ports %v", r.EIP, r.ports.log)

	r = newRig(t)
	r.put32(rigData, 0x44332211)
	r.R[edx], r.R[esi], r.R[ecx] = 0x80, rigData+2, 2
	r.flags(flagDF, 0)
	r.put(rigCode, 0xf3, 0x66, 0x6f)
	r.CPU.Run(2)
	r.wantf(fmt.Sprint(r.ports.log) == "[out2 80=4433 out2 80=2211]" && r.R[esi] == rigData-2, "%v, ESI %x", r.ports.log, r.R[esi])
}

// TestStringPortRights: without the right to access the port, INS and OUTS are
// #GP(0) with any prefix and any count.
func TestStringPortRights(t *testing.T) {
	for _, op := range []byte{0x6c, 0x6d, 0x6e, 0x6f} {
		for _, prefix := range [][]byte{nil, {0xf3}, {0xf2}, {0x67, 0xf3}} {
			for _, count := range []uint32{0, 1, 0x10000} {
				r := newRig(t)
				r.ring(3)
				r.R[ecx], r.R[edx], r.R[esi], r.R[edi] = count, 0xffff, rigData, rigData
				if got := r.exec(append(prefix[:len(prefix):len(prefix)], op)...); got != "13(0)" {
					t.Errorf("% x %x, count %x: %q", prefix, op, count, got)
				}
				r.wantf(len(r.ports.log) == 0, "% x %x, count %x: ports %v", prefix, op, count, r.ports.log)
			}
		}
	}
}

// TestPortBreakpoint: an I/O breakpoint traps behind the instruction.
func TestPortBreakpoint(t *testing.T) {
	for _, row := range []struct {
		name string
		cr4  uint32
		code []byte
		want string
	}{
		{"hit", cr4DE, []byte{0xe4, 0x81, 0x90}, "1"},
		{"last byte of a dword", cr4DE, []byte{0xe5, 0x7e, 0x90}, "1"},
		{"below", cr4DE, []byte{0xe4, 0x7f, 0x90}, ""},
		{"above", cr4DE, []byte{0xe4, 0x82, 0x90}, ""},
		{"without DE", 0, []byte{0xe4, 0x81, 0x90}, ""},
	} {
		r := newRig(t)
		r.CR4 |= row.cr4
		r.DR[1] = 0x80
		r.DR[7] |= 2<<2 | breakIO<<20 | 1<<22 // two bytes
		r.Reload()
		r.put(rigCode, row.code...)
		got := r.run(2)
		r.wantf(got == row.want, "%s: got %q, want %q", row.name, got, row.want)
		if got != "" {
			r.wantf(r.DR[6]&0xf == 2 && r.stack(0) == rigCode+2, "%s: DR6 %x, saved EIP %x", row.name, r.DR[6], r.stack(0))
		}
	}
}

// resetPort resets the CPU on any write, as a chip set's reset register does.
type resetPort struct{ c *CPU }

func (p resetPort) In(uint16, int) uint32   { return 0 }
func (p resetPort) Out(uint16, int, uint32) { p.c.Reset() }

// TestResetPort: a reset out of an instruction takes effect behind it.
func TestResetPort(t *testing.T) {
	r := newRig(t)
	r.CPU.ports = resetPort{r.CPU}
	r.put(rigCode, 0xe6, 0x64, 0x90)
	start := r.Retired
	r.CPU.Run(1)
	r.wantf(r.EIP == 0xfff0 && r.Seg[segCS].Base == 0xffff0000 && r.CR0&cr0PE == 0 && r.Retired == start+1,
		"CS:EIP %x:%x, CR0 %x, %d retired", r.Seg[segCS].Base, r.EIP, r.CR0, r.Retired-start)
}
