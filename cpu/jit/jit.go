// Package jit is the front end of the translator: it turns hot guest code into
// host code, block by block, and keeps what was made true to what the guest
// sees. It decodes, follows the liveness of flags, lays blocks out along the
// fall-through, links them, and forgets them where code or translations change.
// A back end (Target) encodes. What no back end has code for, one instruction
// at a time, the interpreter executes.
//
// It serves 32-bit code on flat segments; all else stays with the interpreter.
package jit

import (
	"alpinevm/cpu"
)

// maxUnit is how many blocks are laid out behind each other.
const maxUnit = 60

// maxBudget is how many instructions one entry may execute until the clock is
// looked at: they may take from 0.1 to several nanoseconds each.
const maxBudget = 1 << 16

// Translator is a cpu.Backend.
type Translator struct {
	cpu    *cpu.CPU
	target Target
	mem    *Memory
	store  *Store
	strict bool
	eager  bool

	filled   [Halves]struct{ local, global pageList } // linear pages that have entries in the tables
	large    [Halves][PageCount >> 10 / 64]uint64
	gdtr     cpu.TableReg // that Context.Segs is of
	idtr     cpu.TableReg // that Context.Crossings is of
	tr       cpu.Seg      // and TR
	writable []writers    // by arena page
	unit     Unit
	insts    []Inst

	// Stats counts what happened, for benchmarks and tests.
	Stats Stats
}

// Stats are counts of events since the start.
type Stats struct {
	Blocks, Insts, Evicted, Woken         uint64 // translated blocks and their instructions; blocks that went for want of room, and that pages were woken with
	Budget, Inst, Miss, Edge, Jump, Pages uint64 // exits by kind
	Entries                               uint64
}

// Config says how to translate.
type Config struct {
	// Strict makes the flags exact wherever a fault or an interrupt may push
	// them. Otherwise flags that are overwritten before any instruction reads
	// them may be stale in the EFLAGS that a fault in between pushes, or an
	// interrupt at the beginning of a block, where Run may end as well.
	Strict bool
	// Eager lays out, behind a block, what it falls through to, though that has
	// not been executed yet.
	Eager bool
	// Plain makes code as for the oldest processor that the target serves.
	Plain bool
	// Blocks bounds how many blocks are kept, where that is to be less than the
	// target has room for; 0: that.
	Blocks int
}

// New makes a translator for c that generates code through target.
func New(c *cpu.CPU, target Target, cfg Config) *Translator {
	t := &Translator{cpu: c, target: target, mem: target.Memory(), strict: cfg.Strict, eager: cfg.Eager}
	t.store = newStore(t.mem, c.ArenaPages(), cfg.Blocks)
	t.writable = make([]writers, c.ArenaPages())
	t.mem.Gen = [2]uint64{1 << 32, 1 << 32}
	t.unit.Blocks = make([]UnitBlock, 0, maxUnit)
	t.insts = make([]Inst, 0, maxUnit*MaxInsts)
	return t
}

// Close gives back what the target holds.
func (t *Translator) Close() error {
	t.target.Close()
	return nil
}
