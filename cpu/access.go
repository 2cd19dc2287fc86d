package cpu

import "alpinevm/cpu/mem"

// Loads and stores at linear addresses, with the privilege of CPL. load and
// store are the forms most handlers use; the generated ones have the hit path
// inline and call loadSlow and storeSlow only behind a miss. A load gives false,
// a store gives faulted, with the exception recorded and nothing changed.

func (c *CPU) load8(lin uint32) (uint32, bool) {
	e := &c.tlb[lin>>12&tlbMask]
	if e.R == lin&^0xfff {
		return uint32(c.ram.Load8(e.Off + lin)), true
	}
	return c.loadSlow(lin, 1, c.Half)
}

func (c *CPU) load16(lin uint32) (uint32, bool) {
	e := &c.tlb[lin>>12&tlbMask]
	if e.R == (lin+1)&^0xfff {
		return uint32(c.ram.Load16(e.Off + lin)), true
	}
	return c.loadSlow(lin, 2, c.Half)
}

func (c *CPU) load32(lin uint32) (uint32, bool) {
	e := &c.tlb[lin>>12&tlbMask]
	if e.R == (lin+3)&^0xfff {
		return c.ram.Load32(e.Off + lin), true
	}
	return c.loadSlow(lin, 4, c.Half)
}

func (c *CPU) load64(lin uint32) (uint64, bool) {
	e := &c.tlb[lin>>12&tlbMask]
	if e.R == (lin+7)&^0xfff {
		return c.ram.Load64(e.Off + lin), true
	}
	var b [8]byte
	if !c.loadBytes(lin, b[:]) {
		return 0, false
	}
	return le64(b[:]), true
}

// load loads 1, 2 or 4 bytes.
func (c *CPU) load(lin uint32, size uint8) (uint32, bool) {
	switch size {
	case 1:
		return c.load8(lin)
	case 2:
		return c.load16(lin)
	}
	return c.load32(lin)
}

func (c *CPU) store8(lin, v uint32) status {
	e := &c.tlb[lin>>12&tlbMask]
	if e.W == lin&^0xfff {
		c.ram.Store8(e.Off+lin, uint8(v))
		return next
	}
	return c.storeSlow(lin, 1, v, c.Half)
}

func (c *CPU) store16(lin, v uint32) status {
	e := &c.tlb[lin>>12&tlbMask]
	if e.W == (lin+1)&^0xfff {
		c.ram.Store16(e.Off+lin, uint16(v))
		return next
	}
	return c.storeSlow(lin, 2, v, c.Half)
}

func (c *CPU) store32(lin, v uint32) status {
	e := &c.tlb[lin>>12&tlbMask]
	if e.W == (lin+3)&^0xfff {
		c.ram.Store32(e.Off+lin, v)
		return next
	}
	return c.storeSlow(lin, 4, v, c.Half)
}

func (c *CPU) store64(lin uint32, v uint64) status {
	e := &c.tlb[lin>>12&tlbMask]
	if e.W == (lin+7)&^0xfff {
		c.ram.Store64(e.Off+lin, v)
		return next
	}
	var b [8]byte
	putLE64(b[:], v)
	return c.storeBytes(lin, b[:])
}

// store stores 1, 2 or 4 bytes.
func (c *CPU) store(lin, v uint32, size uint8) status {
	switch size {
	case 1:
		return c.store8(lin, v)
	case 2:
		return c.store16(lin, v)
	}
	return c.store32(lin, v)
}

// loadForWrite loads 1, 2 or 4 bytes of an operand that is going to be stored
// to: a store of the same size to the same place cannot fail afterwards. It is
// the door for locked operations and XCHG.
func (c *CPU) loadForWrite(lin uint32, size uint8) (uint32, bool) {
	e := &c.tlb[lin>>12&tlbMask]
	if e.W == (lin+uint32(size)-1)&^0xfff {
		switch size {
		case 1:
			return uint32(c.ram.Load8(e.Off + lin)), true
		case 2:
			return uint32(c.ram.Load16(e.Off + lin)), true
		}
		return c.ram.Load32(e.Off + lin), true
	}
	if !c.writable(lin, uint32(size)) {
		return 0, false
	}
	return c.loadSlow(lin, size, c.Half)
}

