package cpu

import (
	"unsafe"

	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

// A block is a run of instructions that are entered at the first one, keyed by
// arena offset (physical address) and mode. It lies in one page; an instruction
// that crosses into the next page is a block of its own, keyed by both pages.
//
// It fills one cache line: finding and entering a block is mostly waiting for
// memory.
type block struct {
	first *op
	link  [2]*block // behind the last instruction; at the target of its branch
	chain *block    // next in the hash bucket
	page  *block    // next in the list of the first page
	off   uint32    // arena offset of the first byte
	off2  uint32    // arena offset of the second page's first byte, if cross
	size  uint16    // bytes
	n     uint8     // instructions, at least 1
	mode  mode
	valid bool
	cross bool    // reaches into the page that starts at off2
	near  [2]bool // the linked block lies in the same page, so the link needs no check
	heat  uint8   // how often it was executed, where a back end wants to know
	quiet bool    // some instructions leave flags unset that later ones overwrite
	_     [6]byte
}

// bytes is the length of the block's code.
func (b *block) bytes() uint32 { return uint32(b.size) }

// after is the op behind o in the same block.
func (o *op) after() *op {
	// SAFETY: execute calls it for fewer than n ops of a block, which lie
	// next to each other in a chunk.
	return (*op)(unsafe.Add(unsafe.Pointer(o), unsafe.Sizeof(op{})))
}

// Bounds of the cache. When either is reached the whole cache is flushed.
const (
	maxBlockOps = 32
	opChunk     = 8192
	maxOpChunks = 128 // 1 Mi ops, 32 MiB
	// fewOpChunks is the bound where a back end has what is executed often.
	fewOpChunks = 24
	blockChunk  = 2048
	maxChunks   = 96
	bucketBits  = 16
)

type blockCache struct {
	buckets  [1 << bucketBits]*block
	pages    []*block // list of blocks by arena page
	cross    []*block // valid blocks that reach into a second page
	ops      [][]op
	opsUsed  int // chunks in use, the last partly
	opNext   int
	blocks   [][]block
	used     int
	next     int
	scratch  [1]op // for instructions that are not cached
	single   block
	opChunks int // the bound of opsUsed
	flushes  uint64
	building [maxBlockOps]op
	effects  [maxBlockOps]effect
	part     block
	inst     x86.Inst
	// translation is what selectors see, here so that none is made on the heap.
	translation translation
	bytes       [x86.MaxLen]byte
}

func (k *blockCache) init(m *mem.Memory) {
	k.opChunks = maxOpChunks
	k.pages = make([]*block, (uint64(m.Size())+2<<20)>>12)
}

func bucket(off uint32, m mode) uint32 {
	return (off ^ off>>15 ^ uint32(m)<<9) & (1<<bucketBits - 1)
}

// full says whether there may be no room for one more block.
func (k *blockCache) full() bool {
	return k.used == maxChunks && k.next+1 >= blockChunk || k.opsUsed >= k.opChunks && k.opNext+maxBlockOps > opChunk
}

// alloc gives a block with room for a copy of ops.
func (k *blockCache) alloc(ops []op) *block {
	if k.used == 0 || k.next == blockChunk {
		if k.used == len(k.blocks) {
			k.blocks = append(k.blocks, make([]block, blockChunk))
		}
		k.used, k.next = k.used+1, 0
	}
	if k.opsUsed == 0 || k.opNext+len(ops) > opChunk {
		if k.opsUsed == len(k.ops) {
			k.ops = append(k.ops, make([]op, opChunk))
		}
		k.opsUsed, k.opNext = k.opsUsed+1, 0
	}
	b := &k.blocks[k.used-1][k.next]
	k.next++
	o := k.ops[k.opsUsed-1][k.opNext : k.opNext+len(ops) : k.opNext+len(ops)]
	k.opNext += len(ops)
	copy(o, ops)
	*b = block{first: &o[0], n: uint8(len(o)), valid: true}
	return b
}

// flushBlocks empties the cache.
func (c *CPU) flushBlocks() {
	k := &c.blocks
	clear(k.buckets[:])
	for p, b := range k.pages {
		if b != nil {
			k.pages[p] = nil
			c.mem.SetCode(uint32(p)<<12, c.linesOf(uint32(p)<<12))
		}
	}
	for _, b := range k.cross {
		c.mem.SetCode(b.off2, c.linesOf(b.off2))
	}
	k.cross = k.cross[:0]
	k.used, k.next, k.opsUsed, k.opNext = 0, 0, 0, 0
	k.flushes++
	c.stop()
}

// find gives the block at CS:EIP, from the cache or newly decoded. nil means
// that fetching or decoding faulted, with the fault recorded.
func (c *CPU) find() *block {
	lin := c.Seg[segCS].Base + c.EIP
	e := &c.code[lin>>12&tlbMask]
	if e.X != lin&^0xfff {
		p, ok := c.locate(lin, fetch, c.half)
		if !ok {
			return nil
		}
		if p.kind == mem.MMIO {
			return c.uncached()
		}
	}
	return c.blockAt(lin, e.Off+lin)
}

// blockAt gives the block at linear address lin and arena offset off.
func (c *CPU) blockAt(lin, off uint32) *block {
	for b := c.blocks.buckets[bucket(off, c.mode)]; b != nil; b = b.chain {
		if b.off == off && b.mode == c.mode && b.valid {
			if b.cross && !c.sameSecondPage(b, lin) {
				continue
			}
			if c.mode&modeFlatCode == 0 && !c.Seg[segCS].contains(c.EIP, b.bytes()) {
				return c.uncached()
			}
			return b
		}
	}
	return c.decode(off)
}

// sameSecondPage says whether the page behind lin's is the one that b crosses
// into.
func (c *CPU) sameSecondPage(b *block, lin uint32) bool {
	page2 := lin&^0xfff + 0x1000
	e := &c.code[page2>>12&tlbMask]
	if e.X != page2 {
		fault, cr2 := c.Fault, c.CR2
		p, ok := c.locate(page2, fetch, c.half)
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

func (m mode) decoding() x86.Mode {
	if m&modeCode32 != 0 {
		return x86.Mode32
	}
	return x86.Mode16
}

// decode makes the block at CS:EIP, which lies at arena offset off.
func (c *CPU) decode(off uint32) *block {
	k := &c.blocks
	if k.full() {
		c.flushBlocks()
	}
	n, size := c.build(c.ram.Bytes(off, mem.PageSize-off%mem.PageSize), maxBlockOps)
	if n == 0 {
		return c.uncached()
	}
	quiet := k.dropDeadFlags(n)
	b := k.alloc(k.building[:n])
	b.off, b.size, b.mode, b.quiet = off, uint16(max(size, 1)), c.mode, quiet
	c.enter(b)
	return b
}

// build decodes instructions at CS:EIP, whose bytes code holds up to the end of
// the page, into the first places of building: at most most of them, up to the
// end of the block. It gives their number and length; none where the first one
// reaches beyond code or the segment limit.
func (c *CPU) build(code []byte, most int) (n int, size uint32) {
	k := &c.blocks
	flat := c.mode&modeFlatCode != 0
	in := &k.inst
	for n < most {
		r := x86.Decode(code[size:], c.mode.decoding(), in)
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
			t := c.translate(in, o, c.mode, size)
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

// enter puts b into the hash and page lists and marks its lines as code.
func (c *CPU) enter(b *block) {
	k := &c.blocks
	h := &k.buckets[bucket(b.off, b.mode)]
	b.chain, *h = *h, b
	pg := &k.pages[b.off>>12]
	b.page, *pg = *pg, b
	first := b.bytes()
	if b.cross {
		first = 0x1000 - b.off&0xfff
		k.cross = append(k.cross, b)
		c.markCode(b.off2, b.bytes()-first)
	}
	c.markCode(b.off, first)
}

func (c *CPU) markCode(off, n uint32) {
	old := c.mem.Code(off)
	lines := old | mem.Lines(off, n)
	if lines != old {
		c.mem.SetCode(off, lines)
		if old == 0 {
			c.protectPage(off)
		}
	}
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
		p, ok := c.locate(lin, fetch, c.half)
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
		r = x86.Decode(buf[:n+1], c.mode.decoding(), in)
	}
	o := &k.scratch[0]
	switch r {
	case x86.OK:
		c.translate(in, o, c.mode, 0)
	case x86.Undefined:
		*o = op{fn: undefined, len: uint8(n)}
	default:
		*o = op{fn: tooLong, len: uint8(n)}
	}
	b := &k.single
	lin := cs.Base + c.EIP
	crosses := lin&0xfff+uint32(n) > 0x1000
	if crosses && first.kind != mem.MMIO && second.kind != mem.MMIO && c.mode&modeFlatCode != 0 {
		if k.full() {
			c.flushBlocks()
		}
		b = k.alloc(k.scratch[:])
		b.off, b.size, b.mode, b.cross, b.off2 = first.off, uint16(n), c.mode, true, second.off
		c.enter(b)
		return b
	}
	*b = block{first: &k.scratch[0], n: 1, size: uint16(n), mode: c.mode}
	return b
}

// CodeWritten is the mem.Watcher's: blocks that touch the lines of [off, off+n)
// are void.
func (c *CPU) CodeWritten(off, n uint32) {
	k := &c.blocks
	hit := mem.Lines(off, n)
	page := off &^ 0xfff
	var left uint64
	p := &k.pages[off>>12]
	for b := *p; b != nil; b = b.page {
		lines := mem.Lines(b.off, min(b.bytes(), 0x1000-b.off&0xfff))
		if lines&hit != 0 {
			b.valid = false
			*p = b.page
			c.unhash(b)
			continue
		}
		left |= lines
		p = &b.page
	}
	live := k.cross[:0]
	for _, b := range k.cross {
		if b.off2 == page && b.valid {
			lines := mem.Lines(page, b.bytes()-(0x1000-b.off&0xfff))
			if lines&hit != 0 {
				b.valid = false
				c.unlist(b)
				c.unhash(b)
			} else {
				left |= lines
			}
		}
		if b.valid {
			live = append(live, b)
		}
	}
	k.cross = live
	if c.backend != nil {
		left |= c.backend.CodeWritten(off, n)
	}
	c.mem.SetCode(page, left)
	c.stop()
}

// linesOf gives the lines of a page that hold what the back end has translated.
func (c *CPU) linesOf(off uint32) uint64 {
	if c.backend == nil {
		return 0
	}
	return c.backend.Lines(off)
}

// unhash takes b out of its hash bucket.
func (c *CPU) unhash(b *block) {
	p := &c.blocks.buckets[bucket(b.off, b.mode)]
	for *p != nil && *p != b {
		p = &(*p).chain
	}
	if *p == b {
		*p = b.chain
	}
}

// unlist takes b out of the list of its page.
func (c *CPU) unlist(b *block) {
	p := &c.blocks.pages[b.off>>12]
	for *p != nil && *p != b {
		p = &(*p).page
	}
	if *p == b {
		*p = b.page
	}
}
