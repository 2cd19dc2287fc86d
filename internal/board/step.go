package board

import (
	"context"
	"math"
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
	// Blocked: the guest's output has nowhere to go, or a debugger holds it;
	// only a Kick helps.
	Blocked
	// Ended: the machine is off. The hooks have said why.
	Ended
)

// never is the wakeAt of a machine without armed timers.
const never = time.Duration(1<<63 - 1)

// Step runs the machine for at most about stepTime of the host, never
// past its next timer. It never sleeps. wakeAt is the guest time at which an
// Idle machine has something to do.
func (b *Board) Step() (s Status, wakeAt time.Duration) { return b.StepTo(math.MaxUint64) }

// StepTo is Step, but goes no further than to that count of instructions, which
// it has not reached yet.
func (b *Board) StepTo(count uint64) (s Status, wakeAt time.Duration) {
	if b.kicks.drain() {
		b.turns.kicked()
	}
	b.pump()
	if b.off {
		return Ended, 0
	}
	if b.held() || b.outputFull() {
		return Blocked, never
	}
	b.timers.Run(b.clock.Now())
	at, armed := b.timers.Next()
	if !armed {
		at = never
	}
	before := b.cpu.Retired
	budget := min(uint64(b.clock.budget(at)), count-before)
	if b.samples != nil {
		budget = min(budget, b.samples.left(before))
	}
	exit := b.execute(int(budget))
	b.clock.ran(b.cpu.Retired - before)
	if b.samples != nil {
		b.samples.ran(b.cpu)
	}
	b.pump()
	if b.restarted() {
		return Running, 0
	}
	if b.off {
		return Ended, 0
	}
	if b.held() {
		return Blocked, never
	}
	switch exit.Reason {
	case cpu.Reset:
		b.tripleFault()
		return Running, 0
	case cpu.Halt:
		if b.cpu.Flags&x86.FlagIF == 0 {
			b.halted()
			return Running, 0
		}
		if at, armed = b.timers.Next(); !armed {
			at = never
		}
		b.quiet.halted(b.cpu.Retired, at-b.clock.Now())
		if armed && b.clock.skip(at) {
			return Running, 0
		}
		return Idle, at
	}
	return Running, 0
}

// execute runs at most n instructions.
func (b *Board) execute(n int) cpu.Exit {
	switch {
	case b.debugger != nil:
		return b.debugger.run(n)
	case b.trace != nil:
		return b.traced(n)
	}
	return b.cpu.Run(n)
}

// restarted does what the RESET line asks for, and says whether it did.
func (b *Board) restarted() bool {
	if !b.resetting || b.off {
		return false
	}
	b.resetting = false
	if err := b.restart(); err != nil {
		b.failed(err)
	}
	return true
}

// Run steps the board until it is off or ctx is done; an idle guest costs no
// host CPU. What the guest has printed is written before it returns. The error
// is ctx's.
func (b *Board) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, b.kicks.bell.ring)()
	for {
		status, at := b.Step()
		if status == Ended && b.Drained() {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if status == Running {
			b.turns.take()
			continue
		}
		d, slack := time.Hour, time.Duration(0)
		if status == Idle && at != never {
			d, slack = min(at-b.clock.Now(), d), b.quiet.slack()
		}
		if d > 0 {
			from := time.Now()
			if b.kicks.bell.wait(d + slack) {
				b.turns.given()
			}
			b.waited += time.Since(from)
			b.clock.hold(at, slack)
		}
	}
}

// Waited is how long Run has waited so far with nothing for the guest to do, in
// host time. To be called on the machine goroutine.
func (b *Board) Waited() time.Duration { return b.waited }
