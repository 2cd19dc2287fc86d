package alpinevm

import (
	"alpinevm/internal/board"
	"alpinevm/internal/gdb"
)

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
	cfg := &m.cfg.Debug
	if cfg.GDB == nil {
		return
	}
	d := m.board.Debug(func(s board.Stop) {
		if m.debugger != nil {
			m.debugger.Stopped(gdb.Stop{
				Requested: s.Cause == board.OnRequest, Breakpoint: s.Cause == board.AtBreakpoint, Watch: s.Hit.Watch, Addr: s.Hit.Addr,
			})
		}
	})
	if cfg.GDBWait {
		d.Hold()
	}
	m.debugger = gdb.Serve(cfg.GDB, debugTarget{d, m})
}

// tellDebugger says how the machine has ended.
func (m *Machine) tellDebugger(e End) {
	switch {
	case m.debugger == nil:
	case e.Cause == TripleFault:
		m.debugger.Killed(gdb.SigSEGV)
	case e.Cause == Killed:
		m.debugger.Killed(gdb.SigKILL)
	case e.Cause == Panic || e.Cause == Failure || e.Cause == NoBIOS || e.Cause == NoDrivers:
		m.debugger.Killed(gdb.SigABRT)
	default:
		m.debugger.Exited(uint8(e.Code))
	}
}
