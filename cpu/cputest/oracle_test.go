package cputest

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

var (
	only   = flag.String("oracle.only", "", "comma-separated mnemonics to test; all if empty")
	long   = flag.Int("oracle.long", 0, "run this many cases a form with a seed of chance instead of the corpus")
	seed   = flag.Uint64("oracle.seed", 0, "seed of the long run")
	record = flag.Bool("oracle.record", false, "record the corpus to testdata/vectors.gz")
)

// attach gives a processor the engine under test; nil: the interpreter.
var attach func(*cpu.CPU) (detach func(), err error)

func newMachine(t testing.TB) *Machine {
	m, err := NewMachine(attach)
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

// missing is what the processor says that it does not have. No form of those can be
// asked of it.
func missing(t *testing.T, s Engine) map[x86.Feature]bool {
	lacks := map[x86.Feature]bool{}
	for i := range x86.Forms {
		f := x86.Forms[i].Feat
		if _, known := lacks[f]; known {
			continue
		}
		has, err := hasFeature(s, f)
		if err != nil {
			t.Fatal(err)
		}
		lacks[f] = !has
		if !has {
			t.Logf("the host lacks %v", f)
		}
	}
	return lacks
}

// TestHost finds out about a processor that is known: the model, which has all of its
// opcode table but what a random generator gives, and keeps all x87 pointers.
func TestHost(t *testing.T) {
	m := newMachine(t)
	for f, lacks := range missing(t, m) {
		if random := f == x86.FeatureRDRAND || f == x86.FeatureRDSEED; lacks != random {
			t.Errorf("%v: lacking is %v", f, lacks)
		}
	}
	if k, err := keeps(m); err != nil || k != (Keeps{}) {
		t.Errorf("it keeps %+v, %v", k, err)
	}
}

// TestOpen: what only a processor other than that of the vectors may do otherwise is
// compared with the vectors, and not with silicon.
func TestOpen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		code   []byte
		change func(*Outcome)
	}{
		{"OF of ROL by 3", []byte{0xC1, 0xC0, 3}, func(o *Outcome) { o.EFLAGS ^= x86.FlagOF }},
		{"SF of BT", []byte{0x0F, 0xA3, 0xC0}, func(o *Outcome) { o.EFLAGS ^= x86.FlagSF }},
		{"BSWAP AX", []byte{0x66, 0x0F, 0xC8}, func(o *Outcome) { o.R[0] ^= 0x8000 }},
		{"C3 of FLD1", []byte{0xD9, 0xE8}, func(o *Outcome) { o.FX[fxSW+1] ^= swC3 >> 8 }},
		{"operand pointer of FLD1", []byte{0xD9, 0xE8}, func(o *Outcome) { o.FX[fxFDP] ^= 1 }},
	} {
		c := oneCase(0, tt.code...)
		want, got := plainOutcome(&c), plainOutcome(&c)
		tt.change(&got)
		if d := Diff(&c, &want, &got, Host{}); d == "" {
			t.Errorf("%s: not compared with the vectors", tt.name)
		}
		if d := Diff(&c, &want, &got, Host{Any: true}); d != "" {
			t.Errorf("%s: compared with silicon:%s", tt.name, d)
		}
		got = plainOutcome(&c)
		got.EFLAGS ^= x86.FlagDF
		if Diff(&c, &want, &got, Host{Any: true}) == "" {
			t.Errorf("%s: DF is not compared", tt.name)
		}
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
	lacks := missing(t, s)
	sets := Sets()
	for i := range sets {
		set := &sets[i]
		if !chosen(set) || lacks[set.Feat] || set.Mode == x86.Mode16 && s.Mode16() != nil {
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
