package alpinevm

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"alpinevm/internal/board"
	"alpinevm/internal/printable"
)

// Cause is why a machine has ended.
type Cause uint8

// Causes.
const (
	Exited      Cause = iota + 1 // the session's program has ended: Code is its exit status
	PowerOff                     // the guest has switched the machine off
	Panic                        // the guest's kernel has panicked
	TripleFault                  // the processor has shut down
	DebugExit                    // Code was written to Debug.Exit
	Failure                      // the guest's init or this package failed: Detail says how
	NoBIOS                       // the guest has called a BIOS, and there is none: Detail says how
	NoDrivers                    // the kernel lacks drivers that it needs, and was given no modules: Detail says which
	Killed                       // a debugger has switched the machine off
)

var causeNames = [...]string{"nothing", "exit", "power off", "kernel panic", "triple fault", "debug exit", "failure", "call of a BIOS", "lack of drivers", "debugger"}

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
	// Detail is text for people, fit for a terminal: after a crash the last
	// lines of the kernel's log and the processor's state, after a failure its
	// reason.
	Detail string
}

// hooks follow what happens on the board.
func (m *Machine) hooks() board.Hooks {
	return board.Hooks{
		PowerOff: func() {
			if m.session != nil {
				m.finish(m.session.end())
				return
			}
			m.finish(End{Cause: PowerOff})
		},
		TripleFault: func() { m.finish(End{Cause: TripleFault, Detail: m.crash()}) },
		DebugExit:   func(v uint32) { m.finish(End{Cause: DebugExit, Code: int(v)}) },
		NoBIOS: func(n uint8) {
			m.finish(End{Cause: NoBIOS, Detail: fmt.Sprintf("the guest has called interrupt %02Xh of a BIOS, of which there is none", n)})
		},
		Failed: func(err error) { m.finish(End{Cause: Failure, Detail: err.Error()}) },
		Line:   m.logged,
		Reset:  m.resets,
		Listens: func() {
			if m.session == nil {
				m.listens(true)
			}
		},
		Restart: func() {
			m.listens(m.alwaysListens())
			if m.session != nil {
				m.session.restart()
			}
		},
		Idle: func() bool { return m.session == nil || m.session.drained() },
	}
}

// finish switches the machine off behind the current instruction.
func (m *Machine) finish(e End) {
	if m.end == nil {
		m.end = &e
		if m.session != nil {
			m.session.jobs.end(ErrEnded)
		}
		if m.debugger != nil {
			m.debugger.Ended(e)
		}
	}
	m.board.SwitchOff()
}

// What Linux's panic() prints first, and what it prints last if it is not to
// reset the machine.
const (
	panicStart = "Kernel panic - not syncing"
	panicEnd   = "---[ end " + panicStart
)

// logged looks at a line of the log that has just ended: Linux may be about to
// wait for ever.
func (m *Machine) logged(line []byte) {
	if m.session != nil && bytes.Contains(line, []byte(panicEnd)) {
		m.finish(End{Cause: Panic, Detail: m.crash()})
	}
}

// resets says whether a reset of the guest starts it again. Linux resets the
// machine behind a panic too, so its log tells which it was.
func (m *Machine) resets() bool {
	if !bytes.Contains(m.board.Log(), []byte(panicStart)) {
		return true
	}
	m.finish(End{Cause: Panic, Detail: m.crash()})
	return false
}

// A crash shows the last crashLines of the log, and the line that tells of a
// panic with a few before it.
const (
	crashLines = 30
	panicLines = 5
)

// logLines are the lines of the log's end.
func (m *Machine) logLines() []string {
	return strings.Split(strings.TrimRight(printable.Text(string(m.board.Log())), "\n"), "\n")
}

// lastLines are the last n of them.
func lastLines(all []string, n int) []string { return all[max(0, len(all)-n):] }

// crash describes a crash: the end of the log and the processor's state.
func (m *Machine) crash() string {
	var b strings.Builder
	all := m.logLines()
	from := max(0, len(all)-crashLines)
	last := all[from:]
	if i := slices.IndexFunc(all, func(l string) bool { return strings.Contains(l, panicStart) }); i >= 0 {
		begin, end := max(0, i-panicLines), i+panicLines
		switch {
		case end < from:
			last = slices.Concat(all[begin:end], []string{"..."}, last)
		case begin < from:
			last = all[begin:]
		}
	}
	for _, l := range last {
		if l != "" {
			b.WriteString(l + "\n")
		}
	}
	b.WriteString(m.board.Registers())
	return b.String()
}
