package board

import (
	"alpinevm/cpu"
	"alpinevm/cpu/x86"
)

// Debugger has a board stop, for whoever wants to look into it from outside of the
// guest. While it is held no instruction is executed and no guest time passes. Its
// methods are for the machine goroutine, but for Kick.
type Debugger struct {
	b       *Board
	stopped func(Stop)
	held    bool
	step    *Step // nil: the board runs
}

// Stop says why a board is held.
type Stop struct {
	Cause StopCause
	Hit   cpu.Hit // of AtBreakpoint and AtAccess
}

// StopCause is the kind of a Stop.
type StopCause uint8

// Causes.
const (
	OnRequest    StopCause = iota // Hold was called
	Stepped                       // a Step has ended
	AtBreakpoint                  // the next instruction has a breakpoint
	AtAccess                      // the last instruction has made an access that is watched
)

// Step says how far a board goes by steps: an instruction or the delivery of an event,
// and on as long as the next instruction lies at linear addresses from First to Last
// and has no breakpoint.
type Step struct {
	Range       bool
	First, Last uint32
	// Interrupts are taken on the way. Else only a HLT that waits for one gets one.
	Interrupts bool
}

// Debug gives the board's debugger, which tells stopped why the board is held each
// time that it comes to be so. There is one.
func (b *Board) Debug(stopped func(Stop)) *Debugger {
	b.debugger = &Debugger{b: b, stopped: stopped}
	return b.debugger
}

// Kick is the board's.
func (d *Debugger) Kick(f func()) { d.b.Kick(f) }

// CPU is the board's processor.
func (d *Debugger) CPU() *cpu.CPU { return d.b.cpu }

// RAM is its memory.
func (d *Debugger) RAM() RAM { return d.b.mem }

// Held says whether the board is held.
func (d *Debugger) Held() bool { return d.held }

// Hold holds the board before its next instruction.
func (d *Debugger) Hold() { d.hold(Stop{Cause: OnRequest}) }

func (d *Debugger) hold(s Stop) {
	if d.held || d.b.off {
		return
	}
	d.held, d.step = true, nil
	d.b.clock.stop()
	d.stopped(s)
}

// Go lets the board go on; with a step it is held behind that.
func (d *Debugger) Go(step *Step) {
	if d.held {
		d.b.clock.goOn()
	}
	d.held, d.step = false, step
}

// Reset resets the board while it is held, as its RESET line does.
func (d *Debugger) Reset() {
	d.b.reset()
	d.b.restarted()
}

// held says whether a debugger holds the board.
func (b *Board) held() bool { return b.debugger != nil && b.debugger.held }

// run executes at most n instructions, as Board.execute does without a debugger.
func (d *Debugger) run(n int) cpu.Exit {
	if d.step != nil {
		return d.steps(n)
	}
	exit := d.b.traced(n)
	if exit.Reason == cpu.Stopped {
		d.hold(stopOf(d.b.cpu.Hit()))
	}
	return exit
}

// stopOf says what a hit of the processor's is.
func stopOf(h cpu.Hit) Stop {
	if h.Watch != nil {
		return Stop{AtAccess, h}
	}
	return Stop{AtBreakpoint, h}
}

// steps goes on with a Step.
func (d *Debugger) steps(n int) cpu.Exit {
	c, exit := d.b.cpu, cpu.Exit{Reason: cpu.Budget}
	d.b.yielded = false
	for range n {
		before := c.Retired
		exit = d.b.tracedStep(!d.step.Interrupts)
		if c.Retired == before {
			break // it waits, or something else is first
		}
		if h := c.Hit(); h.Watch != nil {
			d.hold(stopOf(h))
			break
		}
		lin := c.Seg[x86.CS].Base + c.EIP
		if !d.step.Range || lin < d.step.First || lin > d.step.Last || c.HasBreakpoint(lin) {
			d.hold(Stop{Cause: Stepped})
			break
		}
		if exit.Reason != cpu.Budget || d.b.yielded {
			break
		}
	}
	return exit
}
