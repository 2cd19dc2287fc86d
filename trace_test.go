package alpinevm

import (
	"context"
	"regexp"
	"strings"
	"testing"
)

// traced runs a bare machine with a trace and gives what it reports.
func traced(t *testing.T, cfg Config) (text string, retired uint64, end End) {
	t.Helper()
	var trace buffer
	cfg.Memory, cfg.TraceTo, cfg.Deterministic = MinMemory, &trace, true
	if cfg.DebugExit == 0 {
		cfg.DebugExit = 0xf4
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if end, err = m.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return trace.String(), m.cpu.Retired, end
}

func TestTrace(t *testing.T) {
	for _, tt := range []struct {
		name     string
		config   Config
		want     []string // patterns of lines, in this order
		wantNone string
	}{
		{
			name: "post", config: Config{Kernel: flatKernel(programPOST), Trace: TracePOST},
			want: []string{`^ *1 post a5, port 80h$`, `^ *4 post 5a, port 190h$`}, wantNone: " io ",
		},
		{
			name: "io", config: Config{Kernel: flatKernel("E404 " + programPOST), Trace: TraceIO}, // in al,4
			want: []string{`^ *0 io 0004 -> ff nobody$`, `io 0080 <- a5 post$`, `io 0190 <- 5a post$`, `io 00f4 <- 2a debug exit$`}, wantNone: " post ",
		},
		{
			name: "exceptions", config: Config{Kernel: flatKernel(programFault), Trace: TraceExceptions},
			want:     []string{`exception #UD invalid opcode at 0010:00100020, CPL 0$`, `#GP general protection, code 0033 at`, `#DF double fault, code 0000 at`},
			wantNone: "interrupt",
		},
		{
			name: "interrupts", config: Config{Kernel: flatKernel(programTicks), Trace: TraceInterrupts},
			want: []string{`interrupt 20h at 0010:001000[0-9a-f]{2}, CPL 0$`, `interrupt 20h`}, wantNone: "exception",
		},
		{
			name: "code", config: Config{Kernel: flatKernel("B903000000 F3AB " + programExit), Trace: TraceCode}, // mov ecx,3; rep stosd
			want: []string{
				`^ *0 code [0-9a-f]{4}:00100020 b903000000 +mov ecx, 0x3$`, `^ *1 code .* f3ab +rep stosd dword ptr \[edi\]`, `^ *4 code .*mov al, 0x2a$`,
				`out 0xf4, al$`,
			},
			wantNone: "jmp",
		},
		{
			name: "16-bit code", config: Config{Firmware: rom(programExit), Trace: TraceCode},
			want: []string{`^ *0 code f000:0000fff0 ea000000f0 +jmp far`, `^ *1 code f000:00000000 b02a +mov al, 0x2a$`, `out 0xf4, al$`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, _, _ := traced(t, tt.config)
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

// TestTraceChangesNothing: a repeatable machine does the same, to the
// instruction, with all of its trace on.
func TestTraceChangesNothing(t *testing.T) {
	const all = TraceExceptions | TraceInterrupts | TraceIO | TracePOST | Trace9P | TraceCode
	_, plain, end := traced(t, Config{Kernel: flatKernel(programTicks)})
	text, withTrace, endTraced := traced(t, Config{Kernel: flatKernel(programTicks), Trace: all})
	if plain != withTrace || end != endTraced {
		t.Errorf("%d instructions to %v with a trace, %d to %v without", withTrace, endTraced, plain, end)
	}
	if n := strings.Count(text, "interrupt 20h"); n < 20 {
		t.Errorf("%d interrupts were seen", n)
	}
}
