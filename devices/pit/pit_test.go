package pit

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"alpinevm/devices"
)

// pc is a PIT on its usual ports, at the start of tick 0.
type pc struct {
	*PIT
	clock devices.ManualClock
	timed *devices.Scheduler
	bus   devices.Bus
	level bool
	rises []uint64 // the ticks at which IRQ 0 rose
}

// Set implements devices.IRQ.
func (p *pc) Set(level bool) {
	if level && !p.level {
		p.rises = append(p.rises, rate.Ticks(p.clock.Now()))
	}
	p.level = level
}

func newPC(t testing.TB) *pc {
	p := &pc{}
	p.timed = devices.NewScheduler(&p.clock)
	p.PIT = New(p.timed, p)
	p.rises = nil // OUT of an idle counter is high
	if err := p.bus.Claim(0x40, 4, "pit", p.Ports()); err != nil {
		t.Fatal(err)
	}
	if err := p.bus.Claim(0x61, 1, "port b", p.PortB()); err != nil {
		t.Fatal(err)
	}
	return p
}

// ticks moves the clock on to the start of the nth tick from here.
func (p *pc) ticks(n uint64) {
	p.clock.MoveThrough(p.timed, rate.Time(rate.Ticks(p.clock.Now())+n))
}

// run executes a script and reports its first step that fails:
//
//	43=34   write 34h to port 43h      40?12  a read of port 40h gives 12h
//	t5      5 ticks pass               o1 o0  the level of IRQ 0
//	g1 g0   the gate of counter 2      s1 s0  the output of counter 2
//	r3,10   IRQ 0 has risen at these ticks, and forget them; r- for none
func (p *pc) run(script string) error {
	for k, step := range strings.Fields(script) {
		var port uint16
		var v, n int
		switch {
		case scan(step, "%x=%x", &port, &v):
			p.bus.Out(port, 1, uint32(v))
		case scan(step, "%x?%x", &port, &v):
			if got := p.bus.In(port, 1); got != uint32(v) {
				return fmt.Errorf("step %d %q: read %#x", k, step, got)
			}
		case scan(step, "t%d", &n):
			p.ticks(uint64(n))
		case scan(step, "o%d", &n):
			if p.level != (n == 1) {
				return fmt.Errorf("step %d %q: IRQ 0 is %v", k, step, p.level)
			}
		case scan(step, "g%d", &n):
			p.bus.Out(0x61, 1, uint32(n))
		case scan(step, "s%d", &n):
			if got := p.bus.In(0x61, 1) >> 5 & 1; got != uint32(n) {
				return fmt.Errorf("step %d %q: counter 2 gives %d", k, step, got)
			}
		case step[0] == 'r':
			got := strings.ReplaceAll(strings.Trim(fmt.Sprint(p.rises), "[]"), " ", ",")
			if want := strings.Trim(step[1:], "-"); got != want {
				return fmt.Errorf("step %d %q: IRQ 0 rose at %s", k, step, got)
			}
			p.rises = nil
		default:
			return fmt.Errorf("step %d %q is no step", k, step)
		}
	}
	return nil
}

func scan(s, format string, args ...any) bool {
	n, err := fmt.Sscanf(s, format, args...)
	return err == nil && n == len(args)
}

