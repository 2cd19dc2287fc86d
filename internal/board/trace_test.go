package board

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"alpinevm/internal/baretest"
)

// traced runs a bare board with a trace and gives what it reports.
func traced(t *testing.T, what Trace, image Image) (text string, retired uint64, end string) {
	t.Helper()
	var trace baretest.Buffer
	r := newRig(t, Config{Trace: what, TraceTo: &trace, Deterministic: true}, image)
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return trace.String(), r.Instructions(), r.end
}

func TestTrace(t *testing.T) {
	for _, tt := range []struct {
		name     string
		what     Trace
		image    Image
		want     []string // patterns of lines, in this order
		wantNone string
	}{
		{
			name: "post", what: TracePOST, image: flat(t, baretest.POST),
			want: []string{`^ *1 post a5, port 80h$`, `^ *4 post 5a, port 190h$`}, wantNone: " io ",
		},
		{
			name: "io", what: TraceIO, image: flat(t, "E404 "+baretest.POST), // in al,4
			want: []string{`^ *0 io 0004 -> ff nobody$`, `io 0080 <- a5 post$`, `io 0190 <- 5a post$`, `io 00f4 <- 2a debug exit$`}, wantNone: " post ",
		},
		{
			name: "exceptions", what: TraceExceptions, image: flat(t, baretest.Fault),
			want:     []string{`exception #UD invalid opcode at 0010:00100020, CPL 0$`, `#GP general protection, code 0033 at`, `#DF double fault, code 0000 at`},
			wantNone: "interrupt",
		},
		{
			name: "interrupts", what: TraceInterrupts, image: flat(t, baretest.Ticks),
			want: []string{`interrupt 20h at 0010:001000[0-9a-f]{2}, CPL 0$`, `interrupt 20h`}, wantNone: "exception",
		},
		{
			name: "code", what: TraceCode, image: flat(t, "B903000000 F3AB "+baretest.Exit), // mov ecx,3; rep stosd
			want: []string{
				`^ *0 code [0-9a-f]{4}:00100020 b903000000 +mov ecx, 0x3$`, `^ *1 code .* f3ab +rep stosd dword ptr \[edi\]`, `^ *4 code .*mov al, 0x2a$`,
				`out 0xf4, al$`,
			},
			wantNone: "jmp",
		},
		{
			name: "16-bit code", what: TraceCode, image: Image{Firmware: baretest.ROM(baretest.Exit)},
			want: []string{`^ *0 code f000:0000fff0 ea000000f0 +jmp far`, `^ *1 code f000:00000000 b02a +mov al, 0x2a$`, `out 0xf4, al$`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, _, _ := traced(t, tt.what, tt.image)
			rest := lines(text)
			for _, w := range tt.want {
				re := regexp.MustCompile(w)
				i := 0
				for i < len(rest) && !re.MatchString(rest[i]) {
					i++
				}
				if i == len(rest) {
					t.Fatalf("no line that matches %q, or not in its place, in\n%s", w, text)
				}
				rest = rest[i+1:]
			}
			if tt.wantNone != "" && strings.Contains(text, tt.wantNone) {
				t.Errorf("there is %q in\n%s", tt.wantNone, text)
			}
		})
	}
}

// TestTraceLimit: a trace ends behind its last line that fits, and says so once;
// the machine does what it would have done.
func TestTraceLimit(t *testing.T) {
	const all = TraceExceptions | TraceInterrupts | TraceIO | TracePOST | TraceCode
	whole, plain, end := traced(t, all, flat(t, baretest.Ticks))
	for _, limit := range []int64{0, 1, 1000, int64(len(whole)) - 1, int64(len(whole)), 1 << 40} {
		var trace baretest.Buffer
		r := newRig(t, Config{Trace: all, TraceTo: &trace, TraceLimit: limit, Deterministic: true}, flat(t, baretest.Ticks))
		if err := r.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if r.Instructions() != plain || r.end != end {
			t.Errorf("limit %d: %d instructions to %v, want %d to %v", limit, r.Instructions(), r.end, plain, end)
		}
		text := trace.String()
		if limit == 0 || limit >= int64(len(whole)) {
			if text != whole {
				t.Errorf("limit %d: %d bytes of %d", limit, len(text), len(whole))
			}
			continue
		}
		all := strings.SplitAfter(text, "\n")
		kept, last := strings.Join(all[:len(all)-2], ""), all[len(all)-2]
		if int64(len(kept)) > limit || limit-int64(len(kept)) > 200 || !strings.HasPrefix(whole, kept) || !strings.Contains(last, "has reached its limit") {
			t.Errorf("limit %d: %d bytes, and then %q", limit, len(kept), last)
		}
	}
}

// TestTraceChangesNothing: a repeatable machine does the same, to the
// instruction, with all of its trace on.
func TestTraceChangesNothing(t *testing.T) {
	const all = TraceExceptions | TraceInterrupts | TraceIO | TracePOST | TraceCode
	_, plain, end := traced(t, 0, flat(t, baretest.Ticks))
	text, withTrace, endTraced := traced(t, all, flat(t, baretest.Ticks))
	if plain != withTrace || end != endTraced {
		t.Errorf("%d instructions to %v with a trace, %d to %v without", withTrace, endTraced, plain, end)
	}
	if n := strings.Count(text, "interrupt 20h"); n < 20 {
		t.Errorf("%d interrupts were seen", n)
	}
}
