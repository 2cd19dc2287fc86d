package board

import (
	"fmt"

	"alpinevm/cpu"
	"alpinevm/cpu/x86"
	"alpinevm/devices"
)

// Trace is a set of things that a board reports.
type Trace uint8

// What can be traced. A line begins with the count of instructions retired.
const (
	TraceExceptions Trace = 1 << iota // exceptions as they are delivered
	TraceInterrupts                   // interrupts, of devices and of INT n
	TraceIO                           // port accesses
	TracePOST                         // codes written to ports 80h and 190h
	TraceCode                         // every instruction, disassembled
	TraceOwner                        // what the board's owner reports
)

// tracer writes a board's trace. Its methods are called on the machine
// goroutine.
type tracer struct {
	what  Trace
	where TraceFilter
	out   *outlet
	count func() uint64 // of instructions, with which each line begins
	// running: the guest makes the port accesses, not the firmware that we
	// stand in for.
	running bool

	left    int64 // bytes that may still be written, if limited
	limited bool

	last uint32 // linear address of the last instruction that was shown
	seen bool   // there was one
}

// newTracer makes the one that cfg asks for, which ends with a line about it when
// more than cfg.TraceLimit bytes would be written.
func newTracer(cfg *Config, kick func(func()), count func() uint64) *tracer {
	return &tracer{
		what: cfg.Trace, where: cfg.TraceFilter, out: newOutlet(cfg.TraceTo, kick), count: count,
		left: cfg.TraceLimit, limited: cfg.TraceLimit > 0,
	}
}

// install has what is traced reported.
func (t *tracer) install(c *cpu.CPU, ports *devices.Bus) {
	if t.what&(TraceExceptions|TraceInterrupts) != 0 {
		c.OnFault(func(c *cpu.CPU, f *cpu.Fault) {
			if t.where.here(c) {
				t.fault(c, f)
			}
		})
	}
	if t.what&(TraceIO|TracePOST) != 0 {
		ports.Trace = func(a devices.Access) {
			if t.running && t.where.here(c) {
				t.port(a)
			}
		}
	}
}

// printf writes a line, if now is a time to. Behind the limit nothing is traced
// any more.
func (t *tracer) printf(format string, args ...any) {
	if t.what == 0 || !t.where.during(t.count()) {
		return
	}
	line := fmt.Appendf(nil, "%12d "+format+"\n", append([]any{t.count()}, args...)...)
	if t.left -= int64(len(line)); t.limited && t.left < 0 {
		t.what = 0
		line = fmt.Appendf(nil, "%12d the trace has reached its limit and ends; the machine goes on\n", t.count())
	}
	t.out.put(line)
}

// exceptionNames are the vectors below 32 that the processor raises (SDM vol.
// 3A table 6-1).
var exceptionNames = [...]string{
	0: "#DE divide error", 1: "#DB debug", 2: "NMI", 3: "#BP breakpoint", 4: "#OF overflow", 5: "#BR bound range", 6: "#UD invalid opcode",
	7: "#NM no device", 8: "#DF double fault", 10: "#TS invalid TSS", 11: "#NP segment not present", 12: "#SS stack fault",
	13: "#GP general protection", 14: "#PF page fault", 16: "#MF x87 error", 17: "#AC alignment check", 19: "#XM SIMD error",
}

// Vectors and limits that the trace knows.
const (
	vectorPF      = 14
	firstFree     = 32 // vectors from here on are interrupts
	longestOpcode = 15 // bytes
)

func (t *tracer) fault(c *cpu.CPU, f *cpu.Fault) {
	at := fmt.Sprintf("at %04x:%08x, CPL %d", c.Seg[x86.CS].Sel, c.EIP, c.CPL)
	if f.Vector >= firstFree {
		if t.what&TraceInterrupts != 0 {
			t.printf("interrupt %02xh %s", f.Vector, at)
		}
		return
	}
	if t.what&TraceExceptions == 0 {
		return
	}
	name := fmt.Sprintf("%d", f.Vector)
	if int(f.Vector) < len(exceptionNames) && exceptionNames[f.Vector] != "" {
		name = exceptionNames[f.Vector]
	}
	if f.HasCode {
		name += fmt.Sprintf(", code %04x", f.Code)
	}
	if f.Vector == vectorPF {
		name += fmt.Sprintf(", CR2 %08x", c.CR2)
	}
	t.printf("exception %s %s", name, at)
}

func (t *tracer) port(a devices.Access) {
	post := a.Write && (a.Port == portPOST || a.Port == portPOST2)
	if post && t.what&TracePOST != 0 {
		t.printf("post %02x, port %xh", a.Value&0xff, a.Port)
	}
	if t.what&TraceIO == 0 {
		return
	}
	arrow, owner := "->", a.Name
	if a.Write {
		arrow = "<-"
	}
	if owner == "" {
		owner = "nobody"
	}
	t.printf("io %04x %s %0*x %s", a.Port, arrow, 2*a.Size, a.Value, owner)
}

// instruction shows the one at EIP. One that is repeated is shown once.
func (t *tracer) instruction(c *cpu.CPU) {
	cs := &c.Seg[x86.CS]
	lin := cs.Base + c.EIP
	if c.Halted || t.seen && lin == t.last {
		return
	}
	t.last, t.seen = lin, true
	if !t.where.here(c) {
		return
	}
	mode := 16
	if cs.Attr&cpu.AttrDB != 0 && c.CR0&1 != 0 && c.Flags&x86.FlagVM == 0 {
		mode = 32
	}
	var buf [longestOpcode]byte
	code := buf[:c.Peek(lin, buf[:])]
	text := "?"
	if s, n, ok := disassemble(code, mode, c.EIP); ok {
		text, code = s, code[:n]
	} else if len(code) > 8 {
		code = code[:8]
	}
	t.printf("code %04x:%08x %-22x %s", cs.Sel, c.EIP, code, text)
}

// traced is cpu.Run, with each instruction shown first if there is a trace that asks
// for that. It ends where Run would.
func (b *Board) traced(n int) cpu.Exit {
	t := b.trace
	if t == nil {
		return b.cpu.Run(n)
	}
	t.running = true
	defer func() { t.running = false }()
	if t.what&TraceCode == 0 {
		return b.cpu.Run(n)
	}
	if silent := t.where.silent(b.cpu.Retired); silent > 0 {
		return b.cpu.Run(int(min(uint64(n), silent)))
	}
	exit := cpu.Exit{Reason: cpu.Budget}
	b.yielded = false
	for range n {
		t.instruction(b.cpu)
		if exit = b.cpu.Run(1); exit.Reason != cpu.Budget || b.yielded || t.out.full() {
			break
		}
	}
	return exit
}

// tracedStep is cpu.Step, traced.
func (b *Board) tracedStep(quiet bool) cpu.Exit {
	if t := b.trace; t != nil {
		t.running = true
		defer func() { t.running = false }()
		if t.what&TraceCode != 0 {
			t.instruction(b.cpu)
		}
	}
	return b.cpu.Step(quiet)
}

// Report adds a line of the owner's to the trace, where there is one.
func (b *Board) Report(format string, args ...any) {
	if b.trace != nil {
		b.trace.printf(format, args...)
	}
}
