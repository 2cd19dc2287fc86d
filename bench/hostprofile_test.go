package bench

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"alpinevm"
)

// stackOf is a sample of 10 ms in functions, the innermost first.
func stackOf(functions ...string) *profile.Sample {
	s := &profile.Sample{Value: []int64{1, int64(10 * time.Millisecond)}}
	for _, f := range functions {
		s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: f}}}})
	}
	return s
}

// TestParts finds what samples belong to.
func TestParts(t *testing.T) {
	p := &profile.Profile{}
	want := make([]time.Duration, len(parts))
	for _, tt := range []struct {
		part  string
		stack []string
	}{
		{"generated code", []string{"runtime._ExternalCode", "runtime._System"}},
		{"collector", []string{"runtime.scanobject", "runtime.gcDrain", "runtime.gcBgMarkWorker"}},
		{"collector", []string{"runtime.gcAssistAlloc", "alpinevm/fs9p.(*Server).Serve"}},
		{"translation tables", []string{"alpinevm/cpu.(*CPU).Translation", "alpinevm/cpu/jit.(*Translator).fill", "alpinevm/cpu/jit.(*Translator).Run"}},
		{"translating", []string{"alpinevm/cpu/x86.Decode", "alpinevm/cpu/jit.(*Translator).decode", "alpinevm/cpu/jit.(*Translator).translate"}},
		{"entering, leaving, linking", []string{"alpinevm/cpu/jit/amd64.(*Target).Enter", "alpinevm/cpu/jit.(*Translator).enter", "alpinevm/cpu.(*CPU).Run"}},
		{"interpreter", []string{"alpinevm/cpu/mem.(*Memory).Load32", "alpinevm/cpu.(*CPU).single", "alpinevm/cpu/jit.(*Translator).interpret"}},
		{"files", []string{"syscall.Syscall6", "os.(*File).ReadAt", "alpinevm/fs9p/hostfs.(*node).ReadAt", "alpinevm/internal/board.(*Board).Step"}},
		{"devices and clock", []string{"time.now", "alpinevm/internal/board.(*Board).now"}},
		{"the rest of Go", []string{"runtime.futex", "runtime.mcall"}},
		{"the rest of Go", nil},
	} {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == tt.part })
		s := stackOf(tt.stack...)
		if got := partOf(s); got != i {
			t.Errorf("%q is of %q, want %q", tt.stack, parts[got].name, tt.part)
		}
		p.Sample = append(p.Sample, s)
		want[i] += 10 * time.Millisecond
	}
	if got := partTimes(p); !slices.Equal(got, want) {
		t.Errorf("times %v, want %v", got, want)
	}
	table := partsTable(want, 2*time.Second)
	for _, line := range []string{"processor time of 2.0 s", "0.02  18.2 %", "0.11"} {
		if !strings.Contains(table, line) {
			t.Errorf("the table lacks %q:\n%s", line, table)
		}
	}
}

// TestHostProfile sees generated code where a guest computes.
func TestHostProfile(t *testing.T) {
	if err := alpinevm.TranslatorMissing(); err != nil {
		t.Skip("not here: ", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	work := CPU{Machine: bareMachine(t), Program: guestProgram(t), Time: 100 * time.Millisecond, Only: []string{"integer"}, Runs: 1, Report: func(s string) { t.Log(s) }}
	// The profiler takes a sample of a hundredth of a second of the
	// processor's, which a busy host may not give in one run.
	for {
		p, err := StartHostProfile()
		if err != nil {
			t.Skip("not here: ", err) // go test takes one
		}
		_, err = work.Run(ctx)
		var data bytes.Buffer
		table, e := p.Stop(io.Writer(&data))
		if err != nil || e != nil {
			t.Fatal(err, e)
		}
		parsed, err := profile.ParseData(data.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if times := partTimes(parsed); times[0] > 0 {
			t.Log(table)
			return
		}
	}
}
