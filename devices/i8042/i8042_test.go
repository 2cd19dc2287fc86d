package i8042

import (
	"fmt"
	"strings"
	"testing"

	"alpinevm/devices"
)

type pc struct {
	*I8042
	bus    devices.Bus
	a20    bool
	resets int
	irq    [2]bool
}

type irq struct{ level *bool }

func (i irq) Set(level bool) { *i.level = level }

func newPC(t testing.TB) *pc {
	p := &pc{}
	p.I8042 = New(Config{
		A20:   func(on bool) { p.a20 = on },
		Reset: func() { p.resets++ },
		IRQ1:  irq{&p.irq[0]}, IRQ12: irq{&p.irq[1]},
	})
	for port, d := range map[uint16]devices.PortDevice{0x60: p.Data(), 0x64: p.Command(), 0x92: p.PortA()} {
		if err := p.bus.Claim(port, 1, "i8042", d); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// run executes a script and reports its first step that fails:
//
//	64=20   write 20h to port 64h   60?ff  a read of port 60h gives FFh
//	a1 a0   the A20 gate            r1     one reset so far
//	i10     the levels of IRQ 1 and IRQ 12
func (p *pc) run(script string) error {
	for k, step := range strings.Fields(script) {
		var port uint16
		var v int
		bad := func(got any) error { return fmt.Errorf("step %d %q: %v", k, step, got) }
		b := map[bool]string{true: "1", false: "0"}
		switch {
		case scan(step, "%x=%x", &port, &v):
			p.bus.Out(port, 1, uint32(v))
		case scan(step, "%x?%x", &port, &v):
			if got := p.bus.In(port, 1); got != uint32(v) {
				return bad(fmt.Sprintf("read %#x", got))
			}
		case step[0] == 'a':
			if p.a20 != (step == "a1") || p.Save().A20 != p.a20 {
				return bad(p.a20)
			}
		case step[0] == 'r':
			if fmt.Sprint(p.resets) != step[1:] {
				return bad(p.resets)
			}
		case step[0] == 'i':
			if got := b[p.irq[0]] + b[p.irq[1]]; got != step[1:] {
				return bad(got)
			}
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

func TestI8042(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"after reset", "64?10 92?02 a1 r0 i00"},
		{"self test", "64=aa 64?1d 60?55 64?1c"},
		{"line tests", "64=ab 64?19 60?00 64=a9 60?00"},
		{"command byte", "64=20 60?70 64=60 60=03 64=20 60?03"},
		{"RAM", "64=7f 60=5a 64=3f 60?5a 64=21 60?00"},
		{"the last write", "64=60 64?18 60=00 64?10"},
		{"disable and enable", "64=a8 64=20 60?50 64=a7 64=20 60?70 64=ae 64=20 60?60 64=ad 64=20 60?70"},
		{"no password", "64=a4 60?f1"},
		{"input port", "64=c0 60?80"},
		{"test inputs", "64=e0 60?00"},
		{"unknown command", "64=00 64?18 64=ef 64?18"},
		{"reset pulse", "64=fe r1 64=ff r1 64=f1 r1 64=f0 r2"},
		{"reset by the output port", "64=d1 60=02 r1 64=d1 60=03 r1"},
		{"A20 by the output port", "64=d1 60=01 a0 92?00 64=d0 60?c1 64=d1 60=03 a1 64=d0 60?c3"},
		{"A20 by command", "64=dd a0 64=df a1"},
		{"A20 by port 92h", "92=00 a0 92?00 64=d0 60?c1 92=02 a1"},
		{"the self test opens A20", "92=00 64=aa a1"},
		{"reset by port 92h", "92=03 r1 92?03 92=03 r1 92=02 92=03 r2"},
		{"no keyboard", "60=ff 64?51 60?fe 64?10"},
		{"no auxiliary device", "64=d4 60=ff 64?71 60?fe 64?10"},
		{"sending enables the line", "60=ff 64=20 60?60 64=d4 60=f4 64=20 60?40"},
		{"a command drops the one that waits", "64=d1 64=20 60?70 60=00 64?51 r0 a1"},
		{"keyboard interrupt", "64=60 60=01 i00 64=d2 60=1c i10 64=d0 60?d3 64=d2 60=9c i10 60?9c i00 60?9c"},
		{"auxiliary interrupt", "64=60 60=02 64=d3 60=08 i01 64?31 60?08 i00"},
		{"interrupts are gated", "64=60 60=00 64=d2 60=1c i00 64=60 60=01 i10"},
		{"output port shows the buffer", "64=d3 60=08 64=d0 60?e3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := newPC(t).run(c.script); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSaveRestoreReset(t *testing.T) {
	a, b := newPC(t), newPC(t)
	if err := a.run("92=00 64=7f 60=5a 64=60 60=01 64=d2 60=1c"); err != nil {
		t.Fatal(err)
	}
	b.Restore(a.Save())
	if err := b.run("a0 i10 60?1c i00 64=3f 60?5a"); err != nil {
		t.Error(err)
	}
	b.Reset()
	if err := b.run("a1 i00 64?10 64=3f 60?00"); err != nil {
		t.Error(err)
	}
}

// Without wires a controller works all the same.
func TestNoWires(t *testing.T) {
	k := New(Config{})
	k.Command().Out(0, 1, 0xFE)
	k.PortA().Out(0, 1, 0)
	k.Data().Out(0, 1, 0xFF)
	if got := k.Data().In(0, 1); got != resend {
		t.Errorf("read %#x", got)
	}
}
