package cpu

// Operands that are accessed in parts: far pointers, bounds, pseudo-descriptors,
// x87 environments and states, numbers of 80 bits. Each part lies at an offset of
// its own, which wraps around at the end of the address size: with 16-bit
// addresses, the selector of the far pointer at FFFEh is at 0. A part that itself
// reaches beyond that end goes on behind it or faults there, as any operand does.
// The manuals do not say so; silicon does it.

// wraps says whether n bytes at effective address ea reach beyond the end of
// the address size.
func (o *op) wraps(ea, n uint32) bool {
	if o.flags&opAddr16 != 0 {
		return ea+n > 0x10000
	}
	return ea+n-1 < ea
}

// within brings an effective address back into the address size.
func (o *op) within(ea uint32) uint32 {
	if o.flags&opAddr16 != 0 {
		return ea & 0xffff
	}
	return ea
}

// segFor is segRead or segWrite.
func (c *CPU) segFor(acc access, s uint8, off, n uint32) (uint32, bool) {
	if acc == write {
		return c.segWrite(s, off, n)
	}
	return c.segRead(s, off, n)
}

// twoParts gives the linear addresses of the parts of a and b bytes of which the
// memory operand at effective address ea consists, having checked the segment.
func (c *CPU) twoParts(o *op, ea, a, b uint32, acc access) (first, second uint32, ok bool) {
	if !o.wraps(ea, a+b) {
		first, ok = c.segFor(acc, o.seg, ea, a+b)
		return first, first + a, ok
	}
	if first, ok = c.segFor(acc, o.seg, ea, a); ok {
		second, ok = c.segFor(acc, o.seg, o.within(ea+a), b)
	}
	return first, second, ok
}

// loadParts loads a memory operand that consists of parts of the given sizes, in
// bytes, or nothing of it.
func (c *CPU) loadParts(o *op, parts []uint8, b []byte) bool {
	ea := c.ea(o)
	if !o.wraps(ea, uint32(len(b))) {
		lin, ok := c.segRead(o.seg, ea, uint32(len(b)))
		return ok && c.loadBytes(lin, b)
	}
	at := 0
	for i, n := range parts {
		lin, ok := c.segRead(o.seg, ea, uint32(n))
		if !ok || !c.checkPart(lin, i, n, len(b), read) || !c.loadPieces(lin, b[at:at+int(n)], c.Half) {
			return false
		}
		at, ea = at+int(n), o.within(ea+uint32(n))
	}
	return true
}

// storeParts is loadParts for stores.
func (c *CPU) storeParts(o *op, parts []uint8, b []byte) status {
	ea := c.ea(o)
	if !o.wraps(ea, uint32(len(b))) {
		lin, ok := c.segWrite(o.seg, ea, uint32(len(b)))
		if !ok {
			return faulted
		}
		return c.storeBytes(lin, b)
	}
	var at [maxParts]uint32
	for i, n := range parts {
		lin, ok := c.segWrite(o.seg, ea, uint32(n))
		if !ok || !c.checkPart(lin, i, n, len(b), write) || !c.reach(lin, write, c.Half) || !c.reach(lin+uint32(n)-1, write, c.Half) {
			return faulted
		}
		at[i], ea = lin, o.within(ea+uint32(n))
	}
	for i, n := range parts {
		if c.storePieces(at[i], b[:n], c.Half) == faulted {
			return faulted
		}
		b = b[n:]
	}
	return next
}

// checkPart is checkAccess for part i, of n bytes, of an operand of size bytes.
// It is the operand that must be aligned.
func (c *CPU) checkPart(lin uint32, i int, n uint8, size int, acc access) bool {
	if c.Data != NoTLB {
		return true
	}
	if i == 0 && !c.alignedUser(lin, uint32(size)) {
		return false
	}
	c.watch(lin, uint32(n), acc)
	return true
}

// maxParts is the most parts that an operand has: an x87 state, of seven fields
// and eight registers in two parts each.
const maxParts = 7 + 2*8

// x87Parts are the parts of an x87 state by the size of its fields, 2 or 4 bytes;
// the first seven are the environment.
var x87Parts = makeX87Parts()

// makeX87Parts stays out of init: see families.
//
//go:noinline
func makeX87Parts() (t [8][maxParts]uint8) {
	for _, size := range [...]uint8{2, 4} {
		for i := range 7 {
			t[size][i] = size
		}
		for i := 7; i < maxParts; i += 2 {
			t[size][i], t[size][i+1] = 8, 2
		}
	}
	return t
}

// fxParts are those of what is used of an FXSAVE area.
var fxParts = makeFXParts()

// makeFXParts stays out of init: see families.
//
//go:noinline
func makeFXParts() (t [fxUsed / fxPart]uint8) {
	for i := range t {
		t[i] = fxPart
	}
	return t
}