func TestPIT(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		// Mode 0: OUT rises N+1 cycles after the count is written.
		{"mode 0", "43=10 o0 40=04 o0 t1 40?04 t3 40?01 o0 t1 o1 40?00 r5 t1 40?ff t9 o1 r-"},
		{"mode 0 both bytes", "43=30 40=02 t9 o0 40=01 t1 40?02 40?01 t257 o0 t1 o1 r268"},
		{"mode 0 new count", "43=10 40=04 t3 40=05 o0 t5 o0 t1 o1 r9"},
		{"mode 0 new count when done", "43=10 40=01 t2 o1 40=02 o0 t3 o1 r2,5"},
		{"mode 0 first byte stops", "43=30 40=04 40=00 t3 40=09 t9 40?02 40?00 40=00 o0 t10 o1 r22"},
		{"mode 0 zero is 65536", "43=30 40=00 40=00 t1 40?00 40?00 t1 40?ff 40?ff t65534 o0 t1 o1 r65537"},
		{"mode 0 gate holds", "43=90 42=04 t3 g1 t1 s0 42?03 t1 42?02 g0 t7 42?02 g1 t2 s1"},
		{"mode 0 gate does not lower OUT", "43=90 g1 42=01 t2 s1 g0 s1"},
		// Mode 1: a pulse of N cycles from the trigger on.
		{"mode 1", "43=92 s1 42=03 t5 s1 g1 s1 t1 s0 42?03 t2 s0 t1 s1 42?00 t1 42?ff"},
		{"mode 1 retrigger", "43=92 42=03 g1 t3 s0 g0 t0 g1 t3 s0 t1 s1"},
		{"mode 1 new count waits for a trigger", "43=92 42=02 g1 t1 42=04 t1 s0 t1 s1 g0 g1 t1 s0 t3 s0 t1 s1"},
		{"mode 1 without trigger", "43=12 40=03 t100 o1 r-"},
		{"mode 1 without count", "43=92 g1 t5 s1"},
		// Mode 2: low for the last cycle of each period.
		{"mode 2", "43=14 o1 40=03 t1 40?03 t1 40?02 o1 t1 40?01 o0 t1 40?03 o1 t6 r4,7,10"},
		{"mode 2 new count at the end of the period", "43=14 40=03 t2 40=05 t1 40?01 t1 40?05 r4 t5 r9"},
		{"mode 2 gate", "43=94 g1 42=03 t3 s0 g0 s1 t5 s1 42?01 g1 s1 t1 42?03 t2 s0 t1 s1"},
		{"mode 2 gate reloads", "43=94 g1 42=05 t3 42?03 g0 t4 42?03 g1 t1 42?05"},
		{"mode 2 new count with a trigger", "43=94 g1 42=05 t3 42=08 g0 g1 t1 42?08"},
		{"mode 2 count of 1", "43=14 40=01 t6 r3,5"},
		{"mode 2 written before the gate opens", "43=94 42=05 t1 42?05 t5 42?05 s1 g1 t1 42?05 t4 s0"},
		{"mode 6 is mode 2", "43=1c 40=03 t4 43=e2 40?94 r4"},
		// Mode 3: high for half of the period.
		{"mode 3 even", "43=16 40=04 t1 40?04 o1 t1 40?02 o1 t1 40?04 o0 t1 40?02 t1 o1 t8 r5,9,13"},
		{"mode 3 odd", "43=16 40=05 t1 40?04 o1 t1 40?02 t1 40?00 o1 t1 40?04 o0 t1 40?02 o0 t1 40?04 o1 t5 r6,11"},
		{"mode 3 new count at half period", "43=16 40=04 t1 40=08 t2 40?08 o0 t3 o0 t1 o1 r7"},
		{"mode 3 new count at the end", "43=16 40=04 t3 40=08 t2 o1 t3 o1 t1 o0 r5"},
		{"mode 3 gate", "43=96 g1 42=04 t3 s0 g0 s1 t5 s1 g1 t1 42?04 t1 s1 t1 s0"},
		{"mode 7 is mode 3", "43=1e 40=04 t5 43=e2 40?96 r5"},
		{"mode 3 zero", "43=36 40=00 40=00 t32769 o0 t32768 o1 t65536 r65537,131073"},
		// Mode 4: low for one cycle, N+1 cycles after the write.
		{"mode 4", "43=18 o1 40=03 t3 40?01 o1 t1 40?00 o0 t1 o1 40?ff t9 r5"},
		{"mode 4 is shot once", "43=38 40=03 40=00 t5 r5 t65536 r- t200000 r-"},
		{"mode 4 new count", "43=18 40=03 t2 40=05 t6 40?00 o0 t1 o1 r9"},
		{"mode 4 loaded in place of the strobe", "43=18 40=03 t3 40=05 t1 40?05 o1 t5 40?00 o0 t1 o1 r10"},
		{"mode 4 both bytes", "43=38 40=03 t2 40=00 t3 40?01 o1 40?00 t1 40?00 o0 t1 40?ff o1 r7"},
		{"mode 4 first byte does not stop", "43=38 40=03 40=00 t1 40=05 t1 40?02 t2 43=e2 40?38 o0 t1 r5"},
		{"mode 4 gate holds", "43=98 42=02 t3 42?02 g1 t2 s0 t1 s1"},
		{"mode 4 written during the strobe", "43=18 40=03 t4 40?00 o0 40=02 t1 40?02 o1 t3 r5,8"},
		// Mode 5: the same from a trigger on.
		{"mode 5", "43=9a 42=02 t9 s1 g1 t2 s1 t1 s0 t1 s1"},
		{"mode 5 retrigger", "43=9a 42=02 g1 t2 g0 g1 t2 s1 t1 s0"},
		// Bytes and latches.
		{"low byte only", "43=10 40=ff t2 40?fe 40?fe"},
		{"high byte only", "43=20 40=02 t1 40?02 t1 40?01 40?01"},
		{"low then high", "43=30 40=34 40=12 t1 40?34 40?12 40?34"},
		{"latch", "43=30 40=34 40=12 t1 43=00 t100 40?34 40?12 40?d0 40?11"},
		{"second latch is ignored", "43=30 40=34 40=12 t1 43=00 t100 43=00 40?34 43=00 40?12 43=00 40?d0 40?11"},
		{"latch of one byte", "43=20 40=12 t1 43=00 t300 40?12 40?10"},
		{"control word drops latches", "43=30 40=34 40=12 t1 43=00 43=e2 43=10 40=05 t1 40?05"},
		{"control word restarts the bytes", "43=30 40=34 43=30 40=01 40=00 t1 40?01 43=30 40=02 40=00 t1 40?02 40?00"},
		{"latch of another counter", "43=90 g1 42=05 t1 43=80 40?02 t2 42?05 42?03"},
		{"BCD", "43=31 40=00 40=10 t1 40?00 40?10 t1 40?99 40?09 t999 o1 40?00 40?00 t1 40?99 40?99 r1001"},
		{"BCD zero is 10000", "43=35 40=00 40=00 t1 40?00 40?00 t1 40?99 40?99 t10000 r10001"},
		{"BCD with other digits", "43=11 40=1f t1 40?25"},
		// Read-back.
		{"status", "43=34 43=e2 40?f4 40=10 43=e2 40?f4 40=00 43=e2 40?f4 t1 43=e2 40?b4"},
		{"status null in a period", "43=14 40=08 t2 43=e2 40?94 40=09 43=e2 40?d4 t8 43=e2 40?94"},
		{"status of OUT and BCD", "43=11 40=02 t1 43=e2 40?11 t2 43=e2 40?91"},
		{"status first, then count", "43=30 40=34 40=12 t1 43=c2 t5 40?30 40?34 40?12 40?2f"},
		{"status latches once", "43=10 43=e2 40=02 t5 43=e2 40?50 43=e2 40?90"},
		{"read-back of the count", "43=30 40=34 40=12 t1 43=d2 t5 40?34 40?12 40?2f"},
		{"read-back of several", "43=10 40=05 43=90 g1 42=07 t1 43=da t2 40?05 42?07 40?03 42?05"},
		{"read-back of none", "43=10 40=05 t1 43=c0 t1 40?04"},
		{"control word cannot be read", "43?ff"},
		// Port 61h.
		{"port 61h keeps four bits", "61=ff 61?2f 61=00 61?20"},
		{"refresh toggles", "61?20 t18 61?30 t17 61?30 t1 61?20"},
		{"a late gate starts nothing in mode 0", "43=b0 42=ff 42=ff t50 42?ff 42?ff g1 t1 42?fe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := newPC(t).run(c.script); err != nil {
				t.Error(err)
			}
		})
	}
}

