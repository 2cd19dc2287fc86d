package alpinevm

import (
	"context"
	"runtime"
	"sync"
	"time"

	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

// Status is what a machine is doing.
type Status uint8

// States of a machine.
const (
	// Running: Step wants to be called again at once.
	Running Status = iota
	// Idle: the guest waits for an interrupt. Nothing happens before
	// wakeAt, or before a Kick.
	Idle
	// Blocked: the guest's output has nowhere to go; only a Kick helps.
	Blocked
	// Ended: the machine is off. Machine.End says why.
	Ended
)

// never is the wakeAt of a machine without armed timers.
const never = time.Duration(1<<63 - 1)

// kicks is the queue of closures that other goroutines post to the machine.
type kicks struct {
	mu    sync.Mutex
	queue []func()
	bell  *bell
}

func newKicks() *kicks { return &kicks{bell: newBell()} }

func (k *kicks) post(f func()) {
	k.mu.Lock()
	k.queue = append(k.queue, f)
	k.mu.Unlock()
	k.bell.ring()
}

// drain runs what was posted. The bell tells cheaply whether there is any.
func (k *kicks) drain() {
	if !k.bell.heard() {
		return
	}
	k.mu.Lock()
	q := k.queue
	k.queue = nil
	k.mu.Unlock()
	for _, f := range q {
		f()
	}
}

// Kick has f run on the machine goroutine, between two steps, in the order of
// the calls. It may be called from any goroutine and never blocks.
func (m *Machine) Kick(f func()) { m.kicks.post(f) }

// Step runs the machine for at most about 100 microseconds of host time, never
// past its next timer. It never sleeps. wakeAt is the guest time at which an
// Idle machine has something to do.
func (m *Machine) Step() (s Status, wakeAt time.Duration) {
	m.kicks.drain()
	m.pump()
	if m.end != nil {
		return Ended, 0
	}
	if m.outputFull() {
		return Blocked, never
	}
	m.timers.Run(m.clock.Now())
	at, armed := m.timers.Next()
	if !armed {
		at = never
	}
	before := m.cpu.Retired
	exit := m.execute(m.clock.budget(at))
	m.clock.ran(m.cpu.Retired - before)
	m.pump()
	if m.resetting && m.end == nil {
		m.resetting = false
		if err := m.restart(); err != nil {
			m.finish(End{Cause: Failure, Detail: err.Error()})
		}
		return Running, 0
	}
	if m.end != nil {
		return Ended, 0
	}
	switch exit.Reason {
	case cpu.Reset:
		m.tripleFault()
		return Running, 0
	case cpu.Halt:
		if m.cpu.Flags&x86.FlagIF == 0 {
			m.powerOff() // nothing wakes it any more: Linux's halt
			return Running, 0
		}
		if at, armed = m.timers.Next(); !armed {
			at = never
		}
		m.quiet.halted(m.cpu.Retired, at-m.clock.Now())
		if armed && m.clock.skip(at) {
			return Running, 0
		}
		return Idle, at
	}
	return Running, 0
}

// execute runs at most n instructions.
func (m *Machine) execute(n int) cpu.Exit {
	if m.trace != nil {
		return m.trace.run(n)
	}
	return m.cpu.Run(n)
}

// Run steps the machine until it ends or ctx is done; an idle guest costs no
// host CPU. What the guest has printed is written before it returns. The error
// is ctx's; how the machine ended is in End.
func (m *Machine) Run(ctx context.Context) (End, error) {
	defer context.AfterFunc(ctx, m.kicks.bell.ring)()
	// Where there is no other processor, who has something for the guest, or
	// takes what it prints, would wait for the runtime to take this one away,
	// ten milliseconds. Where there is one, yielding would wake it for nothing.
	alone := runtime.GOMAXPROCS(0) == 1
	for {
		status, at := m.Step()
		if status == Ended && m.drained() {
			return *m.end, nil
		}
		if ctx.Err() != nil {
			return End{}, context.Cause(ctx)
		}
		if status == Running {
			if alone {
				runtime.Gosched()
			}
			continue
		}
		d, slack := time.Hour, time.Duration(0)
		if status == Idle && at != never {
			d, slack = min(at-m.clock.Now(), d), m.quiet.slack()
		}
		if d > 0 {
			from := time.Now()
			m.kicks.bell.wait(d + slack)
			m.waited += time.Since(from)
			m.clock.hold(at, slack)
		}
	}
}

// drained says that all output has reached the host.
func (m *Machine) drained() bool {
	m.pump()
	return (m.trace == nil || m.trace.out.empty()) && m.serial.empty() && m.debug.empty() && (m.terminal == nil || m.terminal.empty() && m.console.Buffered() == 0) &&
		(m.session == nil || m.session.drained())
}

// Waited is how long Run has waited so far with nothing for the guest to do, in
// host time. To be called on the machine goroutine.
func (m *Machine) Waited() time.Duration { return m.waited }

// Instructions is the number of guest instructions retired so far; each
// iteration of a string instruction and each interrupt counts as one. To be
// called on the machine goroutine.
func (m *Machine) Instructions() uint64 { return m.cpu.Retired }
