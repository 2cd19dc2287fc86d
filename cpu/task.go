package cpu

import "alpinevm/cpu/x86"

// Hardware task switches (SDM vol. 3A chapter 7).

// tssLayout is where a task-state segment keeps what (SDM vol. 3A figures 7-2
// and 7-10).
type tssLayout struct {
	size  uint8  // bytes of a word: registers, EIP, EFLAGS
	above uint32 // what a general register has above a word
	eip   uint32 // then EFLAGS, EAX to EDI
	segs  uint32 // ES to GS, a word each
	nsegs uint8
	ldt   uint32
	limit uint32 // the least legal one
}

// A 16-bit task comes up with ones in the upper halves of its general registers,
// as silicon does; the manuals do not say.
var tssLayouts = [2]tssLayout{
	{size: 2, above: 0xffff0000, eip: 0x0e, segs: 0x22, nsegs: 4, ldt: 0x2a, limit: 0x2b},
	{size: 4, eip: 0x20, segs: 0x48, nsegs: 6, ldt: 0x60, limit: 0x67},
}

const (
	tssCR3  = 0x1c
	tssTrap = 0x64
)

func layoutOf(typ uint8) *tssLayout { return &tssLayouts[typ>>3&1] }

// outcome is how a task switch, or the delivery of an event, ended.
type outcome uint8

const (
	delivered outcome = iota
	refused           // Fault tells why; nothing has changed
	inNewTask         // Fault tells why; the task switch has passed its commit point
)

// taskSwitch is what leads to one.
type taskSwitch struct {
	sel    uint16 // of the new TSS
	tss    descriptor
	eip    uint32 // to save in the old one
	nested bool   // CALL or interrupt: the old task stays busy and is linked
	back   bool   // IRET: the new task is busy already
	rf     bool   // RF is set in the saved EFLAGS
	ext    uint32
}

// gateTSS finds the TSS that a task gate leads to.
func (c *CPU) gateTSS(gate *descriptor, ext uint32) (sel uint16, tss descriptor, ok bool) {
	sel = gate.target()
	if null(sel) || local(sel) {
		c.raiseSel(vecGP, sel, ext)
		return 0, tss, false
	}
	if tss, ok = c.descriptor(sel, vecGP, ext); !ok {
		return 0, tss, false
	}
	if !tss.tss() || !tss.available() {
		c.raiseSel(vecGP, sel, ext)
		return 0, tss, false
	}
	if !tss.present() {
		c.raiseSel(vecNP, sel, ext)
		return 0, tss, false
	}
	return sel, tss, true
}

// sysReach makes sure that the processor can access n bytes, at most a page, at
// lin.
func (c *CPU) sysReach(lin, n uint32, acc access) bool {
	return c.reach(lin, acc, 0) && c.reach(lin+n-1, acc, 0)
}

// switchTask switches to t.tss, whose descriptor and privileges the caller has
// checked. c.precise holds.
func (c *CPU) switchTask(t taskSwitch) outcome {
	tr := c.Seg[segTR]
	from, to := layoutOf(uint8(tr.Attr)), layoutOf(t.tss.system())
	base := t.tss.base()
	if t.tss.limit() < to.limit {
		c.raiseSel(vecTS, t.sel, t.ext)
		return refused
	}
	if tr.Attr&AttrP == 0 || tr.Limit < from.limit {
		c.raiseSel(vecTS, tr.Sel, t.ext)
		return refused
	}
	// Everything that is accessed up to the commit point must be there.
	if !c.sysReach(tr.Base, from.limit+1, write) || !c.sysReach(base, to.limit+1, read) ||
		t.nested && !c.sysReach(base, 2, write) {
		return refused
	}
	old := descriptor{lin: c.GDTR.Base + uint32(tr.Sel&^7)}
	if !t.nested && (!c.readDescriptor(&old) || !c.sysReach(old.lin+5, 1, write)) {
		return refused
	}
	if !t.back && !c.sysReach(t.tss.lin+5, 1, write) {
		return refused
	}
	if to.size == 4 && c.CR0&cr0PG != 0 {
		cr3, ok := c.sysLoad(base+tssCR3, 4)
		if !ok {
			return refused
		}
		// Deviation: bad PDPTEs refuse the switch; silicon faults in the
		// new task.
		if c.CR4&cr4PAE != 0 && !c.loadPDPTEs(cr3) {
			c.raiseCode(vecGP, t.ext)
			return refused
		}
	}
	c.saveTask(&tr, from, &t)
	if !t.nested {
		c.sysStore(old.lin+5, 1, old.hi>>8&^typeBusy)
	}
	if !t.back {
		t.tss.hi |= typeBusy << 8
		c.sysStore(t.tss.lin+5, 1, t.tss.hi>>8)
	}
	if t.nested {
		c.sysStore(base, 2, uint32(tr.Sel))
	}
	return c.loadTask(&t, to)
}

