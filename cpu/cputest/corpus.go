package cputest

import (
	"fmt"

	"alpinevm/cpu/x86"
)

// Seed is the seed of the corpus.
const Seed = 1

// Sizes of the sets of the corpus.
const (
	// CasesPerForm: the pairs of edges, then as many cases again and more
	// with any operands, addresses and prefixes.
	CasesPerForm = 320
	cases16      = 192
	sequences    = 8192
)

// Set is a part of the corpus: the cases of one form, or sequences.
type Set struct {
	Name string
	Op   x86.Op // 0 for sequences
	Mode x86.Mode
	Feat x86.Feature
	Size int // cases in the corpus; Make makes as many as one likes
	Make func(seed uint64, n, slot int) (Case, bool)
}

// Sets is the corpus.
func Sets() []Set {
	var list []Set
	for f := range x86.Forms {
		row := &x86.Forms[f]
		if asked(row) {
			list = append(list, formSet(x86.Mode32, x86.Form(f)))
		}
	}
	for f := range x86.Forms {
		if row := &x86.Forms[f]; asked(row) && asked16(row) {
			list = append(list, formSet(x86.Mode16, x86.Form(f)))
		}
	}
	return append(list, Set{"sequences", 0, x86.Mode32, x86.Base, sequences, func(seed uint64, n, slot int) (Case, bool) {
		return Sequence(seed, n, slot), true
	}})
}

func formSet(mode x86.Mode, form x86.Form) Set {
	row := &x86.Forms[form]
	s := Set{row.String(), row.Op, mode, row.Feat, CasesPerForm, func(seed uint64, n, slot int) (Case, bool) {
		return Generate(seed, mode, form, n, slot)
	}}
	if mode == x86.Mode16 {
		s.Name, s.Size = "16-bit "+s.Name, cases16
	}
	return s
}

// Batches makes n cases of a set and hands them out in batches that engines
// take, each with the number of its first case. It stops at the first error.
func (s *Set) Batches(seed uint64, n int, run func(first int, cases []Case) error) error {
	for first := 0; first < n; first += Batch {
		var cases []Case
		for i := first; i < min(first+Batch, n); i++ {
			c, ok := s.Make(seed, i, len(cases))
			if !ok {
				return fmt.Errorf("cputest: %s: case %d cannot be made", s.Name, i)
			}
			cases = append(cases, c)
		}
		if err := run(first, cases); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

// Report tells how an engine did in a set.
type Report struct {
	Name   string
	Cases  int
	Failed int
	First  string // describes some of the failures
}

// add reports a batch whose cases differ as diffs says.
func (r *Report) add(first int, cases []Case, diffs []string) {
	r.Cases += len(cases)
	for i, d := range diffs[:len(cases)] {
		if d == "" {
			continue
		}
		if r.Failed++; r.Failed <= 3 {
			r.First += fmt.Sprintf("case %d, %s %s\n", first+i, cases[i].Describe(), d)
		}
	}
}

// attempts is how often silicon is asked about cases in which it disagrees.
const attempts = 20

// Compare runs n cases of a set on two engines, of which the first one is
// right. An error means that one of them failed.
func (s *Set) Compare(truth, engine Engine, seed uint64, n int) (Report, error) {
	r := Report{Name: s.Name}
	var h Host
	if asked, ok := truth.(interface{ Host() Host }); ok {
		h = asked.Host()
	}
	var want, got [Batch]Outcome
	err := s.Batches(seed, n, func(first int, cases []Case) error {
		if err := engine.Run(cases, got[:]); err != nil {
			return err
		}
		// Silicon is asked again where it disagrees: a context switch in
		// the middle of a case loses the x87 pointers and the RPL of null
		// selectors. It is another case that it hits the next time.
		var diffs [Batch]string
		for attempt, open := 0, true; open && attempt < attempts; attempt++ {
			if err := truth.Run(cases, want[:]); err != nil {
				return err
			}
			open = false
			for i := range cases {
				if attempt == 0 || diffs[i] != "" {
					diffs[i] = Diff(&cases[i], &want[i], &got[i], h)
				}
				open = open || diffs[i] != ""
			}
		}
		r.add(first, cases, diffs[:])
		return nil
	})
	return r, err
}

// settled runs a batch until two runs in a row agree.
func settled(truth Engine, cases []Case, out []Outcome) error {
	var before [Batch]Outcome
	for range 10 {
		if err := truth.Run(cases, before[:]); err != nil {
			return err
		}
		if err := truth.Run(cases, out); err != nil {
			return err
		}
		same := true
		for i := range cases {
			same = same && before[i].Final == out[i].Final && string(before[i].Memory) == string(out[i].Memory)
		}
		if same {
			return nil
		}
	}
	return fmt.Errorf("cputest: outcomes vary from run to run")
}
