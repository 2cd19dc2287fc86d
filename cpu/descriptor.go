package cpu

// Types of system descriptors (SDM vol. 3A table 3-2).
const (
	typeTSS16     = 1
	typeLDT       = 2
	typeTSS16Busy = 3
	typeCall16    = 4
	typeTask      = 5
	typeInt16     = 6
	typeTrap16    = 7
	typeTSS32     = 9
	typeTSS32Busy = 11
	typeCall32    = 12
	typeInt32     = 14
	typeTrap32    = 15

	typeBusy = 2 // bit that tells a busy TSS from an available one
	type32   = 8 // bit that tells 32-bit system types from 16-bit ones
)

// descriptor is an entry of the GDT, LDT or IDT as it lies in memory, and the
// linear address at which it does.
type descriptor struct{ lo, hi, lin uint32 }

// attr gives the rights as Seg.Attr holds them.
func (d *descriptor) attr() uint16 { return uint16(d.hi>>8) & 0xf0ff }

func (d *descriptor) base() uint32 { return d.lo>>16 | d.hi<<16&0xff0000 | d.hi&0xff000000 }

// limit is in bytes, scaled by G (SDM vol. 3A 3.4.5).
func (d *descriptor) limit() uint32 {
	l := d.lo&0xffff | d.hi&0xf0000
	if d.attr()&AttrG != 0 {
		l = l<<12 | 0xfff
	}
	return l
}

func (d *descriptor) dpl() uint8    { return uint8(d.hi >> 13 & 3) }
func (d *descriptor) present() bool { return d.attr()&AttrP != 0 }

// code, conforming, dataWritable and readable judge the type of a code or data
// segment.
func (d *descriptor) code() bool { return d.attr()&(AttrS|AttrCode) == AttrS|AttrCode }

func (d *descriptor) conforming() bool { return d.attr()&AttrExpandDown != 0 }

func (d *descriptor) dataWritable() bool {
	return d.attr()&(AttrS|AttrCode|AttrWritable) == AttrS|AttrWritable
}

func (d *descriptor) readable() bool {
	return d.attr()&AttrS != 0 && d.attr()&(AttrCode|AttrWritable) != AttrCode
}

// system gives the type of a system descriptor; 0, which is reserved, for code
// and data.
func (d *descriptor) system() uint8 {
	if d.attr()&AttrS != 0 {
		return 0
	}
	return uint8(d.attr() & 15)
}

// tss says whether it describes a task-state segment, and available whether that
// is not busy.
func (d *descriptor) tss() bool       { return d.system()&^(type32|typeBusy) == 1 }
func (d *descriptor) available() bool { return d.system()&^type32 == typeTSS16 }

// target and entry are what a gate leads to; count is the number of parameters
// that a call gate copies (SDM vol. 3A 5.8.3).
func (d *descriptor) target() uint16 { return uint16(d.lo >> 16) }
func (d *descriptor) count() int     { return int(d.hi & 31) }
func (d *descriptor) entry() uint32 {
	if d.system()&type32 == 0 {
		return d.lo & 0xffff
	}
	return d.hi&0xffff0000 | d.lo&0xffff
}

// load makes s what a selector of d loads. It is written in its place: a copy would
// wait for the stores of its parts.
func (s *Seg) load(d *descriptor, sel uint16) {
	s.Base, s.Limit, s.Sel, s.Attr = d.base(), d.limit(), sel, d.attr()
	s.refresh()
}

// null says whether a selector is one (SDM vol. 3A 3.4.2).
func null(sel uint16) bool { return sel&^3 == 0 }

// rpl is the requested privilege level of a selector.
func rpl(sel uint16) uint8 { return uint8(sel & 3) }

// local says whether a selector refers to the LDT.
func local(sel uint16) bool { return sel&4 != 0 }

// lookup reads the descriptor that sel refers to. found is false where it lies
// beyond the limit of its table, ok is false with a page fault recorded.
func (c *CPU) lookup(sel uint16) (d descriptor, found, ok bool) {
	base, limit := c.GDTR.Base, uint32(c.GDTR.Limit)
	if local(sel) {
		ldt := &c.Seg[segLDTR]
		if ldt.Attr&AttrP == 0 {
			return d, false, true
		}
		base, limit = ldt.Base, ldt.Limit
	}
	if uint32(sel|7) > limit {
		return d, false, true
	}
	d.lin = base + uint32(sel&^7)
	ok = c.readDescriptor(&d)
	return d, ok, ok
}

// readDescriptor fills in d from d.lin.
func (c *CPU) readDescriptor(d *descriptor) (ok bool) {
	if e := &c.TLB[0][d.lin>>12&tlbMask]; e.R == (d.lin+7)&^0xfff {
		v := c.ram.Load64(e.Off + d.lin)
		d.lo, d.hi = uint32(v), uint32(v>>32)
		return true
	}
	if d.lo, ok = c.sysLoad(d.lin, 4); !ok {
		return false
	}
	d.hi, ok = c.sysLoad(d.lin+4, 4)
	return ok
}

// descriptor reads the descriptor that sel refers to, and records the given exception
// with the selector's error code where that lies beyond the table.
func (c *CPU) descriptor(sel uint16, vector uint8, ext uint32) (descriptor, bool) {
	d, found, ok := c.lookup(sel)
	if ok && !found {
		c.raiseSel(vector, sel, ext)
	}
	return d, found
}

// access marks the segment of d as accessed, in memory and in d.
func (c *CPU) access(d *descriptor) bool {
	if d.hi>>8&uint32(AttrAccessed) != 0 {
		return true
	}
	d.hi |= uint32(AttrAccessed) << 8
	return c.sysStore(d.lin+5, 1, d.hi>>8)
}

// farDescriptor reads the descriptor that a far transfer refers to.
func (c *CPU) farDescriptor(sel uint16) (d descriptor, ok bool) {
	if null(sel) {
		c.raiseCode(vecGP, 0)
		return d, false
	}
	return c.descriptor(sel, vecGP, 0)
}
