package cpu

import (
	"unsafe"

	"alpinevm/cpu/mem"
)

// Backend executes code that it has translated. It sees guest code as bytes,
// the processor as State and the methods below, never ops or handlers. All
// methods are called on the machine goroutine.
type Backend interface {
	// Run executes translated code from EIP on, until Attention or until it
	// has none: Rest says why. hot says that the block at EIP is worth
	// translating. An instruction that it cannot do it leaves to Interpret.
	Run(hot bool) Rest
	// FlushTLB says that all translations of linear addresses are void, or all
	// but global ones;
	// FlushPage that those of one page are, and all parts of a large page around
	// it.
	FlushTLB(global bool)
	FlushPage(lin uint32)
	// ProtectPage says that the arena page at off holds code from now on: stores
	// to it are the interpreter's.
	ProtectPage(off uint32)
	// CodeWritten says that n bytes at arena offset off, in one page, are about
	// to change. It gives the lines of the page that still hold translated code.
	CodeWritten(off, n uint32) (left uint64)
	// Lines gives the lines of the arena page at off that hold translated code.
	Lines(off uint32) uint64
}

// Rest is why a back end leaves the block at EIP to the interpreter.
type Rest uint8

// Reasons.
const (
	Untranslated   Rest = iota // it is not translated, or Attention
	Partial                    // the count of Run ends in the middle of it
	Unsettled                  // it was hot, but not yet at its linear address
	Waiting                    // it was hot, and is not translated yet: its executions are counted anew
	Untranslatable             // it was hot, and will never be translated
)

// Renewed is how many bytes of a page change at once where it gets another content.
const Renewed = 512

// Attach gives the processor a back end, nil for none. A block is hot when the
// interpreter has executed it threshold times, at most 254; with 0 each block is
// hot at once.
func (c *CPU) Attach(b Backend, threshold uint8) {
	c.backend, c.threshold, c.hot = b, min(threshold, cold-1), false
	c.blocks.opChunks, c.blocks.heats = maxOpChunks, nil
	if b != nil {
		c.blocks.opChunks, c.blocks.heats = someOpChunks, make([]uint8, 1<<heatBits)
		if c.threshold <= soon {
			c.blocks.opChunks = fewOpChunks
		}
	}
}

// delegate lets the back end execute what it can. It says whether the block at
// EIP is the interpreter's, and which that is, as far as it has been found.
func (c *CPU) delegate() (b *block, ours bool) {
	if c.backend == nil {
		return nil, true
	}
	for {
		if c.hot {
			// The back end needs the page's translation.
			if b = c.findHot(); b == nil {
				return nil, true
			}
		}
		flushes := c.blocks.flushes
		rest := c.backend.Run(c.hot)
		if c.Attention() {
			c.hot = false
			return nil, false
		}
		if flushes == c.blocks.flushes {
			switch rest {
			case Untranslatable:
				b.heat = cold
			case Waiting:
				b.heat = 0
			}
		}
		c.hot = false
		if rest != Untranslated {
			return nil, true
		}
		if b = c.find(); b == nil || !c.heat(b) {
			return b, true
		}
	}
}

// Attention says that Run has to look at something before the next instruction:
// its count is reached, or an event is pending.
func (c *CPU) Attention() bool { return c.Pending != 0 || c.Retired >= c.Limit }

// Pause asks whether the Run has gone on for long enough, and ends it then: a back
// end calls it where its time goes by and few instructions retire.
func (c *CPU) Pause() {
	if c.overdue != nil && c.overdue() {
		c.Yield()
	}
}

// Left is how many instructions may retire until Run returns.
func (c *CPU) Left() uint64 { return c.Limit - c.Retired }

// Advance says that a back end has retired n instructions and that EIP follows.
func (c *CPU) Advance(n uint64, eip uint32) {
	c.Retired += n
	c.EIP = eip
}

// Interpret executes the instruction at EIP, or says false and delivers its
// exception.
func (c *CPU) Interpret() bool { return c.single() }

