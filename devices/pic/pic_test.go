package pic

import (
	"fmt"
	"strings"
	"testing"

	"alpinevm/devices"
)

// pc is a PIC on its usual ports with two sources on each IRQ.
type pc struct {
	*PIC
	bus     devices.Bus
	lines   [2][16]devices.IRQ
	changes []bool
}

func newPC(t testing.TB) *pc {
	p := &pc{}
	p.PIC = New(func(level bool) { p.changes = append(p.changes, level) })
	for i, base := range []uint16{0x20, 0xA0} {
		if err := p.bus.Claim(base, 2, "pic", p.Ports(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.bus.Claim(0x4D0, 2, "elcr", p.ELCR()); err != nil {
		t.Fatal(err)
	}
	for i := range p.lines {
		for n := range p.lines[i] {
			if n != cascade {
				p.lines[i][n] = p.Line(n)
			}
		}
	}
	return p
}

// run executes a script and reports its first step that fails:
//
//	20=11   write 11h to port 20h     20?11   a read of port 20h gives 11h
//	+3 -3   raise or lower IRQ 3      ^3 v3   the same by a second source
//	a33     Ack gives 33h             i1 i0   the level of INTR
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
		case scan(step, "+%d", &n):
			p.lines[0][n].Set(true)
		case scan(step, "-%d", &n):
			p.lines[0][n].Set(false)
		case scan(step, "^%d", &n):
			p.lines[1][n].Set(true)
		case scan(step, "v%d", &n):
			p.lines[1][n].Set(false)
		case scan(step, "a%x", &v):
			if got := p.Ack(); int(got) != v {
				return fmt.Errorf("step %d %q: vector %#x", k, step, got)
			}
		case scan(step, "i%d", &n):
			if got := p.INTR(); got != (n == 1) {
				return fmt.Errorf("step %d %q: INTR is %v", k, step, got)
			}
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

// pcInit is what firmware and Linux do: bases 20h and 28h, nothing masked.
const pcInit = "20=11 21=20 21=04 21=01 a0=11 a1=28 a1=02 a1=01 "

func TestPIC(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"no request before initialization", "+0 i0 20=11 21=20 21=04 i0 21=01 i0 -0 +0 i1"},
		{"IMR is readable before it", "21=fb 21?fb a1=ff a1?ff"},
		{"request and vector", pcInit + "+3 i1 20?08 a23 i0 20?00 20=0b 20?08 20=20 20?00"},
		{"an edge counts once", pcInit + "+3 a23 20=20 i0 -3 i0 +3 i1 a23"},
		{"a second edge in service waits", pcInit + "+3 a23 -3 +3 i0 20=20 i1 a23"},
		{"a withdrawn edge is no request", pcInit + "+3 -3 i0"},
		{"spurious IRQ 7 has no ISR bit", pcInit + "+3 -3 a27 20=0b 20?00"},
		{"spurious IRQ 15", pcInit + "a1=ff +9 i0 a1=00 i1 -9 i0 +9 a29 20=0b 20?04 a0=0b a0?02"},
		{"a mask withdraws, an unmask gives back", pcInit + "+5 21=20 i0 20?20 21=00 i1 a25"},
		{"higher priority nests, lower waits", pcInit + "+5 a25 +6 i0 +4 i1 a24 20=20 20=0b 20?20 20=20 i1 a26"},
		{"the same level waits", pcInit + "+5 a25 -5 +5 i0 20=65 i1"},
		{"specific EOI", pcInit + "+5 a25 +4 a24 20=65 20=0b 20?10 20=64 20?00"},
		{"non-specific EOI with nothing in service", pcInit + "20=20 20=a0 +0 a20"},
		{"set priority", pcInit + "20=c4 +4 +5 +3 a25 20=20 a23 20=20 a24"},
		{"rotate on non-specific EOI", pcInit + "+4 a24 20=a0 -4 +4 +5 a25"},
		{"rotate on specific EOI", pcInit + "+4 a24 20=e4 -4 +4 +5 a25"},
		{"automatic EOI", "20=11 21=20 21=04 21=03 +3 a23 20=0b 20?00 +4 a24"},
		{"rotation in automatic EOI", "20=11 21=20 21=04 21=03 20=80 +3 a23 -3 +3 +4 a24 a23"},
		{"no rotation once it is cleared", "20=11 21=20 21=04 21=03 20=80 20=00 +3 a23 -3 +3 +4 a23"},
		{"OCW2 without effect", pcInit + "+3 a23 20=40 20=0b 20?08"},
		{"special mask lets lower ones in", pcInit + "+3 a23 +5 i0 21=08 i0 20=68 i1 a25"},
		{"special mask off", pcInit + "+3 a23 +5 21=08 20=68 i1 20=48 i0"},
		{"OCW3 without ESMM keeps the mode", pcInit + "+3 a23 +5 21=08 20=68 20=28 i1"},
		{"special mask: EOI spares masked levels", pcInit + "+3 a23 21=08 20=68 +5 a25 20=20 20=0b 20?08"},
		{"poll takes the request", pcInit + "+3 20=0c 20?83 20=0b 20?08 i0"},
		{"poll by the second port", pcInit + "+3 20=0c 21?83 21?00"},
		{"poll without request", pcInit + "20=0c 20?00 20?00"},
		{"poll is one read", pcInit + "+3 20=0c 20?83 20?00"},
		{"poll keeps the register choice", pcInit + "20=0b +3 20=0e 20?83 20?08"},
		{"poll of the second chip", pcInit + "+10 20=0c 20?82 a0=0c a0?82 20=20 a0=20 i0"},
		{"register choice lasts", pcInit + "+3 20=0b 20?00 20=08 20?00 20=0a 20?08"},
		{"cascade", pcInit + "+10 i1 20?04 a0?04 a2a 20=0b 20?04 a0=0b a0?04 i0 a0=20 20=20 i0"},
		{"cascade priorities", pcInit + "+3 +10 a2a +1 i1 a21"},
		{"second request of the second chip", pcInit + "+10 a2a +9 i0 20=20 i1 a29 a0=20 20=20 a0=20 i0"},
		{"lower request of the second chip", pcInit + "+10 a2a +11 20=20 i0 a0=20 i1 a2b"},
		{"a request left behind an automatic EOI",
			"20=11 21=20 21=04 21=03 a0=11 a1=28 a1=02 a1=03 +10 +11 a2a i1 a2b i0"},
		{"special fully nested mode", "20=11 21=20 21=04 21=11 a0=11 a1=28 a1=02 a1=01 +11 a2b i0 +9 i1 a29"},
		{"masked cascade", pcInit + "21=04 +10 i0 21=00 i1 a2a"},
		{"level: asserted until lowered", pcInit + "4d1=04 +10 a2a a0=20 20=20 i1 a2a -10 a0=20 20=20 i0"},
		{"level on the first chip", pcInit + "4d0=20 +5 a25 20=20 i1 -5 i0"},
		{"level: withdrawn gives a spurious one", pcInit + "4d0=20 +5 -5 a27"},
		{"shared line", pcInit + "4d0=20 +5 ^5 a25 -5 20=20 i1 a25 v5 20=20 i0"},
		{"shared edge: one rise", pcInit + "+5 a25 20=20 ^5 i0 -5 i0 v5 +5 i1"},
		{"ELCR bits that can be written", "4d0=ff 4d0?f8 4d1=ff 4d1?de"},
		{"initialization forgets edges", pcInit + "+3 " + pcInit + "i0 -3 +3 a23"},
		{"initialization keeps levels", "4d0=20 " + pcInit + "+5 " + pcInit + "i1 a25"},
		{"initialization clears ISR and IMR", pcInit + "+3 a23 21=ff 20=0b 20=11 21=40 21=04 21=01 20?00 21?00 +5 a45"},
		{"ICW1 single: no ICW3", "20=13 21=40 21=01 +5 a45"},
		{"ICW1 without ICW4", "20=12 21=40 +5 a45 20=0b 20?20"},
		{"the vector base has no low bits", "20=13 21=47 21=01 +0 a40"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := newPC(t).run(c.script); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestINTRIsToldOnlyChanges(t *testing.T) {
	p := newPC(t)
	if err := p.run(pcInit + "+3 +4 a23 20=20 a24 20=20 -3 -4"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(p.changes); got != "[true false true false]" {
		t.Errorf("INTR went %v", got)
	}
}

func TestWordAccess(t *testing.T) {
	p := newPC(t)
	if err := p.run(pcInit + "+3"); err != nil {
		t.Fatal(err)
	}
	p.bus.Out(0x20, 2, 0x5A0A)
	if got := p.bus.In(0x20, 2); got != 0x5A08 {
		t.Errorf("read %#x, want IMR 5Ah and IRR 08h", got)
	}
}

func TestSaveRestore(t *testing.T) {
	a, b := newPC(t), newPC(t)
	if err := a.run(pcInit + "4d1=0c +10 ^10 21=02"); err != nil {
		t.Fatal(err)
	}
	b.Restore(a.Save())
	if err := b.run("i1 a2a -10 a0=20 20=20 i1 v10 i0 21?02"); err != nil {
		t.Error(err)
	}
	b.Reset()
	if err := b.run("i0 21?00 4d1?00 +3 i0"); err != nil {
		t.Error(err)
	}
}

func TestLineRefuses(t *testing.T) {
	for _, n := range []int{-1, 2, 16} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Line(%d) gave a line", n)
				}
			}()
			New(nil).Line(n)
		}()
	}
}

// FuzzPorts plays bytes as port accesses, line changes and acknowledges, and
// holds what is true of the chips whatever is written to them.
func FuzzPorts(f *testing.F) {
	f.Add([]byte("\x00\x11\x01\x20\x01\x04\x01\x01\x80\x03\xC0\x00\x00\x20"))
	f.Add([]byte("\x00\x13\x01\x40\x01\x03\x83\x01\x00\x0c\x40\x00\xC0\x00"))
	f.Add([]byte("\x02\x11\x03\x28\x03\x02\x03\x11\x8a\x01\x05\xff\x00\x68"))
	ports := [6]uint16{0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1}
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newPC(t)
		level := false
		for ; len(in) >= 2; in = in[2:] {
			op, v := in[0], in[1]
			switch op >> 6 {
			case 0:
				p.bus.Out(ports[op%6], 1, uint32(v))
			case 1:
				p.bus.In(ports[op%6], 1)
			case 2:
				if n := op & 15; n != cascade {
					p.lines[v>>1&1][n].Set(v&1 != 0)
				}
			case 3:
				want := p.INTR()
				before := p.s.Chips[0].ISR
				p.Ack()
				if !want && p.s.Chips[0].ISR != before {
					t.Fatal("an acknowledge without request changed ISR")
				}
			}
			for i := range p.s.Chips {
				c := &p.s.Chips[i]
				if c.Lowest > 7 || c.Edges&^c.Lines != 0 || c.Expect == 1 || c.Expect > 4 {
					t.Fatalf("impossible state %+v", *c)
				}
			}
			if p.INTR() != p.s.Chips[0].out() {
				t.Fatal("INTR is stale")
			}
			for _, x := range p.changes {
				if x == level {
					t.Fatal("told twice of the same level")
				}
				level = x
			}
			p.changes = p.changes[:0]
		}
	})
}
