// Package bench measures work done by a guest: building Go programs, in the
// guest and beside it on peers that do the same. Its output is a table for
// people and the Go benchmark format, which benchstat reads.
package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// Step is one measured piece of work.
type Step struct {
	Name         string // such as "cold"
	Where        string // "guest" or the name of a peer
	Time         time.Duration
	Instructions uint64 // of the guest, 0 on a peer
}

// NanosPerInstruction is the guest's speed, 0 where it is not known.
func (s Step) NanosPerInstruction() float64 {
	if s.Instructions == 0 {
		return 0
	}
	return float64(s.Time) / float64(s.Instructions)
}

// Result is all that a run has measured so far.
type Result struct {
	Workload string // such as "GoBuild/hello"
	Steps    []Step
}

// median of the times of a step in a place; ok is false where there is none.
func (r *Result) median(name, where string) (d time.Duration, ok bool) {
	var all []time.Duration
	for _, s := range r.Steps {
		if s.Name == name && s.Where == where {
			all = append(all, s.Time)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	return all[len(all)/2], true
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

// Table writes medians for people, with the ratio of each peer to the guest.
func (r *Result) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	places := r.names(func(s Step) string { return s.Where })
	fmt.Fprintf(t, "%s", r.Workload)
	for _, p := range places {
		fmt.Fprintf(t, "\t%s", p)
		if p != Guest {
			fmt.Fprintf(t, "\tguest / %s", p)
		}
	}
	fmt.Fprintf(t, "\tinstructions\tns each\n")
	for _, name := range r.names(func(s Step) string { return s.Name }) {
		fmt.Fprintf(t, "%s", name)
		guest, _ := r.median(name, Guest)
		for _, p := range places {
			d, ok := r.median(name, p)
			switch {
			case !ok:
				fmt.Fprintf(t, "\t-")
			default:
				fmt.Fprintf(t, "\t%.2f s", d.Seconds())
			}
			if p != Guest {
				if ok && d > 0 {
					fmt.Fprintf(t, "\t%.1f", float64(guest)/float64(d))
				} else {
					fmt.Fprintf(t, "\t-")
				}
			}
		}
		for _, s := range r.Steps {
			if s.Name == name && s.Where == Guest {
				fmt.Fprintf(t, "\t%.3g\t%.2f", float64(s.Instructions), s.NanosPerInstruction())
				break
			}
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// Format writes every measurement in the Go benchmark format
// (golang.org/design/14313-benchmark-format).
func (r *Result) Format(w io.Writer) error {
	for _, s := range r.Steps {
		line := fmt.Sprintf("Benchmark%s/%s/%s 1 %d ns/op", r.Workload, s.Name, s.Where, s.Time.Nanoseconds())
		if s.Instructions > 0 {
			line += fmt.Sprintf(" %d insn/op %.3f ns/insn", s.Instructions, s.NanosPerInstruction())
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
