package board

import (
	"context"
	"slices"
	"strings"
	"testing"

	"alpinevm/internal/baretest"
)

// userRing ends the machine from CPL 3, with an IOPL that allows it: a stack, a
// GDT with flat segments for CPL 3, and IRET to behind itself.
const userRing = `bc00780000 0f01156e001000 6a23 6800700000 6802300000 6a1b 6840001000 cf
	b02a e6f4 ebfe
	0000000000000000 0000000000000000 0000000000000000 ffff000000fbcf00 ffff000000f3cf00 2700 46001000`

// TestTraceFilter: a filtered trace is the whole one without the lines that are
// filtered out, and the machine does the same.
func TestTraceFilter(t *testing.T) {
	const (
		program = "B903000000 F3AB B0A5 E680 " + baretest.Exit // mov ecx,3; rep stosd; mov al,A5h; out 80h,al
		most    = TraceExceptions | TraceIO | TracePOST | TraceCode
	)
	for _, tt := range []struct {
		name    string
		program string
		what    Trace
		filter  TraceFilter
		want    []string // what the lines begin with
	}{
		{"nothing", program, most, TraceFilter{}, []string{
			"0 code 0010:00100020", "1 code 0010:00100025", "4 code 0010:00100027", "5 code 0010:00100029", "5 post a5", "5 io 0080",
			"6 code 0010:0010002b", "7 code 0010:0010002d", "7 io 00f4"}},
		{"from", program, most, TraceFilter{From: 6}, []string{"6 code", "7 code", "7 io"}},
		{"from and to", program, most, TraceFilter{From: 2, To: 6}, []string{"2 code 0010:00100025", "4 code", "5 code", "5 post", "5 io"}},
		{"to", program, most, TraceFilter{To: 1}, []string{"0 code"}},
		{"never", program, most, TraceFilter{From: 1 << 40}, nil},
		{"to, without code", program, TraceIO, TraceFilter{To: 6}, []string{"5 io"}},
		{"from, without code", program, TraceIO, TraceFilter{From: 6}, []string{"7 io"}},
		{"one address", program, most, TraceFilter{Ranges: []TraceRange{{0x100029, 0x100029}}}, []string{"5 code", "5 post", "5 io"}},
		{"two ranges", program, most, TraceFilter{Ranges: []TraceRange{{0, 0x100020}, {0x10002c, 0xffffffff}}}, []string{"0 code", "7 code", "7 io"}},
		{"no address", program, most, TraceFilter{Ranges: []TraceRange{{0, 0x10001f}}}, nil},
		{"address, without code", program, TraceIO, TraceFilter{Ranges: []TraceRange{{0x10002d, 0x10002d}}}, []string{"7 io 00f4"}},
		{"user", userRing, most, TraceFilter{Rings: UserRings}, []string{"8 code 001b:00100040", "9 code 001b:00100042", "9 io 00f4"}},
		{"kernel", userRing, most, TraceFilter{From: 6, Rings: KernelRings}, []string{"6 code 0010:0010003a", "7 code 0010:0010003f"}},
		{"exceptions of the kernel", baretest.Fault, TraceExceptions, TraceFilter{Rings: KernelRings}, []string{"1 exception #UD", "1 exception #GP", "1 exception #DF"}},
		{"exceptions of users", baretest.Fault, TraceExceptions, TraceFilter{Rings: UserRings}, nil},
		{"the owner's, by count alone", program, TraceOwner, TraceFilter{To: 5, Rings: UserRings}, []string{"0 owner: before"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, plain, end := traced(t, 0, flat(t, tt.program))
			var trace baretest.Buffer
			r := newRig(t, Config{Trace: tt.what, TraceFilter: tt.filter, TraceTo: &trace, Deterministic: true}, flat(t, tt.program))
			if tt.what&TraceOwner != 0 {
				r.Report("owner: before")
			}
			if err := r.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			if tt.what&TraceOwner != 0 {
				r.Report("owner: behind")
			}
			for !r.trace.out.empty() {
				r.Step()
			}
			if r.Instructions() != plain || r.end != end {
				t.Errorf("%d instructions to %v, want %d to %v", r.Instructions(), r.end, plain, end)
			}
			var got []string
			for l := range strings.Lines(trace.String()) {
				got = append(got, strings.TrimSpace(l))
			}
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("got\n%s\nwant lines that begin\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}
