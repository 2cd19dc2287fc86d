package cpu

import (
	"slices"

	"alpinevm/cpu/mem"
	"alpinevm/cpu/x86"
)

// What a debugger outside of the guest wants. The guest sees nothing of it: neither
// its memory nor its debug registers change. A linear page with a breakpoint is kept
// out of the TLB for fetches, one with a watchpoint for data. So whoever uses such a
// page, translated code too, takes the slow paths, which look; nobody else does.

// Watchpoint is N bytes from linear address Addr on, accesses to which stop the
// processor behind the instruction that makes them.
type Watchpoint struct {
	Addr, N     uint32
	Read, Write bool
}

// Hit is why Run has come back with Stopped: a breakpoint at EIP, or an access to
// Watch by what was executed last.
type Hit struct {
	Watch *Watchpoint // nil: a breakpoint
	Addr  uint32      // of the first byte that is watched and was accessed, linear
}

// stops are a debugger's.
type stops struct {
	code      []uint32        // linear addresses of breakpoints, in order
	pages     map[uint32]bool // linear pages that they lie in
	data      []Watchpoint
	hit       Hit
	hasHit    bool
	passing   bool // breakpoints are passed
	deafening bool // INTR is held off
	pause     block
	pauseOp   op
}

// StopAt has Run come back with Stopped before an instruction at one of the linear
// addresses in code, and behind one that accesses one of data. To be called between
// two Runs. A breakpoint stops as often as its instruction is about to be executed,
// but not between the iterations of a repeated one: who wants to go on from one uses
// Step.
func (c *CPU) StopAt(code []uint32, data []Watchpoint) {
	s := c.debugger()
	s.code, s.pages, s.data = slices.Clone(code), map[uint32]bool{}, slices.Clone(data)
	slices.Sort(s.code)
	for _, lin := range code {
		s.pages[lin&^0xfff] = true
	}
	s.hit, s.hasHit = Hit{}, false
	if len(code)+len(data) == 0 {
		c.stops = nil
	}
	c.flushTLB(true)
	c.updateEvents()
}

// debugger gives c.stops.
func (c *CPU) debugger() *stops {
	if c.stops == nil {
		s := &stops{pauseOp: op{fn: pause}}
		s.pause = block{first: &s.pauseOp, n: 1, heat: cold}
		c.stops = s
	}
	return c.stops
}

// Hit gives what has made Run come back with Stopped, and forgets it.
func (c *CPU) Hit() Hit {
	if c.stops == nil {
		return Hit{}
	}
	h := c.stops.hit
	c.stops.hit, c.stops.hasHit = Hit{}, false
	c.updateEvents()
	return h
}

// Step executes one instruction or delivers one event, as a Run of 1 does, and
// passes breakpoints. With quiet the INTR pin is held off, unless HLT waits for it.
func (c *CPU) Step(quiet bool) Exit {
	had := c.stops != nil
	s := c.debugger()
	s.passing, s.deafening = true, quiet && !c.Halted
	c.updateEvents()
	exit := c.interpret1()
	s.passing, s.deafening = false, false
	if !had {
		c.stops = nil
	}
	c.updateEvents()
	return exit
}

// interpret1 is a Run of 1 without a back end.
func (c *CPU) interpret1() Exit {
	c.Limit = c.Retired + 1
	c.running = true
	defer func() { c.running = false }()
	for c.Retired < c.Limit {
		if c.Pending == 0 {
			c.single()
		} else if exit, done := c.events(); done {
			return exit
		}
	}
	return c.ended()
}

// deaf says that the INTR pin is held off.
func (c *CPU) deaf() bool { return c.stops != nil && c.stops.deafening }

// stopping says that a debugger is to have the word.
func (c *CPU) stopping() bool { return c.stops != nil && c.stops.hasHit }

// breaks says whether there is a breakpoint at CS:EIP, and notes it.
func (c *CPU) breaks() bool {
	s := c.stops
	if s == nil || s.passing || c.Paused == c.Retired {
		return false
	}
	lin := c.Seg[segCS].Base + c.EIP
	if !c.HasBreakpoint(lin) {
		return false
	}
	c.stopFor(Hit{Addr: lin})
	return true
}

// HasBreakpoint says whether StopAt has set one at that linear address.
func (c *CPU) HasBreakpoint(lin uint32) bool {
	if c.stops == nil {
		return false
	}
	_, at := slices.BinarySearch(c.stops.code, lin)
	return at
}

// stopFor makes the processor stop behind the current instruction, for the first
// reason that it has.
func (c *CPU) stopFor(h Hit) {
	if s := c.stops; !s.hasHit {
		s.hit, s.hasHit = h, true
	}
	c.post(pendStop)
}

// breakable says whether there are breakpoints in the linear page of lin.
func (c *CPU) breakable(lin uint32) bool { return c.stops != nil && c.stops.pages[lin&^0xfff] }

// onPage finds what is to be executed at CS:EIP, in a page with breakpoints that
// lies at p: one instruction, or nothing, with Run about to come back.
func (c *CPU) onPage(p place) *block {
	if c.breaks() {
		return &c.stops.pause
	}
	if p.kind == mem.MMIO || c.Mode&ModeFlatCode == 0 || p.off&0xfff+x86.MaxLen > mem.PageSize {
		return c.uncached()
	}
	b := c.blocks.lookup(p.off, c.Mode|alone)
	if b == nil {
		b = c.decode(p.off, c.Mode|alone, 1)
	}
	b.heat = cold
	return b
}

// pause is in the place of an instruction that is not to be executed. Whoever
// executes a block counts it.
func pause(c *CPU, o *op) status {
	c.Retired--
	return elsewhere
}

// hide keeps a page that a debugger looks at out of its TLB entry.
func (s *stops) hide(e *TLBEntry, page uint32) {
	if s.pages[page] {
		e.X = NoTag
	}
	for i := range s.data {
		if w := &s.data[i]; w.overlaps(page, mem.PageSize) {
			e.R, e.W = NoTag, NoTag
		}
	}
}

// overlaps says whether any of the n bytes at lin is watched; n is not 0.
func (w *Watchpoint) overlaps(lin, n uint32) bool { return lin-w.Addr < w.N || w.Addr-lin < n }

// observe notes an access of n bytes at lin that a debugger watches. It is called in
// the middle of an instruction, which is going to have made it.
func (c *CPU) observe(lin, n uint32, acc access) {
	if c.stops == nil {
		return
	}
	for i := range c.stops.data {
		w := &c.stops.data[i]
		if (acc == write && w.Write || acc == read && w.Read) && w.overlaps(lin, n) {
			at := lin
			if lin-w.Addr >= w.N {
				at = w.Addr
			}
			hit := *w
			c.stopFor(Hit{Watch: &hit, Addr: at})
			return
		}
	}
}

// unobserve forgets what an instruction has accessed that faults.
func (c *CPU) unobserve() {
	if c.stopping() && c.stops.hit.Watch != nil {
		c.stops.hit, c.stops.hasHit = Hit{}, false
		c.updateEvents()
	}
}

// Jump has the processor go on at offset eip in its code segment, awake if it was
// halted, for a debugger.
func (c *CPU) Jump(eip uint32) {
	c.EIP, c.Halted, c.Paused = eip, false, ^uint64(0)
	c.updateEvents()
}
