package uart

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"alpinevm/devices"
)

// pc is a UART at 3F8h whose line ends in buffers.
type pc struct {
	*UART
	clock  devices.ManualClock
	timed  *devices.Scheduler
	bus    devices.Bus
	level  bool
	sent   []byte
	refuse bool // the host takes no bytes
	rooms  int
	feed   []byte // offered again whenever Room is called
}

// Set implements devices.IRQ.
func (p *pc) Set(level bool) { p.level = level }

func newPC(t testing.TB) *pc {
	p := &pc{}
	p.timed = devices.NewScheduler(&p.clock)
	p.UART = New(p.timed, p, Config{
		Transmit: func(b byte) bool {
			if !p.refuse {
				p.sent = append(p.sent, b)
			}
			return !p.refuse
		},
		Room: func() {
			p.rooms++
			p.feed = p.feed[p.Receive(p.feed):]
		},
	})
	if err := p.bus.Claim(0x3F8, 8, "com1", p.Ports()); err != nil {
		t.Fatal(err)
	}
	return p
}

// run executes a script and reports its first step that fails:
//
//	4=0b     write 0Bh to register 4    5?60    register 5 reads 60h
//	<abc,3   offer abc, 3 are accepted  >abc    abc was sent, and forget it
//	t87us    time passes                i1 i0   the level of the interrupt
//	break    a break is received        room1   Room was called once
//	stop go  the host refuses bytes, takes them again
func (p *pc) run(script string) error {
	for k, step := range strings.Fields(script) {
		var reg uint16
		var v, n int
		bad := func(got any) error { return fmt.Errorf("step %d %q: %v", k, step, got) }
		switch {
		case scan(step, "%d=%x", &reg, &v):
			p.bus.Out(0x3F8+reg, 1, uint32(v))
		case scan(step, "%d?%x", &reg, &v):
			if got := p.bus.In(0x3F8+reg, 1); got != uint32(v) {
				return bad(fmt.Sprintf("read %#x", got))
			}
		case step == "i0" || step == "i1":
			if p.level != (step == "i1") {
				return bad(p.level)
			}
		case step == "break":
			if !p.Break() {
				return bad("not accepted")
			}
		case step == "stop":
			p.refuse = true
		case step == "go":
			p.refuse = false
			p.Ready()
		case scan(step, "room%d", &n):
			if p.rooms != n {
				return bad(p.rooms)
			}
		case step[0] == 't':
			d, err := time.ParseDuration(step[1:])
			if err != nil {
				return err
			}
			p.clock.MoveThrough(p.timed, p.clock.Now()+d)
		case step[0] == '<':
			text, count, _ := strings.Cut(step[1:], ",")
			if got := p.Receive([]byte(text)); fmt.Sprint(got) != count {
				return bad(fmt.Sprintf("accepted %d", got))
			}
		case step[0] == '>':
			if string(p.sent) != step[1:] {
				return bad(fmt.Sprintf("sent %q", p.sent))
			}
			p.sent = nil
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

func TestUART(t *testing.T) {
	// open is what a driver sets up: 8n1, DTR, RTS and OUT2.
	const open = "3=03 4=0b "
	const full = "<0123456789abcdefgh,16 "
	for _, c := range []struct{ name, script string }{
		{"after reset", "1?00 2?01 3?00 4?00 5?60 6?b0 7?00 i0"},
		{"unused bits", "1=ff 1?0f 4=ff 4?1f 7=a5 7?a5 5=00 5?60"},
		{"divisor", "3=80 0?01 1?00 0=0c 1=01 0?0c 1?01 3=03 0?00 1?00 3=80 0?0c 1?01"},
		{"send", "0=41 >A 0=42 0=43 >BC 5?60"},
		{"receive", "<A,1 5?61 0?41 5?60 0?41"},
		{"receive one without FIFO", "<AB,1 5?61 0?41 room1"},
		{"FIFO is identified", "2=01 2?c1 2=00 2?01 2=c0 2?01"},
		{"FIFO order", "2=01 " + full + "5?61 0?30 0?31 0?32 <x,1 5?61 room0"},
		{"FIFO reset", "2=01 <abc,3 2=03 5?60 0?61"},
		{"FIFO reset asks for more", "2=01 " + full + "2=03 room1"},
		{"FIFO change clears", "2=01 <abc,3 2=00 5?60 <x,1 2=01 5?60"},
		{"room after a full FIFO", "2=01 " + full + "0?30 0?31 0?32 0?33 0?34 0?35 0?36 0?37 0?38 0?39 0?61 0?62 0?63 0?64 0?65 room0 0?66 room1"},
		// Interrupts.
		{"received data", open + "1=01 i0 <A,1 i1 2?04 0?41 i0 2?01"},
		{"OUT2 gates", "1=01 <A,1 i0 4=08 i1 4=00 i0"},
		{"trigger 1", open + "2=01 1=01 <A,1 i1 2?c4"},
		{"trigger 4", open + "2=41 1=01 <ABC,3 i0 <D,1 i1 2?c4 0?41 i0 2?c1"},
		{"trigger 8", open + "2=81 1=01 <ABCDEFG,7 i0 <H,1 i1"},
		{"trigger 14", open + "2=c1 1=01 <0123456789abc,13 i0 <d,1 i1"},
		{"timeout after four characters", open + "2=c1 1=01 <A,1 t347us i0 t1us i1 2?cc 2?cc 0?41 i0 2?c1"},
		{"timeout with two stop bits and parity", "3=0f 4=08 2=c1 1=01 <A,1 t416us i0 t1us i1"},
		{"timeout of 5 bits at 9600 baud", "3=80 0=0c 3=00 4=08 2=c1 1=01 <A,1 t2916us i0 t1us i1"},
		{"timeout starts again with a byte", open + "2=c1 1=01 <A,1 t300us <B,1 t300us i0 t48us i1"},
		{"timeout starts again with a read", open + "2=c1 1=01 <AB,2 t300us 0?41 t300us i0 t48us i1"},
		{"no timeout without FIFO or bytes", open + "2=c1 1=01 <A,1 0?41 t1s i0 2?c1"},
		{"timeout is below received data", open + "2=41 1=01 <A,1 t1ms 2?cc <BCD,3 2?c4"},
		{"empty transmitter", open + "i0 1=02 i1 2?02 2?01 i0"},
		{"empty again after a byte", open + "1=02 2?02 0=41 i1 2?02 i0"},
		{"a read of IIR for another reason keeps it", open + "1=07 <A,1 2?04 2?04 0?41 2?02 2?01"},
		{"enabling raises it again", open + "1=02 2?02 1=02 i0 1=00 1=02 i1"},
		{"back-pressure", open + "stop 0=41 5?00 0=42 i0 1=02 i0 go i1 5?60 >A"},
		{"back-pressure with FIFO", open + "2=01 1=02 2?c2 stop 0=41 0=42 i0 5?00 2?c1 go 5?60 2?c2 >AB"},
		{"transmit FIFO holds 16", "2=01 stop 0=30 0=31 0=32 0=33 0=34 0=35 0=36 0=37 0=38 0=39 0=61 0=62 0=63 0=64 0=65 0=66 0=67 go >0123456789abcdef"},
		{"transmit FIFO reset", "2=01 stop 0=30 2=05 5?60 go >"},
		{"priorities", open + "1=0f 2?02 0=41 break 4=10 4=0b i1 2?06 5?71 2?04 0?00 2?02 2?00 6?bb 2?01 i0"},
		// Line status.
		{"break", open + "1=04 break i1 2?06 5?71 i0 5?61 0?00 5?60"},
		{"errors belong to their byte", "2=01 <A,1 break <B,1 5?e1 0?41 5?f1 5?61 0?00 5?61 0?42 5?60"},
		{"a read of the byte drops its error", open + "1=04 break i1 0?00 i0 5?60"},
		{"break without room", "<A,1 1=04 5?61 <B,0"},
		// Modem and loopback.
		{"loopback data", open + "4=1b 0=41 5?61 0?41 >"},
		{"loopback modem lines", "4=10 6?0b 4=11 6?22 4=12 6?13 4=14 6?41 4=18 6?8c 4=1f 6?f3 4=10 6?0f"},
		{"leaving loopback", "4=10 6?0b 4=00 6?bb 6?b0"},
		{"modem interrupt", "1=08 4=18 2?00 i0 4=08 i1 2?00 6?b3 i0 2?01"},
		{"loopback is not interrupted", open + "4=1b 1=01 0=41 2?04 i0 4=0b i1"},
		{"loopback overrun", "4=10 0=41 0=42 5?63 5?61 0?42 5?60"},
		{"loopback overrun of the FIFO", "4=10 2=01 0=30 0=31 0=32 0=33 0=34 0=35 0=36 0=37 0=38 0=39 0=61 0=62 0=63 0=64 0=65 0=66 5?61 0=67 5?63 0?30 0?31"},
		{"overrun interrupt", "4=18 1=04 0=41 0=42 2?06 5?63 2?01"},
		{"loopback shuts the line out", "4=10 <A,0 room0 4=00 room1"},
		{"waiting bytes go round", "stop 0=41 4=10 5?61 0?41 go >"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := newPC(t).run(c.script); err != nil {
				t.Error(err)
			}
		})
	}
}

// What the host offers reaches the guest whole and in order, however it reads.
func TestReceiveStream(t *testing.T) {
	p := newPC(t)
	var want []byte
	for i := range 1000 {
		want = append(want, byte(i))
	}
	p.feed = want
	if err := p.run("2=01"); err != nil {
		t.Fatal(err)
	}
	p.feed = p.feed[p.Receive(p.feed):]
	var got []byte
	for p.bus.In(0x3FD, 1)&lsrDR != 0 {
		got = append(got, byte(p.bus.In(0x3F8, 1)))
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes of %d", len(got), len(want))
	}
}

func TestSaveRestoreReset(t *testing.T) {
	a, b := newPC(t), newPC(t)
	if err := a.run("3=03 4=0b 7=5a 2=c1 1=03 <AB,2 t300us stop 0=43"); err != nil {
		t.Fatal(err)
	}
	b.clock.Move(a.clock.Now())
	b.Restore(a.Save())
	if err := b.run("i0 t47us i0 t1us i1 2?cc 0?41 0?42 i0 go i1 >C"); err != nil {
		t.Error(err)
	}
	if err := b.run("<0123456789abcdefgh,16"); err != nil {
		t.Error(err)
	}
	b.Reset()
	if err := b.run("i0 1?00 2?01 3?00 4?00 5?60 7?5a room1 t1s i0"); err != nil {
		t.Error(err)
	}
}

// FuzzPorts plays bytes as port accesses, input and pauses, and holds what is
// true of a UART whatever the guest does.
func FuzzPorts(f *testing.F) {
	f.Add([]byte("\x03\x03\x04\x0b\x02\xc1\x01\x0f\x10\x05\x13\xff\x0a\x00\x08\x00"))
	f.Add([]byte("\x04\x18\x00\x41\x00\x42\x0d\x00\x01\x04\x02\x01\x11\x00\x12\x00"))
	f.Add([]byte("\x12\x00\x00\x41\x12\x01\x10\x40\x02\x03\x10\x01\x08\x00\x08\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newPC(t)
		for ; len(in) >= 2; in = in[2:] {
			op, v := in[0]%0x14, in[1]
			switch {
			case op < 8:
				p.bus.Out(0x3F8+uint16(op), 1, uint32(v))
			case op < 16:
				p.bus.In(0x3F0+uint16(op), 1)
			case op == 16:
				p.Receive(bytes.Repeat([]byte{v}, int(v%20)))
			case op == 17:
				p.Break()
			case op == 18:
				p.refuse = v&1 == 0
				p.Ready()
			default:
				p.clock.MoveThrough(p.timed, p.clock.Now()+time.Duration(v)*10*time.Microsecond)
			}
			s := p.Save()
			if s.RXCount > p.depth() || s.TXCount > p.depth() {
				t.Fatalf("more bytes than fit: %+v", s)
			}
			if s.TXCount > 0 && (!p.refuse || s.MCR&mcrLoop != 0) {
				t.Fatalf("bytes wait for nobody: %+v", s)
			}
			if s.Starved && s.RXCount == 0 && s.MCR&mcrLoop == 0 {
				t.Fatalf("the host waits for Room: %+v", s)
			}
			if want := p.source() != iirNone && s.MCR&(mcrOUT2|mcrLoop) == mcrOUT2; p.level != want {
				t.Fatalf("interrupt is %v: %+v", p.level, s)
			}
		}
	})
}
