package cpu

// Delivery of exceptions and interrupts (SDM vol. 3A chapter 6; vol. 2A,
// INT n).

// source tells where an event comes from (SDM vol. 3A 6.12.1.2 and 6.13).
type source uint8

const (
	exception source = iota // a fault or trap of the processor
	external                // INTR or NMI
	software                // INT n, INT3, INTO
	icebp                   // INT1
)

// delivery is an event on its way to its handler.
type delivery struct {
	eip     uint32 // to save
	code    uint32
	vector  uint8
	src     source
	hasCode bool
	rf      bool // RF is set in the saved EFLAGS
}

// ext is the EXT bit of error codes of faults during the delivery: set unless
// the program itself asked for it (SDM vol. 3A 6.13).
func (d *delivery) ext() uint32 {
	if d.src == software {
		return 0
	}
	return 1
}

// deliver delivers c.Fault for the instruction at c.EIP, or what its delivery
// leads to in turn: another fault, a double fault, shutdown (SDM vol. 3A 6.15,
// interrupt 8).
func (c *CPU) deliver() {
	// The count is exact here, so devices may be accessed.
	c.precise = true
	f := c.Fault
	for {
		if c.trace != nil {
			c.trace(c, &f)
		}
		d := delivery{vector: f.Vector, eip: c.EIP, code: f.Code, hasCode: f.HasCode, rf: fault(f.Vector) || c.between()}
		if c.dispatch(&d) == delivered {
			break
		}
		second := c.Fault
		switch {
		case f.Vector == vecDF:
			c.Shutdown = true
			c.flagsChanged()
			return
		case contributory(f.Vector) && contributory(second.Vector),
			f.Vector == vecPF && (contributory(second.Vector) || second.Vector == vecPF):
			f = Fault{Vector: vecDF, HasCode: true}
		default:
			f = second
		}
	}
}

// contributory is a class of exceptions in SDM vol. 3A table 6-4.
func contributory(v uint8) bool {
	return v == vecDE || v >= vecTS && v <= vecGP
}

// fault says whether an exception is of the fault class, whose saved EFLAGS
// have RF set (SDM vol. 3B 17.3.1.1). Instruction breakpoints and traps among
// #DB go their own way.
func fault(v uint8) bool {
	return v != vecDB && v != vecBP && v != vecOF && v != vecDF
}

// between says whether the last instruction is a repeated one that is to go on:
// RF is saved as set then, so that its breakpoint does not fire again (SDM vol.
// 3B 17.3.1.1). The delivery has been counted already.
func (c *CPU) between() bool { return c.Paused == c.Retired-1 }

// interrupt delivers an interrupt of the given vector; c.EIP is where execution
// goes on afterwards.
func (c *CPU) interrupt(vector uint8, src source) {
	c.precise = true
	if c.trace != nil {
		c.trace(c, &Fault{Vector: vector})
	}
	if c.dispatch(&delivery{vector: vector, src: src, eip: c.EIP, rf: c.between()}) != delivered {
		c.deliver()
	}
}

// softwareInterrupt delivers the interrupt that instruction o asks for.
func (c *CPU) softwareInterrupt(o *op, vector uint8, src source) status {
	if c.trace != nil {
		if st, ok := c.exact(); !ok {
			return st
		}
		c.trace(c, &Fault{Vector: vector})
	}
	return c.away(c.dispatch(&delivery{vector: vector, src: src, eip: o.nextEIP(c)}))
}

// dispatch makes one attempt at d.
func (c *CPU) dispatch(d *delivery) outcome {
	if c.CR0&cr0PE == 0 {
		return c.realInterrupt(d)
	}
	off := uint32(d.vector) * 8
	code := off | 2 | d.ext()
	if off+7 > uint32(c.IDTR.Limit) {
		c.raiseCode(vecGP, code)
		return refused
	}
	gate := descriptor{lin: c.IDTR.Base + off}
	if !c.readDescriptor(&gate) {
		return refused
	}
	switch gate.system() {
	case typeTask, typeInt16, typeTrap16, typeInt32, typeTrap32:
	default:
		c.raiseCode(vecGP, code)
		return refused
	}
	if d.src == software && gate.dpl() < c.CPL {
		c.raiseCode(vecGP, code)
		return refused
	}
	if !gate.present() {
		c.raiseCode(vecNP, code)
		return refused
	}
	if gate.system() == typeTask {
		return c.taskInterrupt(d, &gate)
	}
	return c.gateInterrupt(d, &gate)
}

// realInterrupt goes through the interrupt vector table (SDM vol. 3A 20.1.4).
func (c *CPU) realInterrupt(d *delivery) outcome {
	off := uint32(d.vector) * 4
	if off+3 > uint32(c.IDTR.Limit) {
		c.raise(vecGP)
		return refused
	}
	v, ok := c.sysLoad(c.IDTR.Base+off, 4)
	if !ok {
		return refused
	}
	f := frame{size: 2}
	f.push(c.EFLAGS(), uint32(c.Seg[segCS].Sel), d.eip)
	s := c.top()
	if !c.fits(&f, &s, 0) {
		return refused
	}
	sp, ok := c.writeFrame(&f, &s)
	if !ok {
		return refused
	}
	c.R[esp] = sp
	c.loadReal(segCS, uint16(v>>16))
	c.EIP = v & 0xffff
	c.Flags &^= flagIF | flagTF | flagRF | flagAC
	c.arrived(d)
	return delivered
}

