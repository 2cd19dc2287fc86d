package cputest

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/cpu/x86"
)

var (
	only   = flag.String("oracle.only", "", "comma-separated mnemonics to test; all if empty")
	long   = flag.Int("oracle.long", 0, "run this many cases a form with a seed of chance instead of the corpus")
	seed   = flag.Uint64("oracle.seed", 0, "seed of the long run")
	record = flag.Bool("oracle.record", false, "record the corpus to testdata/vectors.gz")
)

func newMachine(t testing.TB) *Machine {
	m, err := NewMachine(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// chosen says whether -oracle.only asks for a set.
func chosen(s *Set) bool {
	name := s.Name
	if s.Op != 0 {
		name = s.Op.String()
	}
	return *only == "" || strings.Contains(","+*only+",", ","+name+",")
}

func check(t *testing.T, r Report) {
	t.Helper()
	if r.Failed > 0 {
		t.Errorf("%s: %d of %d cases differ\n%s", r.Name, r.Failed, r.Cases, r.First)
	}
}

// TestOracle holds the interpreter against the host's processor.
func TestOracle(t *testing.T) {
	s, m := newSilicon(t), newMachine(t)
	sd := uint64(Seed)
	if *long > 0 {
		if sd = *seed; sd == 0 {
			sd = rand.Uint64()
		}
		t.Logf("-oracle.long=%d -oracle.seed=%d", *long, sd)
	}
	if err := s.Mode16(); err != nil {
		t.Logf("no 16-bit code: %v", err)
	}
	total := 0
	sets := Sets()
	for i := range sets {
		set := &sets[i]
		if !chosen(set) || set.Mode == x86.Mode16 && s.Mode16() != nil {
			continue
		}
		n := set.Size
		if *long > 0 {
			n = n * *long / CasesPerForm
		}
		r, err := set.Compare(s, m, sd, n)
		if err != nil {
			t.Fatal(err)
		}
		check(t, r)
		total += r.Cases
	}
	t.Logf("%d cases of %d sets", total, len(sets))
}

// TestVectors holds the interpreter against what silicon computed when the
// corpus was recorded.
func TestVectors(t *testing.T) {
	if *record {
		b, err := Record(newSilicon(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("testdata", "vectors.gz"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("recorded %d bytes", len(b))
		return
	}
	if err := CompareRecorded(newMachine(t), chosen, func(r Report) { check(t, r) }); err != nil {
		t.Fatal(err)
	}
}
