package cpu

import (
	"unsafe"

	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

// Bounds of the cache. When either is reached the whole cache is flushed.
const (
	maxBlockOps = 32
	opChunk     = 8192
	maxOpChunks = 128 // 1 Mi ops, 32 MiB
	// fewOpChunks is the bound where a back end has what is executed a few times, at
	// most soon. With one that waits for longer more stays the interpreter's, and
	// someOpChunks is the bound.
	fewOpChunks  = 12
	someOpChunks = 48
	soon         = 32
	blockChunk   = 2048
	maxChunks    = 96
	bucketBits   = 16
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
	mode  Mode
	valid bool
	cross bool    // reaches into the page that starts at off2
	near  [2]bool // the linked block lies in the same page, so the link needs no check
	heat  uint8   // how often it was executed, where a back end wants to know
	quiet bool    // some instructions leave flags unset that later ones overwrite
	heats uint32  // where its heat is noted
}

// bytes is the length of the block's code.
func (b *block) bytes() uint32 { return uint32(b.size) }

// after is the op behind o in the same block.
func (o *op) after() *op {
	// SAFETY: execute calls it for fewer than n ops of a block, which lie
	// next to each other in a chunk.
	return (*op)(unsafe.Add(unsafe.Pointer(o), unsafe.Sizeof(op{})))
}

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
	writes   uint64  // changes of code so far
	heats    []uint8 // see heatIndex; nil without a back end
	building [maxBlockOps]op
	effects  [maxBlockOps]effect
	part     block
	inst     x86.Inst
	// translation is what selectors see, here so that none is made on the heap.
	translation translation
	bytes       [x86.MaxLen]byte
}

// init makes the cache of blocks in m.
func (k *blockCache) init(m *mem.Memory) {
	k.opChunks = maxOpChunks
	k.pages = make([]*block, m.Pages())
}

func bucket(off uint32, m Mode) uint32 {
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

// insert puts b into the hash and page lists and marks its lines as code.
func (c *CPU) insert(b *block) {
	k := &c.blocks
	c.warm(b)
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