// A counter that was not looked at for long has missed no more than edges.
func TestLongSleep(t *testing.T) {
	p := newPC(t)
	if err := p.run("43=34 40=9c 40=2e"); err != nil { // 11932, 100 Hz
		t.Fatal(err)
	}
	p.clock.Move(rate.Time(1 + 11932*1000000000 + 5))
	p.timed.Run(p.clock.Now())
	if len(p.rises) != 1 {
		t.Errorf("IRQ 0 rose at %v", p.rises)
	}
	if err := p.run("40?97 40?2e o1"); err != nil {
		t.Error(err)
	}
	if at, ok := p.timed.Next(); !ok || at <= p.clock.Now() {
		t.Errorf("the next edge is at %v, now is %v", at, p.clock.Now())
	}
}

func TestSaveRestore(t *testing.T) {
	a, b := newPC(t), newPC(t)
	if err := a.run("43=34 40=0a 40=00 43=b6 42=20 42=00 g1 t7 43=80 43=00 40?04"); err != nil {
		t.Fatal(err)
	}
	s := a.Save()
	b.ticks(7)
	b.Restore(s)
	for _, p := range []*pc{a, b} {
		p.rises = nil
		if err := p.run("42?14 42?00 40?00 t20 r11,21 40?04 61?11"); err != nil {
			t.Error(err)
		}
	}
	b.Reset()
	if err := b.run("t100 r- o1 61?30 43=e2 40?f6"); err != nil {
		t.Error(err)
	}
}

