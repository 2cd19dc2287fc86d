package cpu

// Rows of TestCrossings.

var (
	crossGateNow = gate(selCode0, crossKernel, typeInt32, 3, 0)
	crossOut     = []byte{0xe6, 0x80}
)

// crossGate changes the gate.
func crossGate(name string, d uint64, faults bool) crossed {
	change, back := changed(rigIDT+8*0x80, d, crossGateNow)
	return crossed{name: "gate, " + name, change: change, back: back, faults: faults}
}

// crossOfKernel changes one of the kernel's segments, which the gate has for itself, so
// that those of exceptions stay.
func crossOfKernel(name string, sel uint16, there, here uint64, faults bool) crossed {
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

// crossOfUser changes one of the program's.
func crossOfUser(name string, sel uint16, there, here uint64, faults bool) crossed {
	change, back := changed(rigGDT+uint32(sel&^7), there, here)
	return crossed{name: "a program's segment, " + name, change: change, back: back, faults: faults}
}

// crossAtTop changes where the kernel's stack begins, whose pages do not follow each other
// in memory. Each round reads the page of the kernel's code.
func crossAtTop(name string, esp uint32, faults bool) crossed {
	return crossed{name: "stack, " + name, setup: crossScattered, each: cat([]byte{0xa1}, imm32(crossKernel+0x300)), change: store32(rigTSS+4, esp), back: store32(rigTSS+4, crossTop), faults: faults}
}

func crossScattered(r *rig) {
	r.paging32()
	for page := uint32(crossTop - 0x3000); page <= crossTop; page += 0x1000 {
		r.put32(rigPages+0x1000+page>>10, 0x100000+(crossTop-page)|7)
	}
	for i, v := range []uint32{flagIF | flagCF | 2, rigStack3 - 0x80, selData3} { // as if a frame went on there
		r.put32(0x103000+4*uint32(i), v)
	}
}

// crossFrame changes what the kernel returns by.
func crossFrame(name string, faults bool, change ...[]byte) crossed {
	return crossed{name: "frame, " + name, setup: crossScattered, change: cat(change...), faults: faults}
}

// crossTables makes copies of IDT and GDT, and what loads each.
func crossTables(r *rig) {
	for i := range uint32(0x100) {
		r.put64(rigData+0x1000+8*i, uint64(r.get32(rigIDT+8*i))|uint64(r.get32(rigIDT+8*i+4))<<32)
	}
	for i := range uint32(rigGDTLimit/8 + 1) {
		r.put64(rigData+0x2000+8*i, uint64(r.get32(rigGDT+8*i))|uint64(r.get32(rigGDT+8*i+4))<<32)
	}
	r.put64(rigData+0x1000+8*0x80, gate(selCode0, crossKernel2, typeTrap32, 3, 0))
	r.put64(rigData+0x2000+selTest, absent(crossCode0))
	for i, base := range []uint32{rigIDT, rigData + 0x1000, rigGDT, rigData + 0x2000} {
		limit := uint16(0x7ff)
		if i >= 2 {
			limit = rigGDTLimit
		}
		r.put16(rigData+0x100+8*uint32(i), limit)
		r.put32(rigData+0x102+8*uint32(i), base)
	}
}

// loadIDT and loadGDT load table i of those.
func loadIDT(i uint32) []byte { return cat([]byte{0x0f, 0x01, 0x1d}, imm32(rigData+0x100+8*i)) }

func loadGDT(i uint32) []byte { return cat([]byte{0x0f, 0x01, 0x15}, imm32(rigData+0x100+8*i)) }

// loadTR loads a task-state segment, though it may be busy.
func loadTR(sel uint16) []byte {
	return cat([]byte{0x80, 0x25}, imm32(rigGDT+uint32(sel)+5), []byte{0xfd, 0x66, 0xb8}, imm16(sel), []byte{0x0f, 0x00, 0xd8}) // and byte, ~2; mov ax; ltr ax
}

// crossWaits has an interrupt wait behind each OUT.
func crossWaits(r *rig) {
	r.ack = func() uint8 { r.SetINTR(false); return 0x40 }
	r.ports.onOut = func(uint32) { r.SetINTR(true) }
	r.idt(0x40, gate(selCode0, rigTarget+0xc00, typeInt32, 0, 0))
	r.put(rigTarget+0xc00, 0x6b, 0xff, 31, 0x03, 0x3c, 0x24, 0xcf) // imul edi, edi, 31; add edi, [esp]; iret
}

// crossApart gives the program pages of its own, which the kernel is kept from by SMAP.
func crossApart(r *rig) {
	r.apart(false, 7)
	for lin := uint32(0); lin < rigRAM; lin += 0x1000 {
		if lin == rigCode || lin >= rigStack3-0x1000 && lin <= rigStack3 || lin == rigData {
			r.put32(rigPages+0x1000+lin>>10, lin|7)
		}
	}
	r.CR4 |= cr4SMAP
}

func crossSysenter(name string, setup func(*rig), faults bool, before, each, change, back []byte) crossed {
	return crossed{name: "SYSENTER, " + name, setup: setup, before: before, each: each, change: change, back: back, sysenter: true, faults: faults}
}

func setSysenterCS(sel uint32) []byte { return writeMSR(0x174, sel) }

func crossGates() []crossed {
	return []crossed{
		{name: "the same"},
		crossGate("another entry", gate(selCode0, crossKernel2, typeInt32, 3, 0), false),
		crossGate("a trap gate", gate(selCode0, crossKernel, typeTrap32, 3, 0), false),
		crossGate("of 16 bits", gate(selCode0, crossRecover16, typeInt16, 3, 0), true),
		crossGate("of the kernel", gate(selCode0, crossKernel, typeInt32, 0, 0), true),
		crossGate("not present", absent(crossGateNow), true),
		crossGate("a task gate of no task", gate(selData0, 0, typeTask, 3, 0), true),
		crossOfKernel("kernel code, shorter", selTest, crossCode0&^0xf0000_00000000, crossCode0, false),
		crossOfKernel("kernel code, of CPL 3", selTest, crossCode3, crossCode0, false),
		crossOfKernel("kernel code, data", selTest, crossData0, crossCode0, true),
		crossOfKernel("kernel code, not present", selTest, absent(crossCode0), crossCode0, true),
		crossOfKernel("kernel code, not accessed", selTest, crossCode0&^(1<<40), crossCode0, false),
		crossOfKernel("kernel stack, with a base", selTest2, crossData0|0x40<<16, crossData0, false),
		crossOfKernel("kernel stack, shorter", selTest2, crossData0&^0xf0000_00000000, crossData0, false),
		crossOfKernel("kernel stack, read-only", selTest2, crossData0&^(2<<40), crossData0, true),
		crossOfKernel("kernel stack, not present", selTest2, absent(crossData0), crossData0, true),
		{name: "kernel stack, another selector", setup: func(r *rig) { r.gdt(selTest, crossData0) }, change: store16(rigTSS+8, selTest), back: store16(rigTSS+8, selData0)},
		{name: "kernel stack, no selector", change: store16(rigTSS+8, 0), back: store16(rigTSS+8, selData0), faults: true, recover: selConf0},
		crossAtTop("elsewhere", rigStack0-0x2000, false), crossAtTop("not aligned", crossTop-0x101, false), crossAtTop("not aligned to 4", crossTop-0x102, false),
		crossAtTop("over the end of a page", crossTop-0x1000+8, false), crossAtTop("the first frame of a page", crossTop+20, false), crossAtTop("over its begin", crossTop+16, false),
		crossAtTop("among code", crossKernel+0x1f0, false), crossAtTop("where the handler is", crossKernel+0x24, true),
		{name: "IDT", setup: crossTables, change: loadIDT(1), back: loadIDT(0)},
		{name: "GDT", setup: func(r *rig) {
			r.gdt(selTest, crossCode0)
			r.idt(0x80, gate(selTest, crossKernel, typeInt32, 3, 0))
			crossTables(r)
		}, change: loadGDT(3), back: loadGDT(2), faults: true},
		{name: "TR", setup: func(r *rig) {
			r.put32(rigTSS2+4, crossTop-0x400)
			r.put32(rigTSS2+8, selData0)
		}, change: loadTR(selTSS2), back: loadTR(selTSS)},
		{name: "TR, too short for a stack", change: cat(store64(rigGDT+selTSS, segment(rigTSS, 7, AttrP|typeTSS32)), loadTR(selTSS)), ends: true},
		{name: "two vectors", setup: func(r *rig) {
			r.idt(0x81, gate(selCode0, crossKernel2, typeInt32, 3, 0))
		}, before: []byte{0xcd, 0x81}},
		{name: "AC", before: cat([]byte{0x89, 0xe8, 0xc1, 0xe0, 16, 0x25}, imm32(flagAC), []byte{0x0d}, imm32(flagIF|2), []byte{0x50, 0x9d})}, // mov eax, ebp; shl eax, 16; and; or; push eax; popf
		{name: "AC, SMAP", setup: crossApart, before: flagged(flagAC | flagIF | 2), change: readData(0), each: []byte{0x0f, 0x01, 0xcb, 0x0f, 0x01, 0xca}, faults: true},
		{name: "alignment checks", setup: func(r *rig) { r.CR0 |= cr0AM }, before: readData(1), change: onFrame(1, 2, flagAC), faults: true},
		{name: "NT", before: cat([]byte{0x89, 0xe8, 0xc1, 0xe0, 12, 0x25}, imm32(flagNT), []byte{0x0d}, imm32(flagIF|2), []byte{0x50, 0x9d})},
		{name: "flags", before: cat([]byte{0x69, 0xc5}, imm32(0x9e3779b1), []byte{0x25}, imm32(arithFlags|flagDF), []byte{0x0d}, imm32(flagIF|2), []byte{0x50, 0x9d})}, // imul eax, ebp, ...
	}
}

func crossFrames() []crossed {
	return []crossed{
		crossFrame("IF clear", false, onFrame(4, 2, ^uint32(flagIF))), crossFrame("DF", false, onFrame(6, 2, flagDF)), crossFrame("arithmetic flags", false, onFrame(6, 2, arithFlags)),
		crossFrame("IOPL", false, onFrame(6, 2, flagIOPL)), crossFrame("RF", false, onFrame(1, 2, flagRF)), crossFrame("AC", false, onFrame(1, 2, flagAC)), crossFrame("TF", true, onFrame(1, 2, flagTF)),
		crossFrame("ID", false, onFrame(1, 2, 1<<21)), crossFrame("NT", false, onFrame(1, 2, flagNT)), crossFrame("VIF", false, onFrame(1, 2, 3<<19)), crossFrame("reserved flags", false, onFrame(6, 2, 0xffc0802a)),
		crossFrame("VM", true, onFrame(1, 2, flagVM)),
		crossFrame("other code", false, store64(rigGDT+selTest, crossCode3), setFrame(1, selTest|3)),
		crossFrame("code that is shorter", false, store64(rigGDT+selTest, crossCode3&^0xf0000_00000000), setFrame(1, selTest|3)),
		crossFrame("code of another ring", true, setFrame(1, selCode1)), crossFrame("code of ring 0 with an RPL", true, setFrame(1, selCode0|3)), crossFrame("no code", true, setFrame(1, 0)),
		{name: "frame, no selectors, and nothing is known", setup: crossTables, each: cat([]byte{0xa1}, imm32(0)), change: cat(loadIDT(1), setFrame(1, 0), setFrame(4, 0)), back: loadIDT(0), faults: true},
		crossFrame("ring 0", true, setFrame(1, selCode0), setFrame(0, crossRecover)),
		crossFrame("another stack", false, store64(rigGDT+selTest, crossData3), setFrame(4, selTest|3)), crossFrame("a stack with a base", false, store64(rigGDT+selTest, crossData3|0x40<<16), setFrame(4, selTest|3)),
		crossFrame("stack of ring 0", true, setFrame(4, selData0)), crossFrame("no stack", true, setFrame(4, 3)), crossFrame("another ESP", false, setFrame(3, rigStack3-0x40)), crossFrame("another EIP", false, setFrame(0, rigCode)),
		crossFrame("upper halves of selectors", false, onFrame(1, 1, 0xabcd0000), onFrame(1, 4, 0x12340000)),
		crossFrame("not aligned", false, moveFrame(crossTop-0x203)), crossFrame("not aligned to 4", false, moveFrame(crossTop-0x202)), crossFrame("over the end of a page", false, moveFrame(crossTop-0x1008)), crossFrame("the last of a page", false, moveFrame(crossTop-0x1014)),
		crossOfUser("shorter code", selCode3, crossCode3&^0xf0000_00000000, crossCode3, false), crossOfUser("code not present", selCode3, absent(crossCode3), crossCode3, true), crossOfUser("code, data", selCode3, crossData3, crossCode3, true),
		crossOfUser("stack with a base", selData3, crossData3|0x40<<16, crossData3, false), crossOfUser("stack read-only", selData3, crossData3&^(2<<40), crossData3, true),
	}
}

func crossKernels() []crossed {
	return []crossed{
		{name: "NT in the kernel", change: cat(flagged(flagNT|2), []byte{0x90}), faults: true},
		{name: "NT in the kernel and behind it", change: cat(onFrame(1, 2, flagNT), flagged(flagNT|2), []byte{0x90}), faults: true},
		{name: "AC in the kernel", change: flagged(flagAC | 2)},
		{name: "AC in the kernel and behind it", setup: func(r *rig) { r.CR0 |= cr0AM }, before: readData(1), change: cat(onFrame(1, 2, flagAC), flagged(flagAC|2)), faults: true},
		{name: "a kernel's FS", each: []byte{0x66, 0xb8, selData0, 0, 0x8e, 0xe0}, change: cat([]byte{0x66, 0xb8}, imm16(selData3), []byte{0x8e, 0xe0})}, // mov ax; mov fs, ax
		{name: "a kernel's GS", change: cat([]byte{0x66, 0xb8}, imm16(selData0), []byte{0x8e, 0xe8}), back: cat([]byte{0x66, 0xb8}, imm16(selData3), []byte{0x8e, 0xe8})},
		{name: "a kernel's ES", change: cat([]byte{0x66, 0xb8}, imm16(selData0), []byte{0x8e, 0xc0}), back: cat([]byte{0x66, 0xb8}, imm16(selData3), []byte{0x8e, 0xc0})},
		{name: "a kernel's DS", before: readData(0), change: cat([]byte{0x66, 0xb8}, imm16(selData0), []byte{0x8e, 0xd8}), faults: true},
		{name: "conforming code in FS", each: []byte{0x66, 0xb8, selConf0, 0, 0x8e, 0xe0}},
		{name: "an interrupt waits for IRET", setup: crossWaits, change: crossOut, each: []byte{0x90}},
		{name: "an interrupt crossWaits, and IF stays clear", setup: crossWaits, change: cat(crossOut, onFrame(4, 2, ^uint32(flagIF))), back: onFrame(1, 2, flagIF)},
		{name: "an interrupt in a trap's handler", setup: func(r *rig) {
			crossWaits(r)
			r.idt(0x80, gate(selCode0, crossKernel, typeTrap32, 3, 0))
		}, change: crossOut, each: []byte{0x90}},
		{name: "an NMI's handler that does not return by IRET", setup: func(r *rig) {
			r.ports.onOut = func(uint32) { r.NMI() }
			r.idt(2, gate(selCode0, rigTarget+0xc00, typeInt32, 0, 0))
			r.put(rigTarget+0xc00, 0x58, 0x83, 0xc4, 8, 0xff, 0xe0) // pop eax; add esp, 8; jmp eax
		}, change: crossOut, each: []byte{0x90}},
		{name: "SMAP", setup: crossApart, before: readData(0), first: readData(0), faults: true},
		{name: "a program that reads what is the kernel's", setup: func(r *rig) {
			crossApart(r)
			r.put(crossProbe, cat([]byte{0xa1}, imm32(rigTarget), []byte{0x47}, jumpTo(crossProbe+6, rigCode))...) // mov eax, [rigTarget]; inc edi; jmp
		}, each: cat([]byte{0xa1}, imm32(rigTarget)), change: setFrame(0, crossProbe), faults: true},
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
}

func crossSysenters() []crossed {
	return []crossed{
		crossSysenter("the same", nil, false, nil, nil, nil, nil),
		crossSysenter("another segment", nil, false, nil, nil, setSysenterCS(0x108), setSysenterCS(selCode0)),
		crossSysenter("no segment at all", nil, true, nil, nil, setSysenterCS(0), setSysenterCS(selCode0)),
		crossSysenter("no segment, and then one", nil, true, nil, nil, setSysenterCS(1), setSysenterCS(selCode0)),
		crossSysenter("another entry and stack", nil, false, nil, nil, cat(writeMSR(0x176, crossKernel2), writeMSR(0x175, crossTop-0x80)), cat(writeMSR(0x176, crossKernel), writeMSR(0x175, crossTop))),
		crossSysenter("flags", nil, false, cat([]byte{0x69, 0xc5}, imm32(0x9e3779b1), []byte{0x25}, imm32(arithFlags|flagDF|flagNT|flagAC), []byte{0x0d}, imm32(flagIF|2), []byte{0x50, 0x9d}), []byte{0xfb, 0x90}, nil, nil),
		crossSysenter("AC in the kernel, alignment checks", func(r *rig) { r.CR0 |= cr0AM }, true, readData(1), flagged(flagIF|2), flagged(flagAC|flagIF|2), nil),
		crossSysenter("interrupts", crossWaits, false, nil, []byte{0xfb, 0x90}, crossOut, crossOut),
		crossSysenter("an interrupt waits with IF clear", crossWaits, false, nil, nil, crossOut, []byte{0xfb, 0x90}),
	}
}
