package alpinevm

import (
	"bytes"
	"fmt"
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
	buf [8 << 10]byte
	n   int // bytes ever added
}

func (l *logTail) add(b byte) {
	l.buf[l.n%len(l.buf)] = b
	l.n++
}

func (l *logTail) bytes() []byte {
	if l.n <= len(l.buf) {
		return l.buf[:l.n]
	}
	i := l.n % len(l.buf)
	return append(bytes.Clone(l.buf[i:]), l.buf[:i]...)
}

// panicked says whether the log tells of a panic.
func (l *logTail) panicked() bool {
	return bytes.Contains(l.bytes(), []byte("Kernel panic - not syncing"))
}

// crashLines is how much of the log a crash shows.
const crashLines = 30

// crash describes a crash: the end of the log and the processor's state.
func (m *Machine) crash() string {
	var b strings.Builder
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(string(m.log.bytes()), "\r", ""), "\n"), "\n")
	for _, l := range lines[max(0, len(lines)-crashLines):] {
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
