package cpu

import (
	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

// find gives the block at CS:EIP, from the cache or newly decoded. nil means
// that fetching or decoding faulted, with the fault recorded.
func (c *CPU) find() *block {
	s := c.Core
	lin := s.Seg[segCS].Base + s.EIP
	e := &c.code[lin>>12&tlbMask]
	if e.X != lin&^0xfff {
		p, ok := c.locate(lin, fetch, c.Half)
		if !ok {
			return nil
		}
		if c.breakable(lin) {
			return c.onPage(p)
		}
		if p.kind == mem.MMIO {
			return c.uncached()
		}
	}
	return c.blockAt(lin, e.Off+lin)
}

// blockAt gives the block at linear address lin and arena offset off.
func (c *CPU) blockAt(lin, off uint32) *block {
	for b := c.blocks.buckets[bucket(off, c.Mode)]; b != nil; b = b.chain {
		if b.off == off && b.mode == c.Mode && b.valid {
			if b.cross && !c.sameSecondPage(b, lin) {
				continue
			}
			if c.Mode&ModeFlatCode == 0 && !c.Seg[segCS].contains(c.EIP, b.bytes()) {
				return c.uncached()
			}
			return b
		}
	}
	return c.decode(off, c.Mode, maxBlockOps)
}

// alone, in the mode of a block, says that it is cut behind its first
// instruction.
const alone Mode = 1 << 7

// findOne is find for who executes no more than the first instruction of the
// block: where there is no other, it gets one that is no longer.
func (c *CPU) findOne() *block {
	s := c.Core
	lin := s.Seg[segCS].Base + s.EIP
	e := &c.code[lin>>12&tlbMask]
	if e.X != lin&^0xfff {
		c.locate(lin, fetch, c.Half)
	}
	if e.X != lin&^0xfff || c.Mode&ModeFlatCode == 0 {
		return c.find()
	}
	off := e.Off + lin
	if b := c.blocks.lookup(off, c.Mode|alone); b != nil {
		return b
	}
	if b := c.blocks.lookup(off, c.Mode); b != nil && !b.quiet && !b.cross {
		return b
	}
	if off&0xfff+x86.MaxLen > mem.PageSize {
		return c.find() // it may reach into the next page
	}
	return c.decode(off, c.Mode|alone, 1)
}

// lookup gives the valid block at an arena offset.
func (k *blockCache) lookup(off uint32, m Mode) *block {
	for b := k.buckets[bucket(off, m)]; b != nil; b = b.chain {
		if b.off == off && b.mode == m && b.valid {
			return b
		}
	}
	return nil
}

// sameSecondPage says whether the page behind lin's is the one that b crosses
// into.
func (c *CPU) sameSecondPage(b *block, lin uint32) bool {
	page2 := lin&^0xfff + 0x1000
	e := &c.code[page2>>12&tlbMask]
	if e.X != page2 {
		fault, cr2 := c.Fault, c.CR2
		p, ok := c.locate(page2, fetch, c.Half)
		if !ok || p.kind == mem.MMIO {
			c.Fault, c.CR2 = fault, cr2
			return false
		}
	}
	return e.Off+page2 == b.off2
}

// follows says whether nb is what lies at CS:EIP now, as far as the code TLB
// knows.
func (c *CPU) follows(nb *block) bool {
	lin := c.Seg[segCS].Base + c.EIP
	e := &c.code[lin>>12&tlbMask]
	return e.X == lin&^0xfff && e.Off+lin == nb.off
}

// decoding is the code size that m decodes for.
func (m Mode) decoding() x86.Mode {
	if m&ModeCode32 != 0 {
		return x86.Mode32
	}
	return x86.Mode16
}

// decode makes the block at CS:EIP, which lies at arena offset off, of at most
// most instructions.
func (c *CPU) decode(off uint32, m Mode, most int) *block {
	k := &c.blocks
	if k.full() {
		c.flushBlocks()
	}
	n, size := c.build(c.ram.Bytes(off, mem.PageSize-off%mem.PageSize), most)
	if n == 0 {
		return c.uncached()
	}
	quiet := dropDeadFlags(k.building[:n], k.effects[:n])
	b := k.alloc(k.building[:n])
	b.off, b.size, b.mode, b.quiet = off, uint16(max(size, 1)), m, quiet
	c.insert(b)
	return b
}

// build decodes instructions at CS:EIP, whose bytes code holds up to the end of
// the page, into the first places of building: at most most of them, up to the
// end of the block. It gives their number and length; none where the first one
// reaches beyond code or the segment limit.
func (c *CPU) build(code []byte, most int) (n int, size uint32) {
	k := &c.blocks
	flat := c.Mode&ModeFlatCode != 0
	in := &k.inst
	for n < most {
		r := x86.Decode(code[size:], c.Mode.decoding(), in)
		if r == x86.Truncated || !flat && !c.Seg[segCS].contains(c.EIP+size, max(uint32(in.Len), 1)) {
			break
		}
		o := &k.building[n]
		ends := true
		switch r {
		case x86.OK:
			if n > 0 && in.Alone() {
				return n, size
			}
			t := c.translate(in, o, c.Mode, size)
			ends = t.refused || in.Ends()
			k.effects[n] = effectOf(in, t.quiet)
		case x86.TooLong:
			*o = op{fn: tooLong, start: uint16(size), len: in.Len}
			k.effects[n] = effect{reads: arithFlags}
		default:
			*o = op{fn: undefined, start: uint16(size), len: in.Len}
			k.effects[n] = effect{reads: arithFlags}
		}
		n++
		size += uint32(in.Len)
		if ends || size >= uint32(len(code)) {
			break
		}
	}
	return n, size
}

// partOf gives the first n instructions of b, which has dropped flags, with
// all their flags: execution is going to stop behind them, where flags can be
// seen that are overwritten only later.
func (c *CPU) partOf(b *block, n int) *block {
	k := &c.blocks
	if got, _ := c.build(c.ram.Bytes(b.off, b.bytes()), n); got != n {
		panic("BUG: a block decodes differently the second time")
	}
	k.part = block{first: &k.building[0], n: uint8(n), size: b.size, mode: b.mode}
	return &k.part
}

// uncached decodes the one instruction at CS:EIP byte by byte, through the
// segment limit, the page boundary or a device. Where it crosses between two
// pages of RAM it is cached all the same.
func (c *CPU) uncached() *block {
	k := &c.blocks
	buf := &k.bytes
	cs := &c.Seg[segCS]
	in := &k.inst
	r := x86.Truncated
	n := 0
	var first, second place
	for ; r == x86.Truncated && n < len(buf); n++ {
		eip := c.EIP + uint32(n)
		if !cs.contains(eip, 1) {
			c.raiseCode(vecGP, 0)
			return nil
		}
		lin := cs.Base + eip
		p, ok := c.locate(lin, fetch, c.Half)
		if !ok {
			return nil
		}
		if n == 0 {
			first = p
		} else if lin&0xfff == 0 {
			second = p
		}
		if p.kind == mem.MMIO {
			buf[n] = uint8(c.mem.ReadMMIO(p.pa, 1))
		} else {
			buf[n] = c.ram.Load8(p.off)
		}
		r = x86.Decode(buf[:n+1], c.Mode.decoding(), in)
	}
	o := &k.scratch[0]
	switch r {
	case x86.OK:
		c.translate(in, o, c.Mode, 0)
	case x86.Undefined:
		*o = op{fn: undefined, len: uint8(n)}
	default:
		*o = op{fn: tooLong, len: uint8(n)}
	}
	b := &k.single
	lin := cs.Base + c.EIP
	crosses := lin&0xfff+uint32(n) > 0x1000
	if crosses && first.kind != mem.MMIO && second.kind != mem.MMIO && c.Mode&ModeFlatCode != 0 {
		if k.full() {
			c.flushBlocks()
		}
		b = k.alloc(k.scratch[:])
		b.off, b.size, b.mode, b.cross, b.off2 = first.off, uint16(n), c.Mode, true, second.off
		c.insert(b)
		return b
	}
	*b = block{first: &k.scratch[0], n: 1, size: uint16(n), mode: c.Mode}
	return b
}