// writable makes sure that n bytes at lin, at most a page, can be stored to.
// It says false with the fault recorded.
func (c *CPU) writable(lin, n uint32) bool { return c.writableBy(lin, n, c.Half) }

func (c *CPU) writableBy(lin, n uint32, half uint8) bool {
	if c.Data == NoTLB && !c.checkAccess(lin, n, write) {
		return false
	}
	if !c.reach(lin, write, half) {
		return false
	}
	if last := lin + n - 1; (lin^last)&^0xfff != 0 {
		return c.reach(last&^0xfff, write, half)
	}
	return true
}

// readable is writable for loads.
func (c *CPU) readable(lin, n uint32) bool {
	if c.Data == NoTLB && !c.checkAccess(lin, n, read) {
		return false
	}
	if !c.reach(lin, read, c.Half) {
		return false
	}
	if last := lin + n - 1; (lin^last)&^0xfff != 0 {
		return c.reach(last&^0xfff, read, c.Half)
	}
	return true
}

// reach makes sure that the page of lin can be accessed, and that an access to
// a device happens at an exact count.
func (c *CPU) reach(lin uint32, acc access, half uint8) bool {
	e := &c.TLB[half][lin>>12&tlbMask]
	if page := lin &^ 0xfff; acc == write && e.W == page || acc == read && e.R == page {
		return true
	}
	p, ok := c.locate(lin, acc, half)
	if !ok {
		return false
	}
	if p.kind == mem.MMIO && !c.precise {
		c.retry()
		return false
	}
	return true
}

// loadSlow is load without the TLB's help: page walks, accesses that cross a
// page, devices, alignment checks and data breakpoints.
func (c *CPU) loadSlow(lin uint32, size, half uint8) (uint32, bool) {
	if c.Data == NoTLB && !c.checkAccess(lin, uint32(size), read) {
		return 0, false
	}
	if lin&0xfff+uint32(size) > 0x1000 {
		var b [4]byte
		if !c.loadPieces(lin, b[:size], half) {
			return 0, false
		}
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24, true
	}
	p, ok := c.locate(lin, read, half)
	if !ok {
		return 0, false
	}
	if p.kind == mem.MMIO && !c.precise {
		c.retry()
		return 0, false
	}
	c.observe(lin, uint32(size), read)
	if p.kind == mem.MMIO {
		return c.mem.ReadMMIO(p.pa, int(size)), true
	}
	switch size {
	case 1:
		return uint32(c.ram.Load8(p.off)), true
	case 2:
		return uint32(c.ram.Load16(p.off)), true
	}
	return c.ram.Load32(p.off), true
}