// Translatable says whether the processor is in a mode that back ends serve: 32-bit
// code and stack, flat segments, protected mode, CPL 0 or 3, no alignment checks or
// breakpoints; and whether CPL is 3.
func (c *CPU) Translatable() (user, ok bool) {
	return c.Mode&ModeUser != 0, c.Mode&translatable == translatable && c.Mode&(ModeUser|ModeSystem) != 0 && c.Data != NoTLB
}

// ChangedAC says that a back end has changed EFLAGS.AC at CPL 0.
func (c *CPU) ChangedAC() { c.chooseTLB() }

// ChangedPrivilege says that a back end has changed CPL, and with it CS, SS and EFLAGS.
func (c *CPU) ChangedPrivilege() { c.flagsChanged() }

// Traced says that somebody is told of each interrupt.
func (c *CPU) Traced() bool { return c.trace != nil }

// System64 gives 8 bytes that the processor itself reads, in one page, as far as it
// can without a fault.
func (c *CPU) System64(lin uint32) (v uint64, ok bool) {
	e := &c.TLB[HalfSystem][lin>>12&tlbMask]
	if e.R != lin&^0xfff || lin&0xfff > 0xff8 {
		return 0, false
	}
	return c.ram.Load64(e.Off + lin), true
}

// Descriptor gives where in the GDT the descriptor of a selector lies, and its
// bytes, as far as the processor can read them without a fault.
func (c *CPU) Descriptor(sel uint16) (lin uint32, raw uint64, ok bool) {
	lin = c.GDTR.Base + uint32(sel&^7)
	if local(sel) || uint32(sel|7) > uint32(c.GDTR.Limit) {
		return 0, 0, false
	}
	raw, ok = c.System64(lin)
	return lin, raw, ok
}

// translatable are the bits of Mode under which back ends serve.
const translatable = ModeCode32 | ModeStack32 | ModeFlat | ModeFlatCode | ModeProtected

// MarkCode marks n bytes at arena offset off, in one page, as code: whoever
// writes to them calls CodeWritten first.
func (c *CPU) MarkCode(off, n uint32) { c.markCode(off, n) }

// CodeBytes gives n bytes of the arena at off; they lie in one page.
func (c *CPU) CodeBytes(off, n uint32) []byte { return c.ram.Bytes(off, n) }

// ArenaPages is the number of pages of the arena.
func (c *CPU) ArenaPages() int { return len(c.blocks.pages) }

// ArenaBase is the host address of arena offset 0. The arena does not move.
func (c *CPU) ArenaBase() uint64 {
	// SAFETY: the address is only computed with here; whoever dereferences it
	// keeps the memory alive.
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(c.ram.Bytes(0, mem.PageSize)))))
}

// Translation is what the translation cache knows of one linear page.
type Translation struct {
	page          uint32
	entry         TLBEntry
	large, global bool
}

// Translation looks into a half of the translation cache.
func (c *CPU) Translation(half int, lin uint32) Translation {
	i := lin >> 12 & tlbMask
	return Translation{lin &^ 0xfff, c.TLB[half][i], c.TLBLarge[half].has(i), c.TLBGlobal[half].has(i)}
}

// Global says that loads of CR3 leave the translation.
func (t Translation) Global() bool { return t.global }

// off is the arena offset of the page.
func (t Translation) off() uint32 { return t.entry.Off + t.page }

// Read gives the arena offset of the page and whether it is part of a large one;
// ok says that it may be read.
func (t Translation) Read() (off uint32, large, ok bool) {
	return t.off(), t.large, t.entry.R == t.page
}

// Write says whether the page may be written: it is RAM, dirty, and holds no
// code.
func (t Translation) Write() bool { return t.entry.W == t.page }

// Fetch is Read for execution.
func (t Translation) Fetch() (off uint32, large, ok bool) {
	return t.off(), t.large, t.entry.X == t.page
}