// saveTask writes the state of the current task to its TSS.
func (c *CPU) saveTask(tr *Seg, l *tssLayout, t *taskSwitch) {
	flags := c.EFLAGS()
	if t.rf {
		flags |= flagRF
	}
	if t.back {
		flags &^= flagNT
	}
	n := uint32(l.size)
	c.sysStore(tr.Base+l.eip, l.size, t.eip)
	c.sysStore(tr.Base+l.eip+n, l.size, flags)
	for i := range uint32(8) {
		c.sysStore(tr.Base+l.eip+(2+i)*n, l.size, c.R[i])
	}
	for i := range uint32(l.nsegs) {
		c.sysStore(tr.Base+l.segs+i*n, 2, uint32(c.Seg[i].Sel))
	}
}

// loadTask makes the task of TSS t current. What goes wrong from here on is the
// new task's.
func (c *CPU) loadTask(t *taskSwitch, l *tssLayout) outcome {
	base := t.tss.base()
	n := uint32(l.size)
	word := func(off uint32, size uint8) uint32 {
		v, _ := c.sysLoad(base+off, size)
		return v
	}
	var sels [6]uint16
	eip, flags := word(l.eip, l.size), word(l.eip+n, l.size)
	var regs [8]uint32
	for i := range regs {
		regs[i] = l.above | word(l.eip+uint32(2+i)*n, l.size)
	}
	for i := range l.nsegs {
		sels[i] = uint16(word(l.segs+uint32(i)*n, 2))
	}
	ldt := uint16(word(l.ldt, 2))
	if l.size == 4 {
		if c.CR0&cr0PG != 0 {
			c.CR3 = word(tssCR3, 4)
		}
		if word(tssTrap, 2)&1 != 0 {
			c.DebugHits |= dr6BT
		}
	}
	if t.nested {
		flags |= flagNT
	}
	c.Seg[segTR].load(&t.tss, t.sel)
	c.CR0 |= cr0TS
	c.DR[7] &^= dr7Local
	c.flushTLB(false)
	c.EIP = eip
	c.SetEFLAGS(flags)
	copy(c.R[:8], regs[:])
	for i := range sels {
		c.Seg[i] = Seg{Sel: sels[i]}
	}
	c.Seg[segLDTR] = Seg{Sel: ldt}
	c.Halted, c.Shadow, c.ShadowSS = false, false, false
	c.CPL = rpl(sels[segCS])
	if flags&flagVM != 0 {
		c.CPL = 3
	}
	ok := c.taskLDT(ldt, t.ext) && c.taskSegments(&sels, t.ext)
	c.flagsChanged()
	if !ok {
		return inNewTask
	}
	if eip > c.Seg[segCS].Limit {
		c.raiseCode(vecGP, t.ext)
		return inNewTask
	}
	return delivered
}

// taskLDT loads LDTR of a new task.
func (c *CPU) taskLDT(sel uint16, ext uint32) bool {
	if null(sel) {
		return true
	}
	if local(sel) {
		c.raiseSel(vecTS, sel, ext)
		return false
	}
	d, ok := c.descriptor(sel, vecTS, ext)
	if !ok {
		return false
	}
	if d.system() != typeLDT || !d.present() {
		c.raiseSel(vecTS, sel, ext)
		return false
	}
	c.Seg[segLDTR].load(&d, sel)
	return true
}

// taskSegments loads the segment registers of a new task (SDM vol. 3A table
// 7-1).
func (c *CPU) taskSegments(sels *[6]uint16, ext uint32) bool {
	if c.Flags&flagVM != 0 {
		for i, sel := range sels {
			c.loadReal(uint8(i), sel)
		}
		return true
	}
	cs := sels[segCS]
	if null(cs) {
		c.raiseSel(vecTS, cs, ext)
		return false
	}
	d, ok := c.descriptor(cs, vecTS, ext)
	if !ok {
		return false
	}
	if !d.code() || d.conforming() && d.dpl() > c.CPL || !d.conforming() && d.dpl() != c.CPL {
		c.raiseSel(vecTS, cs, ext)
		return false
	}
	if !d.present() {
		c.raiseSel(vecNP, cs, ext)
		return false
	}
	if !c.access(&d) {
		return false
	}
	c.Seg[segCS].load(&d, cs)
	if d, ok = c.stackDescriptor(sels[segSS], c.CPL, vecTS, ext); !ok || !c.access(&d) {
		return false
	}
	c.Seg[segSS].load(&d, sels[segSS])
	for _, s := range [...]uint8{segDS, segES, x86.FS, x86.GS} {
		sel := sels[s]
		if null(sel) {
			continue
		}
		if d, ok = c.descriptor(sel, vecTS, ext); !ok {
			return false
		}
		if !d.readable() || !(d.code() && d.conforming()) && (rpl(sel) > d.dpl() || c.CPL > d.dpl()) {
			c.raiseSel(vecTS, sel, ext)
			return false
		}
		if !d.present() {
			c.raiseSel(vecNP, sel, ext)
			return false
		}
		if !c.access(&d) {
			return false
		}
		c.Seg[s].load(&d, sel)
	}
	return true
}
