package cpu

const dr6BS = 1 << 14

// debugTrap delivers the trap #DB with the given bits of DR6 (SDM vol. 3B 17.2.3).
func (c *CPU) debugTrap(bits uint32) { panic("BUG: debugTrap") }

// codeBreakpoints says whether instruction breakpoints are armed.
func (c *CPU) codeBreakpoints() bool { return false }

// codeBreakpoint says whether the instruction at CS:EIP has a breakpoint that fires now; #DB is recorded then.
func (c *CPU) codeBreakpoint() bool { return false }

// dataBreakpoints says whether data breakpoints are armed.
func (c *CPU) dataBreakpoints() bool { return false }

// checkAccess does, for n bytes at lin, what the TLB's hit path cannot: the alignment check (false with #AC recorded) and
// data breakpoints (noted in DebugHits, with the block made to end).
func (c *CPU) checkAccess(lin, n uint32, acc access) bool { return true }
