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

// chosen says whether -oracle.only asks for a form.
func chosen(row *x86.FormRow) bool {
	return *only == "" || strings.Contains(","+*only+",", ","+row.Op.String()+",")
}

func check(t *testing.T, r Report) {
	t.Helper()
	if r.Failed > 0 {
		t.Errorf("%v: %d of %d cases differ\n%s", &x86.Forms[r.Form], r.Failed, r.Cases, r.First)
	}
}

// TestOracle holds the interpreter against the host's processor.
func TestOracle(t *testing.T) {
	s, m := newSilicon(t), newMachine(t)
	n, sd := CasesPerForm, uint64(Seed)
	if *long > 0 {
		if n, sd = *long, *seed; sd == 0 {
			sd = rand.Uint64()
		}
		t.Logf("-oracle.long=%d -oracle.seed=%d", n, sd)
	}
	total, forms := 0, 0
	for f := range x86.Forms {
		if !chosen(&x86.Forms[f]) {
			continue
		}
		r, err := Compare(s, m, sd, x86.Form(f), n)
		if err != nil {
			t.Fatal(err)
		}
		check(t, r)
		total += r.Cases
		if r.Cases > 0 {
			forms++
		}
	}
	t.Logf("%d cases of %d forms", total, forms)
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
	if err := CompareRecorded(newMachine(t), func(r Report) { check(t, r) }); err != nil {
		t.Fatal(err)
	}
}
