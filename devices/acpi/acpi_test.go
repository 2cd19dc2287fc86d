package acpi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"alpinevm/devices"
)

type pc struct {
	*ACPI
	clock devices.ManualClock
	timed *devices.Scheduler
	bus   devices.Bus
	level bool
	offs  int
}

func (p *pc) Set(level bool) { p.level = level }

func newPC(t testing.TB) *pc {
	p := &pc{}
	p.timed = devices.NewScheduler(&p.clock)
	p.ACPI = New(p.timed, p, func() { p.offs++ })
	if err := p.bus.Claim(0x600, BlockSize, "acpi", p.Ports()); err != nil {
		t.Fatal(err)
	}
	return p
}

// run executes a script and reports its first step that fails. Ports are given
// by their offset in the block, sizes by the letters b, w and d:
//
//	w2=100  write 0100h to offset 2   d8?5     a read of the timer gives 5
//	t10s    time passes               i1 i0    the level of SCI
//	button  the power button          off1     turned off once so far
//	event   the general purpose event
func (p *pc) run(script string) error {
	for k, step := range strings.Fields(script) {
		var letter rune
		var off uint16
		var v uint32
		var n int
		sizes := map[rune]int{'b': 1, 'w': 2, 'd': 4}
		bad := func(got any) error { return fmt.Errorf("step %d %q: %v", k, step, got) }
		switch {
		case scan(step, "%c%x=%x", &letter, &off, &v):
			p.bus.Out(0x600+off, sizes[letter], v)
		case scan(step, "%c%x?%x", &letter, &off, &v):
			if got := p.bus.In(0x600+off, sizes[letter]); got != v {
				return bad(fmt.Sprintf("read %#x", got))
			}
		case step == "i0" || step == "i1":
			if p.level != (step == "i1") {
				return bad(p.level)
			}
		case step == "button":
			p.PowerButton()
		case step == "event":
			p.Event()
		case scan(step, "off%d", &n):
			if p.offs != n {
				return bad(p.offs)
			}
		case step[0] == 't':
			d, err := time.ParseDuration(step[1:])
			if err != nil {
				return err
			}
			p.clock.MoveThrough(p.timed, p.clock.Now()+d)
		default:
			return bad("no such step")
		}
	}
	return nil
}

func scan(s, format string, args ...any) bool {
	n, err := fmt.Sscanf(s, format, args...)
	return err == nil && n == len(args)
}

func TestACPI(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"after reset", "d0?0 w4?1 d8?0 i0"},
		{"SCI_EN cannot be cleared", "w4=0 w4?1 b4?1 b5?0"},
		{"the timer", "t1s d8?369e99 t1ms w8?ac94 bb?0"},
		{"the timer wraps", "t1199s d8?ffd0ce97 t1s d8?76d30"},
		{"the timer cannot be written", "d8=ffffffff d8?0"},
		{"enable bits", "w2=ffff w2?721 b2=0 w2?700 w2=ffff b3=0 w2?21"},
		{"power button", "button i0 w0?100 w2=100 i1 w0=1 i1 w0=100 i0 w0?0"},
		{"power button, bytes", "b3=1 button i1 b1?1 b1=1 i0"},
		{"one doubleword for status and enable", "d0=1000000 button i1 d0?1000100 d0=100 i0 d0?0"},
		{"general purpose event", "event bc?1 i0 bd=ff bd?1 i1 bc=1 i0 bc?0 event i1 bd=0 i0 wc?1"},
		{"timer status", "t599s w0?0 t1s w0?1 w0=1 w0?0 t600s w0?1 i0"},
		{"timer interrupt", "w2=1 t599s i0 t1s i1 w0=1 i0 t600s i1"},
		{"control bits", "w4=ffff off0 w4?1c03"},
		{"power off", "w4=1400 off0 w4=3400 off1 w4?1401"},
		{"power off, bytes", "b5=14 off0 b5=34 off1"},
		{"power off after the type", "w4=1401 w4=3401 off1"},
		{"other sleep states", "w4=2001 w4=2401 w4=3c01 off0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := newPC(t).run(c.script); err != nil {
				t.Error(err)
			}
		})
	}
}

// The timer's frequency is 3,579,545 Hz to the tick over an hour.
func TestTimerRate(t *testing.T) {
	p := newPC(t)
	p.clock.Move(time.Hour)
	if got, want := p.bus.In(0x608, 4), uint32(3579545*3600&0xFFFFFFFF); got != want {
		t.Errorf("timer is %d, want %d", got, want)
	}
}

func TestSaveRestoreReset(t *testing.T) {
	a, b := newPC(t), newPC(t)
	if err := a.run("button w2=101 w4=400 event"); err != nil {
		t.Fatal(err)
	}
	b.Restore(a.Save())
	if err := b.run("i1 w0=100 i0 w2?101 w4?401 bd=1 i1 bc=1 i0 t600s i1"); err != nil {
		t.Error(err)
	}
	b.Reset()
	if err := b.run("i0 d0?0 w4?1 d8?8003b698"); err != nil {
		t.Error(err)
	}
}
