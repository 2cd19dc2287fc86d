package cpu

import (
	"fmt"
	"testing"
)

// crossed is a program of rounds: code at CPL 3 calls a kernel, which returns. EBP
// counts the rounds, EBX and EDI collect what the two see.
type crossed struct {
	name  string
	setup func(r *rig)
	// before is the program's, in front of its call; each, change and back are the
	// kernel's, in each round, in one of 16, and 8 rounds later.
	before, each, change, back []byte
	sysenter                   bool
	// faults says that exceptions come, which a handler in segment recover answers by
	// undoing what has been changed, if it may, and beginning the next round.
	faults  bool
	recover uint16
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

// moveFrame copies what is returned by to another place and makes that the stack.
func moveFrame(to uint32) []byte {
	return cat([]byte{0x56, 0x57, 0x8d, 0x74, 0x24, 8, 0xbf}, imm32(to), []byte{0xb9, 5, 0, 0, 0, 0xfc, 0xf3, 0xa5, 0x5f, 0x5e, 0xbc}, imm32(to)) // push esi, edi; lea esi, [esp+8]; mov edi; mov ecx, 5; cld; rep movsd; pop edi, esi; mov esp
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

func crossings() []crossed {
	gateNow := gate(selCode0, crossKernel, typeInt32, 3, 0)
	at := uint32(rigIDT + 8*0x80)
	ofGate := func(name string, d uint64, faults bool) crossed {
		change, back := changed(at, d, gateNow)
		return crossed{name: "gate, " + name, change: change, back: back, faults: faults}
	}
	// The kernel's own segments for the gate, so that those of exceptions stay.
	ofKernel := func(name string, sel uint16, there, here uint64, faults bool) crossed {
		change, back := changed(rigGDT+uint32(sel&^7), there, here)
		return crossed{name: name, change: change, back: back, faults: faults, recover: selConf0, setup: func(r *rig) {
			r.gdt(sel, here)
			if sel == selTest {
				r.idt(0x80, gate(selTest, crossKernel, typeInt32, 3, 0))
				return
			}
			r.put32(rigTSS+8, uint32(sel))
		}}
	}
	ofUser := func(name string, sel uint16, there, here uint64, faults bool) crossed {
		change, back := changed(rigGDT+uint32(sel&^7), there, here)
		return crossed{name: "a program's segment, " + name, change: change, back: back, faults: faults}
	}
	top := func(name string, esp uint32) crossed {
		return crossed{name: "stack, " + name, change: store32(rigTSS+4, esp), back: store32(rigTSS+4, crossTop)}
	}
	frame := func(name string, faults bool, change ...[]byte) crossed {
		return crossed{name: "frame, " + name, change: cat(change...), faults: faults}
	}
	tables := func(r *rig) { // copies of IDT and GDT, and what loads each
		for i := range uint32(0x100) {
			r.put64(rigData+0x1000+8*i, uint64(r.get32(rigIDT+8*i))|uint64(r.get32(rigIDT+8*i+4))<<32)
		}
		for i := range uint32(rigGDTLimit/8 + 1) {
			r.put64(rigData+0x2000+8*i, uint64(r.get32(rigGDT+8*i))|uint64(r.get32(rigGDT+8*i+4))<<32)
		}
		r.put64(rigData+0x1000+8*0x80, gate(selCode0, crossKernel2, typeTrap32, 3, 0))
		r.put64(rigData+0x2000+selTest, crossCode0&^0xffff|0x7fff) // shorter
		for i, base := range []uint32{rigIDT, rigData + 0x1000, rigGDT, rigData + 0x2000} {
			limit := uint16(0x7ff)
			if i >= 2 {
				limit = rigGDTLimit
			}
			r.put16(rigData+0x100+8*uint32(i), limit)
			r.put32(rigData+0x102+8*uint32(i), base)
		}
	}
	lidt := func(i uint32) []byte { return cat([]byte{0x0f, 0x01, 0x1d}, imm32(rigData+0x100+8*i)) }
	lgdt := func(i uint32) []byte { return cat([]byte{0x0f, 0x01, 0x15}, imm32(rigData+0x100+8*i)) }
	ltr := func(sel uint16) []byte { // of one that is not busy
		return cat([]byte{0x80, 0x25}, imm32(rigGDT+uint32(sel)+5), []byte{0xfd, 0x66, 0xb8}, imm16(sel), []byte{0x0f, 0x00, 0xd8}) // and byte, ~2; mov ax; ltr ax
	}
	waits := func(r *rig) { // an OUT has an interrupt wait
		r.ack = func() uint8 { r.SetINTR(false); return 0x40 }
		r.ports.onOut = func(uint32) { r.SetINTR(true) }
		r.idt(0x40, gate(selCode0, rigTarget+0xc00, typeInt32, 0, 0))
		r.put(rigTarget+0xc00, 0x6b, 0xff, 31, 0x03, 0x3c, 0x24, 0xcf) // imul edi, edi, 31; add edi, [esp]; iret
	}
	out := []byte{0xe6, 0x80}
	apart := func(r *rig) { // the program's pages from the kernel's, by SMAP too
		r.apart(false, 7)
		for lin := uint32(0); lin < rigRAM; lin += 0x1000 {
			if lin == rigCode || lin >= rigStack3-0x1000 && lin <= rigStack3 || lin == rigData {
				r.put32(rigPages+0x1000+lin>>10, lin|7)
			}
		}
		r.CR4 |= cr4SMAP
	}
	rows := []crossed{
		{name: "the same"},
		ofGate("another entry", gate(selCode0, crossKernel2, typeInt32, 3, 0), false),
		ofGate("a trap gate", gate(selCode0, crossKernel, typeTrap32, 3, 0), false),
		ofGate("of 16 bits", gate(selCode0, crossRecover16, typeInt16, 3, 0), true),
		ofGate("of the kernel", gate(selCode0, crossKernel, typeInt32, 0, 0), true),
		ofGate("not present", absent(gateNow), true),
		ofGate("a task gate of no task", gate(selTSS16, 0, typeTask, 3, 0), true),
		ofKernel("kernel code, shorter", selTest, crossCode0&^0xf0000_00000000, crossCode0, false),
		ofKernel("kernel code, of CPL 3", selTest, crossCode3, crossCode0, false),
		ofKernel("kernel code, data", selTest, crossData0, crossCode0, true),
		ofKernel("kernel code, not present", selTest, absent(crossCode0), crossCode0, true),
		ofKernel("kernel code, not accessed", selTest, crossCode0&^(1<<40), crossCode0, false),
		ofKernel("kernel stack, with a base", selTest2, crossData0|0x40<<16, crossData0, false),
		ofKernel("kernel stack, shorter", selTest2, crossData0&^0xf0000_00000000, crossData0, false),
		ofKernel("kernel stack, read-only", selTest2, crossData0&^(2<<40), crossData0, true),
		ofKernel("kernel stack, not present", selTest2, absent(crossData0), crossData0, true),
		{name: "kernel stack, another selector", setup: func(r *rig) { r.gdt(selTest, crossData0) }, change: store16(rigTSS+8, selTest), back: store16(rigTSS+8, selData0)},
		{name: "kernel stack, no selector", change: store16(rigTSS+8, 0), back: store16(rigTSS+8, selData0), faults: true, recover: selConf0},
		top("elsewhere", rigStack0-0x2000), top("not aligned", crossTop-0x101), top("not aligned to 4", crossTop-0x102),
		top("over the end of a page", crossTop+0x108), top("the first frame of a page", crossTop+20), top("over its begin", crossTop+16),
		top("among code", crossKernel+0x1f0), top("where the handler is", crossKernel+0x24),
		{name: "IDT", setup: tables, change: lidt(1), back: lidt(0)},
		{name: "GDT", setup: func(r *rig) {
			r.gdt(selTest, crossCode0)
			r.idt(0x80, gate(selTest, crossKernel, typeInt32, 3, 0))
			tables(r)
		}, change: lgdt(3), back: lgdt(2)},
		{name: "TR", setup: func(r *rig) {
			r.put32(rigTSS2+4, crossTop-0x400)
			r.put32(rigTSS2+8, selData0)
		}, change: ltr(selTSS2), back: ltr(selTSS)},
		{name: "two vectors", setup: func(r *rig) {
			r.idt(0x81, gate(selCode0, crossKernel2, typeInt32, 3, 0))
		}, before: []byte{0xcd, 0x81}},
		{name: "AC", before: cat([]byte{0x89, 0xe8, 0xc1, 0xe0, 16, 0x25}, imm32(flagAC), []byte{0x0d}, imm32(flagIF|2), []byte{0x50, 0x9d})}, // mov eax, ebp; shl eax, 16; and; or; push eax; popf
		{name: "AC, SMAP", setup: apart, before: flagged(flagAC | flagIF | 2), change: readData(0), each: []byte{0x0f, 0x01, 0xcb, 0x0f, 0x01, 0xca}, faults: true},
		{name: "alignment checks", setup: func(r *rig) { r.CR0 |= cr0AM }, before: readData(1), change: onFrame(1, 2, flagAC), faults: true},
		{name: "NT", before: cat([]byte{0x89, 0xe8, 0xc1, 0xe0, 12, 0x25}, imm32(flagNT), []byte{0x0d}, imm32(flagIF|2), []byte{0x50, 0x9d})},
		{name: "flags", before: cat([]byte{0x69, 0xc5}, imm32(0x9e3779b1), []byte{0x25}, imm32(arithFlags|flagDF), []byte{0x0d}, imm32(flagIF|2), []byte{0x50, 0x9d})}, // imul eax, ebp, ...
		frame("IF clear", false, onFrame(4, 2, ^uint32(flagIF))), frame("DF", false, onFrame(6, 2, flagDF)), frame("arithmetic flags", false, onFrame(6, 2, arithFlags)),
		frame("IOPL", false, onFrame(6, 2, flagIOPL)), frame("RF", false, onFrame(1, 2, flagRF)), frame("AC", false, onFrame(1, 2, flagAC)), frame("TF", true, onFrame(1, 2, flagTF)),
		frame("ID", false, onFrame(1, 2, 1<<21)), frame("NT", false, onFrame(1, 2, flagNT)), frame("VIF", false, onFrame(1, 2, 3<<19)), frame("reserved flags", false, onFrame(6, 2, 0xffc0802a)),
		frame("VM", true, onFrame(1, 2, flagVM)),
		frame("other code", false, store64(rigGDT+selTest, crossCode3), setFrame(1, selTest|3)),
		frame("code that is shorter", false, store64(rigGDT+selTest, crossCode3&^0xf0000_00000000), setFrame(1, selTest|3)),
		frame("code of another ring", true, setFrame(1, selCode1)), frame("code of ring 0 with an RPL", true, setFrame(1, selCode0|3)), frame("no code", true, setFrame(1, 0)),
		frame("ring 0", true, setFrame(1, selCode0), setFrame(0, crossRecover)),
		frame("another stack", false, store64(rigGDT+selTest, crossData3), setFrame(4, selTest|3)), frame("a stack with a base", false, store64(rigGDT+selTest, crossData3|0x40<<16), setFrame(4, selTest|3)),
		frame("stack of ring 0", true, setFrame(4, selData0)), frame("no stack", true, setFrame(4, 3)), frame("another ESP", false, setFrame(3, rigStack3-0x40)), frame("another EIP", false, setFrame(0, rigCode)),
		frame("upper halves of selectors", false, onFrame(1, 1, 0xabcd0000), onFrame(1, 4, 0x12340000)),
		frame("not aligned", false, moveFrame(crossTop-0x203)), frame("not aligned to 4", false, moveFrame(crossTop-0x202)), frame("over the end of a page", false, moveFrame(crossTop-0x1008)), frame("the last of a page", false, moveFrame(crossTop-0x1014)),
		ofUser("shorter code", selCode3, crossCode3&^0xf0000_00000000, crossCode3, false), ofUser("code not present", selCode3, absent(crossCode3), crossCode3, true), ofUser("code, data", selCode3, crossData3, crossCode3, true),
		ofUser("stack with a base", selData3, crossData3|0x40<<16, crossData3, false), ofUser("stack read-only", selData3, crossData3&^(2<<40), crossData3, true),
		{name: "NT in the kernel", change: cat(flagged(flagNT|2), []byte{0x90}), faults: true},
		{name: "AC in the kernel", change: flagged(flagAC | 2)},
		{name: "a kernel's FS", each: []byte{0x66, 0xb8, selData0, 0, 0x8e, 0xe0}, change: cat([]byte{0x66, 0xb8}, imm16(selData3), []byte{0x8e, 0xe0})}, // mov ax; mov fs, ax
		{name: "a kernel's GS", change: cat([]byte{0x66, 0xb8}, imm16(selData0), []byte{0x8e, 0xe8}), back: cat([]byte{0x66, 0xb8}, imm16(selData3), []byte{0x8e, 0xe8})},
		{name: "a kernel's ES", change: cat([]byte{0x66, 0xb8}, imm16(selData0), []byte{0x8e, 0xc0}), back: cat([]byte{0x66, 0xb8}, imm16(selData3), []byte{0x8e, 0xc0})},
		{name: "a kernel's DS", before: readData(0), change: cat([]byte{0x66, 0xb8}, imm16(selData0), []byte{0x8e, 0xd8}), faults: true},
		{name: "conforming code in FS", each: []byte{0x66, 0xb8, selConf0, 0, 0x8e, 0xe0}},
		{name: "an interrupt waits for IRET", setup: waits, change: out, each: []byte{0x90}},
		{name: "an interrupt waits, and IF stays clear", setup: waits, change: cat(out, onFrame(4, 2, ^uint32(flagIF))), back: onFrame(1, 2, flagIF)},
		{name: "an interrupt in a trap's handler", setup: func(r *rig) {
			waits(r)
			r.idt(0x80, gate(selCode0, crossKernel, typeTrap32, 3, 0))
		}, change: out, each: []byte{0x90}},
		{name: "an NMI's handler that does not return by IRET", setup: func(r *rig) {
			r.ports.onOut = func(uint32) { r.NMI() }
			r.idt(2, gate(selCode0, rigTarget+0xc00, typeInt32, 0, 0))
			r.put(rigTarget+0xc00, 0x58, 0x83, 0xc4, 8, 0xff, 0xe0) // pop eax; add esp, 8; jmp eax
		}, change: out, each: []byte{0x90}},
		{name: "SMAP", setup: apart, change: readData(0), faults: true},
		{name: "a program that reads what is the kernel's", setup: func(r *rig) {
			apart(r)
			r.put(crossProbe, cat([]byte{0xa1}, imm32(rigTarget), []byte{0x47}, jumpTo(crossProbe+6, rigCode))...) // mov eax, [rigTarget]; inc edi; jmp
		}, change: setFrame(0, crossProbe), faults: true},
		{name: "mapped anew", setup: func(r *rig) {
			r.paging32()
			for i := range uint32(0x1000) {
				r.put(rigData+0x1000+i, byte(r.get32(rigIDT+i)))
			}
			r.put64(rigData+0x1000+8*0x80, gate(selCode0, crossKernel2, typeInt32, 3, 0))
		}, change: cat(store32(rigPages+0x1000+rigIDT>>10, rigData+0x1000|7), []byte{0x0f, 0x01, 0x3d}, imm32(rigIDT)), back: cat(store32(rigPages+0x1000+rigIDT>>10, rigIDT|7), []byte{0x0f, 0x01, 0x3d}, imm32(rigIDT))}, // invlpg
		{name: "stack page read-only", setup: func(r *rig) { r.paging32(); r.CR0 |= cr0WP; r.put32(rigTSS+4, rigStack0-0x4000) },
			change: cat(store32(rigPages+0x1000+(rigStack0-0x5000)>>10, (rigStack0-0x5000)|5), []byte{0x0f, 0x01, 0x3d}, imm32(rigStack0-0x5000)), faults: true, recover: selConf0,
			back: cat(store32(rigPages+0x1000+(rigStack0-0x5000)>>10, (rigStack0-0x5000)|7))},
	}
	ofSysenter := func(name string, setup func(*rig), faults bool, before, each, change, back []byte) crossed {
		return crossed{name: "SYSENTER, " + name, setup: setup, before: before, each: each, change: change, back: back, sysenter: true, faults: faults}
	}
	sysenterCS := func(sel uint32) []byte { return writeMSR(0x174, sel) }
	return append(rows,
		ofSysenter("the same", nil, false, nil, nil, nil, nil),
		ofSysenter("another segment", nil, false, nil, nil, sysenterCS(0x108), sysenterCS(selCode0)),
		ofSysenter("no segment at all", nil, true, nil, nil, sysenterCS(0), sysenterCS(selCode0)),
		ofSysenter("no segment, and then one", nil, true, nil, nil, sysenterCS(1), sysenterCS(selCode0)),
		ofSysenter("another entry and stack", nil, false, nil, nil, cat(writeMSR(0x176, crossKernel2), writeMSR(0x175, crossTop-0x80)), cat(writeMSR(0x176, crossKernel), writeMSR(0x175, crossTop))),
		ofSysenter("flags", nil, false, cat([]byte{0x69, 0xc5}, imm32(0x9e3779b1), []byte{0x25}, imm32(arithFlags|flagDF|flagNT|flagAC), []byte{0x0d}, imm32(flagIF|2), []byte{0x50, 0x9d}), []byte{0xfb, 0x90}, nil, nil),
		ofSysenter("AC in the kernel, alignment checks", func(r *rig) { r.CR0 |= cr0AM }, true, readData(1), flagged(flagIF|2), flagged(flagAC|flagIF|2), nil),
		ofSysenter("interrupts", waits, false, nil, []byte{0xfb, 0x90}, out, out),
		ofSysenter("an interrupt waits with IF clear", waits, false, nil, nil, out, []byte{0xfb, 0x90}),
	)
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
	k := cat(seen, x.each, []byte{0xf7, 0xc5}, imm32(15), over(x.change))                               // test ebp, 15
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
	for _, row := range crossings() {
		for _, slice := range []int{1 << 30, 7} {
			t.Run(fmt.Sprintf("%s/%d", row.name, slice), func(t *testing.T) {
				w := newTwins(t, row.code)
				w.run(3000, slice)
				w.compareRAM()
				if got := w.tested.R[ebp]; got < 35 {
					t.Errorf("%d rounds", got)
				}
				if row.faults != (w.tested.R[esi] != 0) {
					t.Errorf("%d exceptions", w.tested.R[esi])
				}
			})
		}
	}
}
