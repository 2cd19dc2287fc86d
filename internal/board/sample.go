package board

import (
	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

// Sampling has a board show where its guest is, again and again. Counts of
// instructions say when, so that a repeatable guest shows the same each time, and one
// that waits nothing.
type Sampling struct {
	// Every is how many instructions lie between two samples, on average: a loop of
	// as many would be seen at one place alone.
	Every uint64
	// Take gets each sample. It is called on the machine goroutine, between two
	// instructions.
	Take func(*Sample)
}

// Sample is where the guest is. Its methods are good during Take.
type Sample struct {
	cpu *cpu.CPU
	// Instructions is how many have retired since the last one.
	Instructions uint64
}

// PC is the linear address of the next instruction.
func (s *Sample) PC() uint32 { return s.cpu.Seg[x86.CS].Base + s.cpu.EIP }

// Stack gives the stack pointer and EBP; ok is false where they are not linear
// addresses of 32 bits.
func (s *Sample) Stack() (esp, ebp uint32, ok bool) {
	c, ss := s.cpu, &s.cpu.Seg[x86.SS]
	ok = c.CR0&1 != 0 && c.Flags&x86.FlagVM == 0 && ss.Base == 0 && ss.Attr&cpu.AttrDB != 0
	return c.R[x86.ESP], c.R[x86.EBP], ok
}

// User says that the guest is at CPL 3.
func (s *Sample) User() bool { return s.cpu.CPL == 3 }

// Space is the physical address of the page tables that are in use, which names the
// address space; 0 without paging.
func (s *Sample) Space() uint32 {
	if s.cpu.CR0>>31 == 0 {
		return 0
	}
	return s.cpu.CR3
}

// Peek is cpu.CPU.Peek.
func (s *Sample) Peek(lin uint32, p []byte) int { return s.cpu.Peek(lin, p) }

// sampler takes a board's samples.
type sampler struct {
	Sampling
	random     uint64 // of what lies between two samples
	last, next uint64 // retired instructions, at the last sample and the next one
}

// newSampler makes one for a processor that has retired so many instructions; nil
// without Sampling.
func newSampler(s *Sampling, retired uint64) *sampler {
	if s == nil || s.Every == 0 {
		return nil
	}
	p := &sampler{Sampling: *s, random: 1, last: retired}
	p.plan()
	return p
}

// plan chooses when to take the next sample: around Every, by a generator that is the
// same for each run (Marsaglia, Xorshift RNGs, 2003).
func (p *sampler) plan() {
	p.random ^= p.random << 13
	p.random ^= p.random >> 7
	p.random ^= p.random << 17
	p.next = p.last + max(p.Every/2+p.random%p.Every, 1)
}

// left is how many instructions there are to the next sample. A processor whose
// count was set back, by a restore, begins anew.
func (p *sampler) left(retired uint64) uint64 {
	if retired < p.last || retired >= p.next {
		p.last = retired
		p.plan()
	}
	return p.next - retired
}

// ran takes a sample, if it is time to.
func (p *sampler) ran(c *cpu.CPU) {
	if c.Retired < p.next {
		return
	}
	s := Sample{c, c.Retired - p.last}
	p.last = c.Retired
	p.plan()
	p.Take(&s)
}