// storeSlow is store without the TLB's help.
func (c *CPU) storeSlow(lin uint32, size uint8, v uint32, half uint8) status {
	if c.Data == NoTLB && !c.checkAccess(lin, uint32(size), write) {
		return faulted
	}
	if lin&0xfff+uint32(size) > 0x1000 {
		b := [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
		return c.storePieces(lin, b[:size], half)
	}
	p, ok := c.locate(lin, write, half)
	if !ok {
		return faulted
	}
	if p.kind == mem.MMIO && !c.precise {
		c.retry()
		return faulted
	}
	c.observe(lin, uint32(size), write)
	switch p.kind {
	case mem.MMIO:
		c.mem.WriteMMIO(p.pa, int(size), v)
	case mem.RAM:
		b := [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
		c.mem.Store(p.off, b[:size])
	}
	return next
}

// loadBytes loads len(b) bytes, at most a page, or none of them.
func (c *CPU) loadBytes(lin uint32, b []byte) bool {
	if c.Data == NoTLB && !c.checkAccess(lin, uint32(len(b)), read) {
		return false
	}
	return c.loadPieces(lin, b, c.Half)
}

// storeBytes stores len(b) bytes, at most a page, or none of them.
func (c *CPU) storeBytes(lin uint32, b []byte) status {
	if c.Data == NoTLB && !c.checkAccess(lin, uint32(len(b)), write) {
		return faulted
	}
	return c.storePieces(lin, b, c.Half)
}

// pieces cuts n bytes at lin at the page boundary.
func pieces(lin uint32, n int) (first int) {
	return min(n, int(0x1000-lin&0xfff))
}

func (c *CPU) loadPieces(lin uint32, b []byte, half uint8) bool {
	k := pieces(lin, len(b))
	p1, ok := c.locate(lin, read, half)
	if !ok {
		return false
	}
	var p2 place
	if k < len(b) {
		if p2, ok = c.locate(lin+uint32(k), read, half); !ok {
			return false
		}
	}
	if (p1.kind == mem.MMIO || k < len(b) && p2.kind == mem.MMIO) && !c.precise {
		c.retry()
		return false
	}
	c.observe(lin, uint32(len(b)), read)
	c.readPlace(p1, b[:k])
	if k < len(b) {
		c.readPlace(p2, b[k:])
	}
	return true
}

func (c *CPU) storePieces(lin uint32, b []byte, half uint8) status {
	k := pieces(lin, len(b))
	p1, ok := c.locate(lin, write, half)
	if !ok {
		return faulted
	}
	var p2 place
	if k < len(b) {
		if p2, ok = c.locate(lin+uint32(k), write, half); !ok {
			return faulted
		}
	}
	if (p1.kind == mem.MMIO || k < len(b) && p2.kind == mem.MMIO) && !c.precise {
		c.retry()
		return faulted
	}
	c.observe(lin, uint32(len(b)), write)
	c.writePlace(p1, b[:k])
	if k < len(b) {
		c.writePlace(p2, b[k:])
	}
	return next
}

// deviceStep is the widest naturally aligned access, up to 4 bytes, that n bytes at
// pa allow: how a bus splits a wide one.
func deviceStep(pa uint64, n int) int {
	switch {
	case n >= 4 && pa&3 == 0:
		return 4
	case n >= 2 && pa&1 == 0:
		return 2
	}
	return 1
}

func (c *CPU) readPlace(p place, b []byte) {
	if p.kind != mem.MMIO {
		copy(b, c.ram.Bytes(p.off, uint32(len(b))))
		return
	}
	for len(b) > 0 {
		n := deviceStep(p.pa, len(b))
		v := c.mem.ReadMMIO(p.pa, n)
		for i := range n {
			b[i] = byte(v >> (8 * i))
		}
		b, p.pa = b[n:], p.pa+uint64(n)
	}
}

func (c *CPU) writePlace(p place, b []byte) {
	switch p.kind {
	case mem.RAM:
		c.mem.Store(p.off, b)
	case mem.MMIO:
		for len(b) > 0 {
			n := deviceStep(p.pa, len(b))
			var v uint32
			for i := range n {
				v |= uint32(b[i]) << (8 * i)
			}
			c.mem.WriteMMIO(p.pa, n, v)
			b, p.pa = b[n:], p.pa+uint64(n)
		}
	}
}

// The processor's own accesses to descriptor tables and task-state segments
// have supervisor rights whatever CPL is (SDM vol. 3A 4.6.1) and are not
// checked for alignment.

func (c *CPU) sysLoad(lin uint32, size uint8) (uint32, bool) {
	if e := &c.TLB[0][lin>>12&tlbMask]; e.R == (lin+uint32(size)-1)&^0xfff {
		switch size {
		case 1:
			return uint32(c.ram.Load8(e.Off + lin)), true
		case 2:
			return uint32(c.ram.Load16(e.Off + lin)), true
		}
		return c.ram.Load32(e.Off + lin), true
	}
	var b [4]byte
	if !c.loadPieces(lin, b[:size], 0) {
		return 0, false
	}
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24, true
}

func (c *CPU) sysStore(lin uint32, size uint8, v uint32) bool {
	b := [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
	return c.storePieces(lin, b[:size], 0) == next
}

func le64(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

func putLE64(b []byte, v uint64) {
	_ = b[7]
	for i := range 8 {
		b[i] = byte(v >> (8 * i))
	}
}
