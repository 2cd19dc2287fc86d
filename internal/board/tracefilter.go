package board

import (
	"math"

	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

// TraceFilter narrows a trace: what happens elsewhere is not reported. Its zero
// value reports all. What is no instruction's doing, TraceOwner, is filtered by
// From and To alone.
type TraceFilter struct {
	// From and To are counts of retired instructions: the first that is
	// reported, and the first that is not any more; To 0: there is none.
	From, To uint64
	// Ranges has the linear addresses of the instructions that are reported;
	// empty: all. An interrupt belongs to the instruction before which it comes.
	Ranges []TraceRange
	// Rings says which privilege levels are reported.
	Rings Rings
}

// TraceRange is the linear addresses from First to Last, both included.
type TraceRange struct{ First, Last uint32 }

// Rings is a choice of privilege levels.
type Rings uint8

// Choices of privilege levels.
const (
	AllRings    Rings = iota
	UserRings         // CPL 3, virtual-8086 mode with it
	KernelRings       // CPL 0 to 2, real mode with it
)

// during tells whether the count lies between From and To.
func (f *TraceFilter) during(count uint64) bool { return count >= f.From && !f.over(count) }

// over tells that nothing is reported from this count on.
func (f *TraceFilter) over(count uint64) bool { return f.To != 0 && count >= f.To }

// here tells whether what the instruction at CS:EIP does is reported.
func (f *TraceFilter) here(c *cpu.CPU) bool {
	if f.Rings != AllRings && (c.CPL == 3) != (f.Rings == UserRings) {
		return false
	}
	if len(f.Ranges) == 0 {
		return true
	}
	lin := c.Seg[x86.CS].Base + c.EIP
	for _, r := range f.Ranges {
		if lin >= r.First && lin <= r.Last {
			return true
		}
	}
	return false
}

// silent is how many instructions follow a count before one may be reported.
func (f *TraceFilter) silent(count uint64) uint64 {
	switch {
	case count < f.From:
		return f.From - count
	case f.over(count):
		return math.MaxUint64
	}
	return 0
}
