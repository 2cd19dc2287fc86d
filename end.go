package alpinevm

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"alpinevm/cpu"
)

// Cause is why a machine has ended.
type Cause uint8

// Causes.
const (
	Exited      Cause = iota + 1 // the session's program has ended: Code is its exit status
	PowerOff                     // the guest has switched the machine off
	Panic                        // the guest's kernel has panicked
	TripleFault                  // the processor has shut down
	DebugExit                    // Code was written to Config.DebugExit
	Failure                      // the guest's init or this package failed: Detail says how
)

var causeNames = [...]string{"nothing", "exit", "power off", "kernel panic", "triple fault", "debug exit", "failure"}

// String names the cause.
func (c Cause) String() string {
	if int(c) < len(causeNames) {
		return causeNames[c]
	}
	return fmt.Sprintf("Cause(%d)", uint8(c))
}

// End says how a machine has ended.
type End struct {
	Cause Cause
	Code  int
	// Detail is text for people: after a crash the last lines of the
	// kernel's log and the processor's state, after a failure its reason.
	Detail string
}

// powerOff is what the guest does by ACPI. A session that has told its exit
// status ends with that.
func (m *Machine) powerOff() {
	if m.session != nil {
		m.finish(m.session.end())
		return
	}
	m.finish(End{Cause: PowerOff})
}

// logTail keeps the last bytes of the kernel's log.
type logTail struct {
	buf   [32 << 10]byte
	n     int // bytes ever added
	start int // value of n where the current line began
}

func (l *logTail) add(b byte) {
	l.buf[l.n%len(l.buf)] = b
	l.n++
	if b == '\n' {
		l.start = l.n
	}
}

// bytes is the end of the log.
func (l *logTail) bytes() []byte { return l.since(0) }

// since is what was added from the nth byte on, as far as it is there.
func (l *logTail) since(n int) []byte {
	n = max(n, l.n-len(l.buf))
	i, j := n%len(l.buf), l.n%len(l.buf)
	switch {
	case n >= l.n:
		return nil
	case i < j:
		return l.buf[i:j]
	}
	return append(bytes.Clone(l.buf[i:]), l.buf[:j]...)
}

// What Linux's panic() prints first, and what it prints last if it is not to
// reset the machine.
const (
	panicStart = "Kernel panic - not syncing"
	panicEnd   = "---[ end " + panicStart
)

// panicked says whether the log tells of a panic.
func (l *logTail) panicked() bool { return bytes.Contains(l.bytes(), []byte(panicStart)) }

// logged looks at a line of the log that has just ended: Linux may be about to
// wait for ever.
func (m *Machine) logged(line []byte) {
	if m.session != nil && bytes.Contains(line, []byte(panicEnd)) {
		m.finish(End{Cause: Panic, Detail: m.crash()})
	}
}

// A crash shows the last crashLines of the log, and the line that tells of a
// panic with a few before it.
const (
	crashLines = 30
	panicLines = 5
)

// lines is the last n lines of the log.
func (l *logTail) lines(n int) string {
	all := strings.Split(strings.TrimRight(strings.ReplaceAll(string(l.bytes()), "\r", ""), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// crash describes a crash: the end of the log and the processor's state.
func (m *Machine) crash() string {
	var b strings.Builder
	all := strings.Split(strings.TrimRight(strings.ReplaceAll(string(m.log.bytes()), "\r", ""), "\n"), "\n")
	last := all[max(0, len(all)-crashLines):]
	head := all[:len(all)-len(last)]
	if i := slices.IndexFunc(head, func(l string) bool { return strings.Contains(l, panicStart) }); i >= 0 {
		last = slices.Concat(head[max(0, i-panicLines):min(len(head), i+panicLines)], []string{"..."}, last)
	}
	for _, l := range last {
		if l != "" {
			b.WriteString(l + "\n")
		}
	}
	b.WriteString(dump(&m.cpu.State))
	return b.String()
}

// dump shows the registers.
func dump(s *cpu.State) string {
	var b strings.Builder
	for i, n := range []string{"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"} {
		fmt.Fprintf(&b, "%s %08x ", n, s.R[i])
	}
	fmt.Fprintf(&b, "\nEIP %08x EFLAGS %08x CPL %d CR0 %08x CR2 %08x CR3 %08x CR4 %08x\n", s.EIP, s.EFLAGS(), s.CPL, s.CR0, s.CR2, s.CR3, s.CR4)
	for i, n := range []string{"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"} {
		fmt.Fprintf(&b, "%s %04x %08x ", n, s.Seg[i].Sel, s.Seg[i].Base)
	}
	fmt.Fprintf(&b, "\n%d instructions\n", s.Retired)
	return b.String()
}
