package cpu

import (
	"slices"
	"testing"
)

// crossed is a program of rounds: code at CPL 3 calls a kernel, which returns. EBP
// counts the rounds, EBX and EDI collect what the two see.
type crossed struct {
	name  string
	setup func(r *rig)
	// before is the program's, in front of its call; first, each, change and back are the
	// kernel's, at once, in each round, in one of 16, and 8 rounds later.
	before, first, each, change, back []byte
	sysenter                          bool
	// faults says that exceptions come, which a handler in segment recover answers by
	// undoing what has been changed, if it may, and beginning the next round.
	faults  bool
	recover uint16
	ends    bool // by a shutdown, in the 16th round
}

// Where the parts are.
const (
	crossKernel    = rigTarget
	crossKernel2   = rigTarget + 0x600 // another entry, which goes there
	crossRecover   = rigTarget + 0x800
	crossRecover16 = 0x7000          // the same for gates of 16 bits
	crossBack      = rigCode + 0x200 // where SYSEXIT returns to
	crossProbe     = rigCode + 0x300
	crossTop       = rigStack0 - 0x1000
)

// store64 is MOV [at], d in two halves.
func store64(at uint32, d uint64) []byte {
	return cat(store32(at, uint32(d)), store32(at+4, uint32(d>>32)))
}

func store32(at, v uint32) []byte { return cat([]byte{0xc7, 0x05}, imm32(at), imm32(v)) }

func store16(at uint32, v uint16) []byte { return cat([]byte{0x66, 0xc7, 0x05}, imm32(at), imm16(v)) }

// onFrame makes an instruction of the ALU on word i of what the kernel returns by: 1 is OR,
// 4 AND, 6 XOR; setFrame is MOV.
func onFrame(op byte, i uint32, v uint32) []byte {
	return cat([]byte{0x81, 0x44 | op<<3, 0x24, byte(4 * i)}, imm32(v))
}

func setFrame(i uint32, v uint32) []byte {
	return cat([]byte{0xc7, 0x44, 0x24, byte(4 * i)}, imm32(v))
}

// readData is MOV EAX, [rigData + off].
func readData(off uint32) []byte { return cat([]byte{0xa1}, imm32(rigData+off)) }

// flagged loads EFLAGS.
func flagged(v uint32) []byte { return cat([]byte{0x68}, imm32(v), []byte{0x9d}) } // push; popf

// writeMSR is WRMSR.
func writeMSR(msr, v uint32) []byte {
	return cat([]byte{0xb9}, imm32(msr), []byte{0xb8}, imm32(v), []byte{0x31, 0xd2, 0x0f, 0x30}) // mov ecx; mov eax; xor edx, edx; wrmsr
}

// moveFrame copies what is returned by to another place, makes that the stack, and reads
// from it.
func moveFrame(to uint32) []byte {
	return cat([]byte{0x56, 0x57, 0x8d, 0x74, 0x24, 8, 0xbf}, imm32(to), []byte{0xb9, 5, 0, 0, 0, 0xfc, 0xf3, 0xa5, 0x5f, 0x5e, 0xbc}, imm32(to), []byte{0x8b, 0x04, 0x24}) // push esi, edi; lea esi, [esp+8]; mov edi; mov ecx, 5; cld; rep movsd; pop edi, esi; mov esp; mov eax, [esp]
}

const (
	crossCode3 = uint64(0x00cffb000000ffff) // flat code of CPL 3, accessed
	crossData3 = uint64(0x00cff3000000ffff)
	crossCode0 = uint64(0x00cf9b000000ffff)
	crossData0 = uint64(0x00cf93000000ffff)
)

// changed writes one of two values at an address.
func changed(at uint32, there, here uint64) (change, back []byte) {
	return store64(at, there), store64(at, here)
}