// FuzzPorts plays bytes as port writes, reads and pauses on two PITs, one that
// passes each pause in a jump from timer to timer and one that is looked at in
// every tick. Both must answer alike and raise IRQ 0 in the same ticks.
func FuzzPorts(f *testing.F) {
	f.Add([]byte("\x03\x34\x00\x0a\x00\x00\x07\x40\x05\x00\x03\x16\x00\x09\x07\x80"))
	f.Add([]byte("\x03\xb0\x02\x05\x02\x00\x04\x01\x07\x09\x04\x00\x07\x09\x06\x02"))
	f.Add([]byte("\x03\x11\x00\x1f\x07\x0f\x03\x18\x00\x03\x07\x04\x00\x02\x07\x09"))
	f.Add([]byte("\x03\x9a\x02\x02\x04\x01\x07\x02\x04\x00\x04\x01\x07\x05\x03\xc2"))
	f.Fuzz(func(t *testing.T, in []byte) {
		lazy, eager := newPC(t), newPC(t)
		if len(in) > 400 {
			in = in[:400]
		}
		for ; len(in) >= 2; in = in[2:] {
			op, v := in[0]%8, in[1]
			switch op {
			case 0, 1, 2, 3:
				lazy.bus.Out(0x40+uint16(op), 1, uint32(v))
				eager.bus.Out(0x40+uint16(op), 1, uint32(v))
			case 4:
				lazy.bus.Out(0x61, 1, uint32(v))
				eager.bus.Out(0x61, 1, uint32(v))
			case 5, 6:
				port := [5]uint16{0x40, 0x41, 0x42, 0x43, 0x61}[v%5]
				if a, b := lazy.bus.In(port, 1), eager.bus.In(port, 1); a != b {
					t.Fatalf("port %#x: %#x after a jump, %#x tick by tick", port, a, b)
				}
			case 7:
				lazy.ticks(uint64(v))
				for range v {
					eager.ticks(1)
					eager.sync()
				}
			}
			if lazy.s.Counters[0].out() != lazy.level {
				t.Fatal("IRQ 0 is stale")
			}
		}
		lazy.sync()
		eager.sync()
		if lazy.Save() != eager.Save() {
			t.Fatalf("state after jumps:\n%+v\ntick by tick:\n%+v", lazy.Save(), eager.Save())
		}
		if !slices.Equal(lazy.rises, eager.rises) {
			t.Fatalf("IRQ 0 rose at %v, tick by tick at %v", lazy.rises, eager.rises)
		}
	})
}
