package alpinevm

import (
	"net"

	"alpinevm/internal/board"
	"alpinevm/internal/gdb"
)

// GDB is where debuggers connect. A program that makes none by NewGDB is linked without
// all that serves them.
type GDB struct{ serve func(*Machine) debugger }

// NewGDB serves at l debuggers that speak gdb's remote protocol, one at a time. It is for
// one machine, which closes l with itself.
func NewGDB(l net.Listener) *GDB {
	return &GDB{func(m *Machine) debugger { return serveGDB(l, m) }}
}

// debugger is who debugs a machine.
type debugger interface {
	// Ended tells how the machine has ended.
	Ended(End)
	// Close ends it.
	Close()
}

// gdbServer implements debugger.
type gdbServer struct{ *gdb.Server }

func serveGDB(l net.Listener, m *Machine) gdbServer {
	var s gdbServer
	d := m.board.Debug(func(stop board.Stop) {
		if s.Server != nil {
			s.Stopped(gdb.Stop{
				Requested: stop.Cause == board.OnRequest, Breakpoint: stop.Cause == board.AtBreakpoint, Watch: stop.Hit.Watch, Addr: stop.Hit.Addr,
			})
		}
	})
	if m.cfg.Debug.GDBWait {
		d.Hold()
	}
	s.Server = gdb.Serve(l, debugTarget{d, m})
	return s
}

// Ended implements debugger.
func (s gdbServer) Ended(e End) {
	switch e.Cause {
	case TripleFault:
		s.Killed(gdb.SigSEGV)
	case Killed:
		s.Killed(gdb.SigKILL)
	case Panic, Failure, NoBIOS, NoDrivers:
		s.Killed(gdb.SigABRT)
	default:
		s.Exited(uint8(e.Code))
	}
}

// debugTarget is a machine as a debugger sees it.
type debugTarget struct {
	*board.Debugger
	m *Machine
}

// Go implements gdb.Target.
func (t debugTarget) Go(step *gdb.Step) { t.Debugger.Go((*board.Step)(step)) }

// SwitchOff implements gdb.Target.
func (t debugTarget) SwitchOff() {
	t.m.finish(End{Cause: Killed, Detail: "the debugger has switched the machine off"})
}

// ReadPhysical implements gdb.Target.
func (t debugTarget) ReadPhysical(p []byte, at uint64) int {
	return t.physical(p, at, t.RAM().ReadAt)
}

// WritePhysical implements gdb.Target.
func (t debugTarget) WritePhysical(p []byte, at uint64) int {
	return t.physical(p, at, t.RAM().WriteAt)
}

// physical does that for as much of p as lies in RAM.
func (t debugTarget) physical(p []byte, at uint64, do func([]byte, int64) (int, error)) int {
	size := uint64(t.RAM().Size())
	if at >= size {
		return 0
	}
	n, _ := do(p[:min(uint64(len(p)), size-at)], int64(at))
	return n
}

// debug lets debuggers in, if there are to be any.
func (m *Machine) debug() {
	if at := m.cfg.Debug.GDB; at != nil {
		m.debugger = at.serve(m)
	}
}