// code puts the parts together.
func (x *crossed) code(r *rig) {
	r.OnFault(nil) // who is told of interrupts has them interpreted
	r.ring(3)
	r.flags(flagIF, 0)
	for sel, d := range map[uint16]uint64{selCode0: crossCode0, selData0: crossData0, selCode3: crossCode3, selData3: crossData3} {
		r.gdt(sel, d)
	}
	r.idt(0x80, gate(selCode0, crossKernel, typeInt32, 3, 0))
	r.put32(rigTSS+4, crossTop)
	r.SysenterCS, r.SysenterESP, r.SysenterEIP = selCode0, crossTop, crossKernel
	recover := x.recover
	if recover == 0 {
		recover = selCode0
	}
	for _, v := range []uint8{vecDB, vecDF, vecTS, vecNP, vecSS, vecGP, vecPF, vecAC} {
		r.idt(v, gate(recover, crossRecover, typeInt32, 3, 0))
	}
	if x.setup != nil {
		x.setup(r)
	}
	enter, leave, seen := intn(0x80), []byte{0xcf}, []byte{ // add edi, [esp]; rol edi, 1; add, [esp+4]; xor, [esp+8]; add, [esp+12], [esp+16]
		0x03, 0x3c, 0x24, 0xd1, 0xc7, 0x03, 0x7c, 0x24, 4, 0x33, 0x7c, 0x24, 8, 0x03, 0x7c, 0x24, 12, 0x03, 0x7c, 0x24, 16}
	if x.sysenter {
		enter = []byte{0x0f, 0x34}
		seen = []byte{0x01, 0xe7, 0x9c, 0x58, 0xd1, 0xc7, 0x31, 0xc7} // add edi, esp; pushf; pop eax; rol edi, 1; xor edi, eax
		leave = cat([]byte{0xba}, imm32(crossBack), []byte{0xb9}, imm32(rigStack3), []byte{0x0f, 0x35})
	}
	after := []byte{0x9c, 0x5a, 0x11, 0xd3, 0x8c, 0xd2, 0x01, 0xd3, 0x8c, 0xe2, 0x01, 0xd3, 0x8c, 0xea, 0x11, 0xd3, 0x8c, 0xca, 0x01, 0xd3, 0x01, 0xe3} // pushf; pop edx; adc ebx, edx; mov edx, ss, fs, gs, cs; add ebx, edx; add ebx, esp
	b := cat([]byte{0x45}, x.before, enter)
	if x.sysenter {
		r.put(crossBack, cat(after, jumpTo(crossBack+uint32(len(after)), rigCode))...)
	} else {
		b = cat(b, after)
		b = cat(b, jumpTo(uint32(len(b)), 0))
	}
	r.put(rigCode, b...)
	over := func(part []byte) []byte { return cat([]byte{0x0f, 0x85}, imm32(uint32(len(part))), part) } // jnz
	k := cat(x.first, seen, x.each, []byte{0xf7, 0xc5}, imm32(15), over(x.change))                      // test ebp, 15
	k = cat(k, []byte{0x8d, 0x55, 8, 0xf6, 0xc2, 15}, over(x.back), leave)                              // lea edx, [ebp+8]; test dl, 15
	r.put(crossKernel, k...)
	r.put(crossKernel2, cat([]byte{0x83, 0xc7, 7}, jumpTo(crossKernel2+3, crossKernel))...) // add edi, 7
	// The next round is begun whatever has been on the stack.
	again := x.back
	if recover == selConf0 { // at CPL 3
		again = cat(again, []byte{0xbc}, imm32(rigStack3), []byte{0x46, 0x6a, 2, 0x9d, 0xea}, imm32(rigCode), imm16(selCode3)) // mov esp; inc esi; push 2; popf; jmp
	} else {
		again = cat(again, []byte{0xbc}, imm32(crossTop-20), setFrame(0, rigCode), setFrame(1, selCode3), setFrame(2, flagIF|2), setFrame(3, rigStack3), setFrame(4, selData3))
		again = cat(again, []byte{0x66, 0xb8}, imm16(selData3), []byte{0x8e, 0xd8, 0x8e, 0xc0, 0x46, 0xcf}) // mov ax; mov ds, es; inc esi; iret
	}
	r.put(crossRecover, again...)
	r.put(crossRecover16, jumpTo(crossRecover16, crossRecover)...)
	r.Reload()
}

// TestCrossings: a call of the kernel and its return lead where the tables and registers
// say, and leave what they have to, though they have gone the same way many times.
func TestCrossings(t *testing.T) {
	for _, row := range slices.Concat(crossGates(), crossFrames(), crossKernels(), crossSysenters()) {
		t.Run(row.name, func(t *testing.T) {
			w := newTwins(t, row.code)
			w.run(2500, 1<<30)
			if !row.ends {
				w.run(1000, 7)
			}
			w.compareRAM()
			if got := w.tested.R[ebp]; got < 35 && !row.ends || row.ends != w.tested.Shutdown {
				t.Errorf("%d rounds, shut down: %t", got, w.tested.Shutdown)
			}
			if row.faults != (w.tested.R[esi] != 0) {
				t.Errorf("%d exceptions", w.tested.R[esi])
			}
		})
	}
}
