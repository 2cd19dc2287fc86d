// Package bench measures work done by a guest: processor, boot, files, network
// and the building of Go programs, in the guest and beside it on peers that do
// the same. Its output is a table for people and the Go benchmark format, which
// benchstat reads.
package bench

import (
	"cmp"
	"slices"
	"time"
)

// Places where work is done, beside the Engines.
const (
	Guest  = "alpinevm"
	Native = "native" // the host's own processor and kernel, running the same 32-bit program
	QEMU   = "qemu"   // qemu-system-i386 without KVM
)

// Step is one measured piece of work.
type Step struct {
	Name         string // such as "cold"
	Where        string // Guest or the name of a peer
	N            int    // operations; 0 is one
	Bytes        int64  // moved by all of them, 0 where that is not the point
	Time         time.Duration
	Instructions uint64 // of the guest in all, 0 on a peer
}

// ops is the number of operations.
func (s Step) ops() int { return max(s.N, 1) }

// PerOp is how long an operation took.
func (s Step) PerOp() time.Duration { return s.Time / time.Duration(s.ops()) }

// NanosPerInstruction is the guest's speed, 0 where it is not known.
func (s Step) NanosPerInstruction() float64 {
	if s.Instructions == 0 {
		return 0
	}
	return float64(s.Time) / float64(s.Instructions)
}

// Rate is in megabytes a second, 0 where no bytes are counted.
func (s Step) Rate() float64 {
	if s.Time <= 0 {
		return 0
	}
	return float64(s.Bytes) / 1e6 / s.Time.Seconds()
}

// Result is all that a run has measured so far.
type Result struct {
	Workload string // such as "GoBuild/hello"
	Steps    []Step
	Notes    []string // what a reader must know to compare the figures
	Doubtful []string // steps whose time is another by the guest's clock, as "qemu/sse2"
}

// disagree notes that the clocks of guest and host differ about a step.
func (r *Result) disagree(s Step) {
	if name := s.Where + "/" + s.Name; !slices.Contains(r.Doubtful, name) {
		r.Doubtful = append(r.Doubtful, name)
	}
}

// median is the step of median time in a place; ok is false where there is none.
func (r *Result) median(name, where string) (s Step, ok bool) {
	var all []Step
	for _, s := range r.Steps {
		if s.Name == name && s.Where == where {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return Step{}, false
	}
	slices.SortFunc(all, func(a, b Step) int {
		return cmp.Compare(float64(a.Time)/float64(a.ops()), float64(b.Time)/float64(b.ops()))
	})
	return all[(len(all)-1)/2], true
}

// names lists values of a field in the order of their first use.
func (r *Result) names(field func(Step) string) []string {
	var list []string
	for _, s := range r.Steps {
		if n := field(s); !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}