// arrived does what follows every delivery.
func (c *CPU) arrived(d *delivery) {
	// A debug exception disables general detect (SDM vol. 3B 17.2.4).
	if d.vector == vecDB && d.src == exception {
		c.DR[7] &^= dr7GD
	}
	c.Halted = false
	c.flagsChanged()
}

// gateInterrupt goes through an interrupt or trap gate.
func (c *CPU) gateInterrupt(d *delivery, gate *descriptor) outcome {
	ext := d.ext()
	sel := gate.target()
	if null(sel) {
		c.raiseCode(vecGP, ext)
		return refused
	}
	code, ok := c.descriptor(sel, vecGP, ext)
	if !ok {
		return refused
	}
	if !code.code() || code.dpl() > c.CPL {
		c.raiseSel(vecGP, sel, ext)
		return refused
	}
	if !code.present() {
		c.raiseSel(vecNP, sel, ext)
		return refused
	}
	cpl := c.CPL
	if !code.conforming() {
		cpl = code.dpl()
	}
	v86 := c.Flags&flagVM != 0
	if v86 && cpl != 0 {
		c.raiseSel(vecGP, sel, ext)
		return refused
	}
	f := frame{size: 2}
	if gate.system()&type32 != 0 {
		f.size = 4
	}
	flags := c.EFLAGS()
	if d.rf {
		flags |= flagRF
	}
	s := c.top()
	var ss Seg
	var inner uint16
	var desc descriptor
	stackCode := ext
	if cpl != c.CPL {
		var sp uint32
		if inner, sp, desc, ok = c.innerStack(cpl, ext); !ok || !c.access(&desc) {
			return refused
		}
		ss.load(&desc, inner)
		s = stackTop{&ss, sp, c.halfOf(cpl)}
		stackCode = uint32(inner&^3) | ext
		if v86 {
			for _, r := range [...]int{5, 4, segDS, segES} {
				f.push(uint32(c.Seg[r].Sel))
			}
		}
		f.push(uint32(c.Seg[segSS].Sel), c.R[esp])
	}
	f.push(flags, uint32(c.Seg[segCS].Sel), d.eip)
	if d.hasCode {
		f.push(d.code)
	}
	if !c.fits(&f, &s, stackCode) {
		return refused
	}
	if gate.entry() > code.limit() {
		c.raiseCode(vecGP, ext)
		return refused
	}
	if !c.access(&code) {
		return refused
	}
	sp, ok := c.writeFrame(&f, &s)
	if !ok {
		return refused
	}
	if cpl != c.CPL {
		c.Seg[segSS].load(&desc, inner)
	}
	if v86 {
		for _, r := range [...]int{5, 4, segDS, segES} {
			c.Seg[r] = Seg{}
		}
	}
	c.R[esp] = sp
	c.CPL = cpl
	c.Seg[segCS].load(&code, sel&^3|uint16(cpl))
	c.EIP = gate.entry()
	c.Flags &^= flagTF | flagNT | flagRF | flagVM
	if gate.system()&^type32 == typeInt16 {
		c.Flags &^= flagIF
	}
	c.arrived(d)
	return delivered
}

// taskInterrupt goes through a task gate (SDM vol. 3A 6.14).
func (c *CPU) taskInterrupt(d *delivery, gate *descriptor) outcome {
	if _, ok := c.exact(); !ok {
		return refused
	}
	ext := d.ext()
	sel, tss, ok := c.gateTSS(gate, ext)
	if !ok {
		return refused
	}
	out := c.switchTask(taskSwitch{sel: sel, tss: tss, eip: d.eip, nested: true, ext: ext, rf: d.rf})
	if out != delivered {
		return out
	}
	if d.hasCode {
		f := frame{size: 2}
		if c.Seg[segTR].Attr&type32 != 0 {
			f.size = 4
		}
		f.push(d.code)
		s := c.top()
		if !c.fits(&f, &s, ext) {
			return inNewTask
		}
		sp, ok := c.writeFrame(&f, &s)
		if !ok {
			return inNewTask
		}
		c.R[esp] = sp
	}
	c.arrived(d)
	return delivered
}

// OnFault installs a trace of exceptions and interrupts as they are delivered;
// nil removes it.
func (c *CPU) OnFault(f func(*CPU, *Fault)) { c.trace = f }

// debugTrap delivers the trap #DB with the given bits of DR6 (SDM vol. 3B
// 17.2.3).
func (c *CPU) debugTrap(bits uint32) {
	c.noteDebug(bits)
	c.raise(vecDB)
	c.deliver()
}
