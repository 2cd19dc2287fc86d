package alpinevm

import (
	"fmt"
	"io"
	"reflect"
	"sync"
)

// CmdProcess is the program of a Cmd that has been started.
type CmdProcess struct{ job *Job }

const sigKILL = 9

// linuxSignals are the signals whose numbers differ between hosts, by what package
// syscall calls them.
var linuxSignals = map[string]int{
	"bus error": 7, "user defined signal 1": 10, "user defined signal 2": 12, "child exited": 17, "continued": 18, "stopped (signal)": 19,
	"suspended (signal)": 19, "stopped": 20, "suspended": 20, "window changed": 28, "window size changes": 28,
}

// SignalNumber is the number that a signal of the host's has in Linux; 0 if it has
// none. os.Interrupt, os.Kill and those of package syscall are such signals.
func SignalNumber(sig interface {
	String() string
	Signal()
}) int {
	if n, ok := linuxSignals[sig.String()]; ok {
		return n
	}
	if v := reflect.ValueOf(sig); v.CanInt() && 0 < v.Int() && v.Int() <= lastSignal {
		return int(v.Int())
	}
	return 0
}

// Signal sends the program a signal, an os.Signal.
func (p *CmdProcess) Signal(sig interface {
	String() string
	Signal()
}) error {
	n := SignalNumber(sig)
	if n == 0 {
		return fmt.Errorf("signal %s: Linux has no such signal", sig)
	}
	return p.signal(n)
}

func (p *CmdProcess) signal(n int) error {
	select {
	case <-p.job.ended:
		return ErrProcessDone
	default:
		p.job.Signal(n)
		return nil
	}
}

// Kill ends the program at once. What it has started goes on.
func (p *CmdProcess) Kill() error { return p.signal(sigKILL) }

// KillAll is Kill, also for what the program has started, unless that has left its
// process group.
func (p *CmdProcess) KillAll() error {
	if err := p.signal(0); err != nil {
		return err
	}
	p.job.SignalGroup(sigKILL)
	return nil
}

// Resize tells the program the size of its terminal in characters.
func (p *CmdProcess) Resize(cols, rows uint16) { p.job.Resize(cols, rows) }

// ProcessState is how a program has ended.
type ProcessState struct{ code, signal int }

// ExitCode is the program's; -1 if a signal has ended it.
func (s *ProcessState) ExitCode() int {
	if s.signal != 0 {
		return -1
	}
	return s.code
}

// Signal is the number of the signal that has ended the program; 0 if none has.
func (s *ProcessState) Signal() int { return s.signal }

// Exited says that no signal has ended the program.
func (s *ProcessState) Exited() bool { return s.signal == 0 }

// Success says that the program has ended with 0.
func (s *ProcessState) Success() bool { return s.signal == 0 && s.code == 0 }

// String says how the program has ended.
func (s *ProcessState) String() string {
	if s.signal != 0 {
		return fmt.Sprintf("signal %d", s.signal)
	}
	return fmt.Sprintf("exit status %d", s.code)
}

// ExitError is the error of a program that has not ended with 0.
type ExitError struct {
	*ProcessState
	Stderr []byte // of Output: the beginning and the end of the standard error
}

// Error says how the program has ended.
func (e *ExitError) Error() string { return e.ProcessState.String() }

// checked remembers the first error of a writer.
type checked struct {
	w   io.Writer
	mu  sync.Mutex
	err error
}

func (o *checked) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	return n, err
}

func (o *checked) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// excerptSize is how much of the beginning and of the end an excerpt keeps, in bytes.
const excerptSize = 32 << 10

// excerpt keeps the beginning and the end of what is written to it.
type excerpt struct {
	head, tail []byte
	left       int64 // bytes out between both
}

func (e *excerpt) Write(p []byte) (int, error) {
	n := len(p)
	k := min(n, excerptSize-len(e.head))
	e.head, p = append(e.head, p[:k]...), p[k:]
	e.tail = append(e.tail, p...)
	if over := len(e.tail) - excerptSize; over > 0 {
		e.left += int64(over)
		e.tail = append(e.tail[:0], e.tail[over:]...)
	}
	return n, nil
}

func (e *excerpt) bytes() []byte {
	b := e.head
	if e.left > 0 {
		b = fmt.Appendf(b, "\n... omitting %d bytes ...\n", e.left)
	}
	return append(b, e.tail...)
}
