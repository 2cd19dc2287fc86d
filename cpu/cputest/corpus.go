package cputest

import (
	"fmt"

	"alpinevm/cpu/x86"
)

// CasesPerForm is the size of the corpus: the pairs of edges, then as many
// cases again and more with any operands, addresses and prefixes.
const CasesPerForm = 320

// Seed is the seed of the corpus.
const Seed = 1

// Batches makes n cases of a form and hands them out in batches that engines
// take, each with the number of its first case. It stops at the first error.
func Batches(seed uint64, form x86.Form, n int, run func(first int, cases []Case) error) error {
	for first := 0; first < n; first += Batch {
		var cases []Case
		for i := first; i < min(first+Batch, n); i++ {
			c, ok := Generate(seed, form, i, len(cases))
			if !ok {
				if !asked(&x86.Forms[form]) {
					return nil
				}
				return fmt.Errorf("cputest: %v: case %d cannot be made", &x86.Forms[form], i)
			}
			cases = append(cases, c)
		}
		if err := run(first, cases); err != nil {
			return err
		}
	}
	return nil
}

// Report tells how a form did.
type Report struct {
	Form   x86.Form
	Cases  int
	Failed int
	First  string // describes some of the failures
}

// add compares the outcomes of a batch.
func (r *Report) add(first int, cases []Case, want, got []Outcome) {
	r.Cases += len(cases)
	for i := range cases {
		d := Diff(&cases[i], &want[i], &got[i])
		if d == "" {
			continue
		}
		if r.Failed++; r.Failed <= 3 {
			r.First += fmt.Sprintf("case %d, %s %s\n", first+i, cases[i].Describe(), d)
		}
	}
}

// Compare runs n cases of a form on two engines, of which the first one is
// right. An error means that one of them failed.
func Compare(truth, engine Engine, seed uint64, form x86.Form, n int) (Report, error) {
	r := Report{Form: form}
	var want, got [Batch]Outcome
	err := Batches(seed, form, n, func(first int, cases []Case) error {
		if err := truth.Run(cases, want[:]); err != nil {
			return err
		}
		if err := engine.Run(cases, got[:]); err != nil {
			return err
		}
		r.add(first, cases, want[:], got[:])
		return nil
	})
	return r, err
}
