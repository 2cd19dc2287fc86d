// Package wasm is the translator for hosts whose machine code is WebAssembly: a
// browser, Node. Where the host's code can neither be patched nor jumped into, what
// is translated at once is a region, up to 50 blocks that lead to each other, as one
// function: a loop around a table of its blocks, each of which has the guest's registers
// and lazy flags that it needs in locals. Functions go into modules by the dozen, since
// making one costs more than its size does. From region to region, and behind indirect
// jumps, a dispatcher, itself WebAssembly, leads by a table of jumps; calls of other
// regions are calls.
//
// Accesses look into a translation cache, which is larger than that of cpu.State and
// filled from it; whatever voids translations there voids them here as well. What there is
// no code for, the interpreter executes, one instruction, and code goes on behind it.
//
// It serves 32-bit code on flat segments, as package jit does, whose decoded
// instructions and liveness of flags it shares.
package wasm

import (
	"alpinevm/cpu"
	"alpinevm/cpu/jit"
	"alpinevm/cpu/x86"
)

// Bounds of what is kept at once.
const (
	maxRegions = 1 << 15
	maxModules = 1 << 13
	perModule  = 16 // regions
)

// maxBudget is how many instructions one entry may execute until the clock is looked
// at: a fraction of a millisecond, at worst a few.
const maxBudget = 1 << 16

// Config says how to translate.
type Config struct {
	// Strict makes the flags exact wherever a fault or an interrupt may push
	// them: see jit.Config.
	Strict bool
	// Eager makes regions of all that they lead to, though it has not been
	// executed yet.
	Eager bool
	// Blocks bounds those of a region; 0 is the most.
	Blocks int
	// Regions is how many of them make a module, at most 16; 0 is that.
	Regions int
	// Asks is how often the processor has found a block hot, before it is
	// translated; 0 is 1.
	Asks uint8
	// Tepid is how often a block that a region leads to may have been executed
	// and yet be left out.
	Tepid uint8
	// Patience is after how many instructions one is made of fewer.
	Patience uint64
	// Kept bounds how many regions are; 0 is the most.
	Kept int
	// Deny, in tests, says which instructions are left to the interpreter.
	Deny func(*x86.Inst) bool
}

// Translator is a cpu.Backend.
type Translator struct {
	cpu    *cpu.CPU
	host   Host
	layout Layout
	cfg    Config

	store store
	cache cache
	emit  emitter

	// What is waiting to become a module: functions and the kept regions that
	// they are of.
	pending  [][]byte
	waiting  []uint32
	aes      bool                // one of them calls the functions of AES
	watched  bool                // Shared.Used is what is in use now
	waited   uint64              // value of State.Retired since which
	restless map[uint32]restless // by arena page
	asked    asked

	region region
	queue  []candidate
	insts  []jit.Inst
	liveIn [maxBlocks]uint32

	// Stats counts what happened, for benchmarks and tests.
	Stats Stats
}

// Stats are counts of events since the start.
type Stats struct {
	Modules, Regions, Blocks, Insts, Dropped uint64 // what was translated; regions that went for want of room
	Bytes                                    uint64 // of modules
	Entries, Budget, Inst, Miss, Jump        uint64 // entries, exits by kind
}

// New makes a translator for c whose code host runs.
func New(c *cpu.CPU, host Host, cfg Config) (*Translator, error) {
	if cfg.Regions == 0 {
		cfg.Regions = perModule
	}
	if cfg.Blocks == 0 {
		cfg.Blocks = maxBlocks
	}
	if cfg.Kept == 0 {
		cfg.Kept = maxRegions
	}
	cfg.Regions = min(cfg.Regions, cfg.Kept)
	t := &Translator{cpu: c, host: host, layout: host.Layout(), cfg: cfg, restless: map[uint32]restless{}}
	t.store.init(cfg.Kept, &t.layout.Shared.Jumps)
	t.cache.init(&t.layout.Shared.TLB, c.ArenaPages())
	t.emit.layout = t.layout
	m := module{funcs: [][]byte{dispatcher(t.layout), follower(t.layout)}, places: []uint32{dispatchPlace}, dispatch: true}
	return t, host.Load(m.encode(), m.places)
}

// Attach gives c such a translator, which serves blocks that the interpreter has
// executed threshold times.
func Attach(c *cpu.CPU, host Host, threshold uint8, cfg Config) (*Translator, error) {
	t, err := New(c, host, cfg)
	if err != nil {
		return nil, err
	}
	c.Attach(t, threshold)
	return t, nil
}

// Close gives back what the host holds.
func (t *Translator) Close() error {
	for _, places := range t.store.modules {
		t.host.Drop(places)
	}
	t.host.Close()
	return nil
}
