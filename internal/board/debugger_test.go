package board

import (
	"testing"
	"time"

	"alpinevm/cpu"
	"alpinevm/cpu/x86"
	"alpinevm/internal/baretest"
)

// debugged is a rig that is held, and what it was held for.
type debugged struct {
	*rig
	*Debugger
	stops []Stop
}

func debug(t testing.TB, program string, deterministic bool) *debugged {
	d := &debugged{rig: newRig(t, Config{Deterministic: deterministic}, flat(t, program))}
	d.Debugger = d.Debug(func(s Stop) { d.stops = append(d.stops, s) })
	d.Hold()
	return d
}

// next has the board go on until it is held again or off, and says why.
func (d *debugged) next(step *Step) Stop {
	d.t.Helper()
	n := len(d.stops)
	d.Go(step)
	for last := d.Instructions() + 10e6; len(d.stops) == n; {
		if s, _ := d.Board.Step(); s == Ended || d.Instructions() > last {
			d.t.Fatalf("it is not held again; %s %s", d.end, d.Registers())
		}
	}
	return d.stops[n]
}

const entry = 0x100020 // of baretest.Flat

// TestDebuggerHolds: a board that is held executes nothing and has no time, and what
// is kicked is done.
func TestDebuggerHolds(t *testing.T) {
	for _, deterministic := range []bool{true, false} {
		d := debug(t, baretest.Loop, deterministic)
		if len(d.stops) != 1 || d.stops[0].Cause != OnRequest {
			t.Errorf("%+v", d.stops)
		}
		kicked, now := false, d.clock.Now()
		d.Debugger.Kick(func() { kicked = true })
		if s, at := d.Board.Step(); s != Blocked || at != never {
			t.Errorf("status %d until %v", s, at)
		}
		if !kicked || d.Instructions() != 0 || d.clock.Now() != now {
			t.Errorf("kicked: %v, %d instructions, %v later", kicked, d.Instructions(), d.clock.Now()-now)
		}
		d.Go(nil)
		d.stepUntil(1e6, func() bool { return d.Instructions() > 1000 })
		d.Hold()
		d.Hold()
		if len(d.stops) != 2 || !d.Held() {
			t.Errorf("%+v", d.stops)
		}
	}
}

// TestDebuggerSteps: how far steps go.
func TestDebuggerSteps(t *testing.T) {
	// mov ecx,3; l: inc eax; mov [200000h],eax; loop l; nop; nop; jmp $
	const program = "B903000000 40 A300002000 E2F8 90 90 EBFE"
	const head, store, behind = entry + 5, entry + 6, entry + 13
	for _, tt := range []struct {
		name  string
		step  Step
		code  []uint32
		data  []cpu.Watchpoint
		cause StopCause
		eip   uint32
		count uint64
	}{
		{name: "one", step: Step{}, cause: Stepped, eip: head, count: 1},
		{name: "a range", step: Step{Range: true, First: entry, Last: behind - 1}, cause: Stepped, eip: behind, count: 10},
		{name: "to a breakpoint", step: Step{Range: true, First: entry, Last: behind - 1}, code: []uint32{store}, cause: Stepped, eip: store, count: 2},
		{name: "from a breakpoint", step: Step{}, code: []uint32{entry, head}, cause: Stepped, eip: head, count: 1},
		{name: "to an access", step: Step{Range: true, First: entry, Last: behind - 1}, data: []cpu.Watchpoint{{Addr: 0x200001, N: 1, Write: true}}, cause: AtAccess, eip: store + 5, count: 3},
		{name: "a range to its end", step: Step{Range: true, First: 0, Last: 0xffffffff}, code: []uint32{behind + 1}, cause: Stepped, eip: behind + 1, count: 11},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := debug(t, program, true)
			d.CPU().StopAt(tt.code, tt.data)
			s := d.next(&tt.step)
			if s.Cause != tt.cause || d.cpu.EIP != tt.eip || d.Instructions() != tt.count {
				t.Errorf("%+v at %x after %d instructions", s, d.cpu.EIP, d.Instructions())
			}
			if s.Cause == AtAccess && (s.Hit.Addr != 0x200001 || s.Hit.Watch.N != 1) {
				t.Errorf("%+v", s.Hit)
			}
		})
	}
}

// TestDebuggerInterrupts: steps do not end in handlers of interrupts but where a HLT
// waits for one, unless they are to.
func TestDebuggerInterrupts(t *testing.T) {
	for _, interrupts := range []bool{false, true} {
		d := debug(t, baretest.Ticks, true)
		d.Go(nil)
		d.stepUntil(1e6, func() bool { return d.cpu.Halted })
		d.Hold()
		if s := d.next(&Step{Interrupts: interrupts}); s.Cause != Stepped || d.cpu.Halted || d.cpu.Flags&x86.FlagIF != 0 {
			t.Errorf("out of HLT: %+v, EFLAGS %x", s, d.cpu.EFLAGS())
		}
		for d.cpu.Flags&x86.FlagIF == 0 {
			d.next(&Step{})
		}
		// While interrupts are asked for, in a loop with IF set: sti; l: jmp l
		if n := d.cpu.Poke(entry, baretest.Code("FB EBFE")); n != 3 {
			t.Fatalf("%d bytes", n)
		}
		d.cpu.Jump(entry)
		// Its ticks are a million instructions apart.
		d.Go(&Step{Range: true, First: entry, Last: entry + 2, Interrupts: interrupts})
		for end := d.Instructions() + 2e6; !d.Held() && d.Instructions() < end; {
			d.Board.Step()
		}
		handled := d.Held()
		if handled != interrupts {
			t.Errorf("interrupts %v: taken %v", interrupts, handled)
		}
	}
}

// TestDebuggerReset: the board is reset while it is held, and stays so.
func TestDebuggerReset(t *testing.T) {
	d := debug(t, baretest.Loop, true)
	for range 5 {
		d.next(&Step{})
	}
	d.cpu.R[x86.EDI] = 7
	d.Debugger.Reset()
	if !d.Held() || d.cpu.EIP != entry || d.cpu.R[x86.EDI] != 0 {
		t.Errorf("held %v, EIP %x", d.Held(), d.cpu.EIP)
	}
}

// TestHostClockStands: the time goes on where it stood.
func TestHostClockStands(t *testing.T) {
	host := time.Second
	c := newHostClock(func() uint64 { return 0 })
	c.host = func() time.Duration { return host }
	c.begin(5 * time.Second)
	for range 2 {
		want := c.Now()
		c.stop()
		host += time.Hour
		if got := c.Now(); got != want {
			t.Errorf("it stands at %v, want %v", got, want)
		}
		c.goOn()
		if got := c.Now(); got != want {
			t.Errorf("it goes on at %v, want %v", got, want)
		}
		host += time.Minute
		if got := c.Now(); got != want+time.Minute {
			t.Errorf("a minute later it is %v, want %v", got, want+time.Minute)
		}
	}
}
