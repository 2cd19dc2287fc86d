package rtc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"alpinevm/devices"
)

// pc is an RTC on its usual ports with 512 MiB of RAM.
type pc struct {
	*RTC
	clock devices.ManualClock
	timed *devices.Scheduler
	bus   devices.Bus
	level bool
	rises []time.Duration
}

// Set implements devices.IRQ.
func (p *pc) Set(level bool) {
	if level && !p.level {
		p.rises = append(p.rises, p.clock.Now())
	}
	p.level = level
}

func newPC(t testing.TB, start string) *pc {
	at, err := time.Parse("2006-01-02 15:04:05", start)
	if err != nil {
		t.Fatal(err)
	}
	p := &pc{}
	p.timed = devices.NewScheduler(&p.clock)
	p.RTC = New(p.timed, p, Config{Start: at, Memory: 512 << 20})
	if err := p.bus.Claim(0x70, 2, "rtc", p.Ports()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pc) cmos(reg uint8) uint8 {
	p.bus.Out(0x70, 1, uint32(reg))
	return uint8(p.bus.In(0x71, 1))
}

// run executes a script and reports its first step that fails:
//
//	0b=12   write 12h to register 0Bh   0c?90  register 0Ch reads 90h
//	t5s     5 seconds pass              i1 i0  the level of IRQ 8
//	@2026-11-22,01:02:03,1  year, date, time and weekday as BCD and 24 hours
//	r5s,6s  IRQ 8 rose at these times, and forget them; r- for none
func (p *pc) run(script string) error {
	for k, step := range strings.Fields(script) {
		var reg, v int
		bad := func(got any) error { return fmt.Errorf("step %d %q: %v", k, step, got) }
		switch {
		case scan(step, "%x=%x", &reg, &v):
			p.bus.Out(0x70, 1, uint32(reg))
			p.bus.Out(0x71, 1, uint32(v))
		case scan(step, "%x?%x", &reg, &v):
			if got := p.cmos(uint8(reg)); int(got) != v {
				return bad(fmt.Sprintf("read %#x", got))
			}
		case step == "i0" || step == "i1":
			if p.level != (step == "i1") {
				return bad(p.level)
			}
		case step[0] == 't':
			d, err := time.ParseDuration(step[1:])
			if err != nil {
				return err
			}
			p.clock.MoveThrough(p.timed, p.clock.Now()+d)
		case step[0] == '@':
			got := fmt.Sprintf("%02x%02x-%02x-%02x,%02x:%02x:%02x,%x", p.cmos(0x32), p.cmos(9), p.cmos(8),
				p.cmos(7), p.cmos(4), p.cmos(2), p.cmos(0), p.cmos(6))
			if got != step[1:] {
				return bad(got)
			}
		case step[0] == 'r':
			var got []string
			for _, at := range p.rises {
				got = append(got, at.String())
			}
			if want := strings.Trim(step[1:], "-"); strings.Join(got, ",") != want {
				return bad(got)
			}
			p.rises = nil
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

func TestRTC(t *testing.T) {
	const start = "2026-11-22 13:58:07" // a Sunday
	for _, c := range []struct{ name, script string }{
		{"start", "@2026-11-22,13:58:07,1 0a?26 0b?02 0c?00 0d?80"},
		{"one second", "t999ms @2026-11-22,13:58:07,1 t1ms @2026-11-22,13:58:08,1"},
		{"carry through all fields", "t2s t56m t8h @2026-11-22,22:54:09,1 t72h @2026-11-25,22:54:09,4"},
		{"new year", "t960h @2027-01-01,13:58:07,6"},
		{"next century", "0b=82 32=20 09=99 08=12 07=31 04=23 02=59 00=59 06=5 0b=02 t1s @2100-01-01,00:00:00,6"},
		{"leap day", "0b=82 09=28 08=02 07=28 06=2 0b=02 t24h @2028-02-29,13:58:07,3 t24h @2028-03-01,13:58:07,4"},
		{"binary", "0b=06 04?0d 02?3a 00?07 09?1a 32?14 07?16"},
		{"12 hours", "0b=00 04?81 t11h 04?12 t12h 04?92 t1h 04?81 t20h 04?09"},
		{"12 hours, binary", "0b=04 04?81 t23h 04?8c t12h 04?0c"},
		{"setting 12 hours", "0b=80 04=92 0b=00 0b=02 04?12 0b=80 04=12 0b=00 0b=02 04?00 0b=80 04=87 0b=00 0b=02 04?19"},
		{"SET stops the updates", "0a=20 0b=82 t5s @2026-11-22,13:58:07,1 0c?00 0b=02 t1s @2026-11-22,13:58:08,1"},
		{"SET keeps the phase", "t300ms 0b=82 00=30 t500ms 0b=02 t199ms 00?30 t1ms 00?31"},
		{"write without SET", "02=15 t1s @2026-11-22,13:15:08,1"},
		{"weekday is a counter of its own", "06=5 @2026-11-22,13:58:07,5 t96h @2026-11-26,13:58:07,2"},
		{"a date that is none", "0b=82 08=02 07=31 0b=02 @2026-03-03,13:58:07,1"},
		{"divider reset stops", "0a=76 t5s 00?07 0a=26 t499ms 00?07 t1ms 00?08 t999ms 00?08 t1ms 00?09"},
		{"another crystal stands still", "0a=06 t5s 00?07 0a?06"},
		{"as Linux sets it", "t300ms 0b=82 0a=76 00=50 02=59 04=23 07=31 08=12 09=26 0b=02 0a=26 " +
			"t499ms @2026-12-31,23:59:50,1 t1ms @2026-12-31,23:59:51,1"},
		{"UIP", "t997ms 0a?26 t771us 0a?26 t1us 0a?a6 t2227us 0a?a6 00?07 t1us 0a?26 00?08"},
		{"no UIP while SET", "0b=82 t998ms 0a?26 t1ms 0a?26"},
		{"no UIP without divider", "0a=66 t998ms 0a?66"},
		{"UF without its interrupt", "0a=20 t999ms 0c?00 t1ms 0c?10 0c?00 i0 t5s 0c?10 r-"},
		{"update interrupt", "0a=20 0b=12 t999ms i0 t1ms i1 t3s 0c?90 i0 0c?00 t1s i1 0c?90 r1s,5s"},
		{"enable after the flag", "0a=20 t1s i0 0b=12 i1 0b=02 i0 0b=12 0c?90 r1s,1s"},
		{"SET clears UIE", "0b=92 0b?82 0b=02 t2s i0"},
		{"alarm", "0a=20 0b=22 05=13 03=58 01=10 t2999ms i0 t1ms i1 0c?b0 r3s t24h r24h0m3s"},
		{"alarm every hour", "0a=20 0b=22 05=c0 03=00 01=00 t113s r1m53s 0c?b0 t1h r1h1m53s"},
		{"alarm every minute", "0a=20 0b=22 05=ff 03=ff 01=30 t23s 0c?b0 t60s 0c?b0 r23s,1m23s"},
		{"alarm every second", "0a=20 0b=22 05=c0 03=c0 01=c0 t1s 0c?b0 t1s 0c?b0 r1s,2s"},
		{"alarm for now is tomorrow's", "0b=22 05=13 03=58 01=07 t23h i0 t1h i1"},
		{"alarm of no time", "0b=22 05=13 03=60 01=00 t48h r-"},
		{"alarm in 12 hours", "0a=20 0b=20 05=82 03=00 01=00 t1m53s r1m53s 0c?b0 0b=20 05=02 t12h r12h1m53s"},
		{"alarm in binary", "0b=26 05=0d 03=3a 01=3b t52s r52s"},
		{"alarm flag alone", "0a=20 05=13 03=58 01=10 t3s 0c?30 r-"},
		{"alarm across a long sleep", "0a=20 05=13 03=58 01=06 t23h 0c?10 t1h 0c?30"},
		{"periodic 2 Hz", "0a=2f 0b=42 t2s r500ms 0c?d0 t500ms r2.5s"},
		{"periodic 8192 Hz", "0a=23 0b=42 t1ms r122.071µs 0c?c0 t1ms r1.098633ms"},
		{"periodic 256 Hz", "0a=21 0b=42 t1s r3.90625ms"},
		{"periodic 128 Hz", "0a=22 0b=42 t1s r7.8125ms"},
		{"periodic 1024 Hz", "0b=42 t1s r976.563µs"},
		{"no periodic rate", "0a=20 0b=42 t2s r- 0c?10"},
		{"periodic flag alone", "0a=2f t499ms 0c?00 t1ms 0c?40 0c?00"},
		{"periodic goes on during SET", "0a=2f 0b=c2 t500ms r500ms 0c?c0"},
		{"no periodic without divider", "0a=7f 0b=42 t5s r-"},
		{"NVRAM", "0e=aa 0e?aa 33=55 33?55 7f=77 7f?77 01=12 01?12"},
		{"C and D are read only", "0c=ff 0c?00 0d=00 0d?80"},
		{"UIP is read only", "0a=a6 0a?26"},
		{"NMI mask in the index", "80=30 80?30 00?30"},
		{"memory sizes", "14?02 15?80 16?02 17?ff 18?ff 30?ff 31?ff 34?00 35?1f 5b?00 5c?00 5d?00"},
		{"checksum", "2e?02 2f?82"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := newPC(t, start).run(c.script); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestIndexCannotBeRead(t *testing.T) {
	p := newPC(t, "2026-01-01 00:00:00")
	p.bus.Out(0x70, 1, 0x0F)
	if got := p.bus.In(0x70, 1); got != 0xFF {
		t.Errorf("read %#x", got)
	}
}

// The clock starts in the middle of a second if Start lies there.
func TestFractionOfStart(t *testing.T) {
	p := &pc{}
	p.timed = devices.NewScheduler(&p.clock)
	p.RTC = New(p.timed, p, Config{Start: time.Date(2026, 1, 2, 3, 4, 5, 700e6, time.FixedZone("", 3600))})
	if err := p.bus.Claim(0x70, 2, "rtc", p.Ports()); err != nil {
		t.Fatal(err)
	}
	if err := p.run("@2026-01-02,02:04:05,6 t299ms 00?05 t1ms 00?06"); err != nil {
		t.Error(err)
	}
}

func TestMemorySizes(t *testing.T) {
	for _, c := range []struct {
		bytes                uint64
		base, ext, above16Mi uint16
	}{
		{512 << 10, 512, 0, 0}, {1 << 20, 640, 0, 0}, {16 << 20, 640, 15 << 10, 0},
		{32 << 20, 640, 31 << 10, 256}, {64 << 20, 640, 63 << 10, 768}, {3 << 30, 640, 0xFFFF, 0xBF00},
	} {
		m := memorySizes(c.bytes)
		word := func(at int) uint16 { return uint16(m[at]) | uint16(m[at+1])<<8 }
		if word(0x15) != c.base || word(0x17) != c.ext || word(0x30) != c.ext || word(0x34) != c.above16Mi {
			t.Errorf("%d MiB: base %d, extended %d and %d, above 16 MiB %d", c.bytes>>20,
				word(0x15), word(0x17), word(0x30), word(0x34))
		}
	}
}

func TestSaveRestoreReset(t *testing.T) {
	a, b := newPC(t, "2026-11-22 13:58:07"), newPC(t, "1999-01-01 00:00:00")
	if err := a.run("0a=20 0b=12 33=55 02=30 t1500ms"); err != nil {
		t.Fatal(err)
	}
	b.clock.Move(a.clock.Now())
	b.Restore(a.Save())
	if err := b.run("i1 0c?90 t500ms i1 33?55 @2026-11-22,13:30:09,1 b3=99"); err != nil {
		t.Error(err)
	}
	b.Reset()
	if err := b.run("i0 0b?02 0c?00 33?99 t1s i0 @2026-11-22,13:30:10,1"); err != nil {
		t.Error(err)
	}
}

// FuzzPorts plays bytes as register accesses and pauses on two clocks, one of
// which is also looked at in between: looking must not change anything.
func FuzzPorts(f *testing.F) {
	f.Add([]byte("\x0b\x12\x80\x64\x8c\x00\x0a\x2f\x0b\x42\x81\xff"))
	f.Add([]byte("\x0b\x80\x09\x99\x32\x20\x08\x12\x07\x31\x0b\x00\x83\x10"))
	f.Add([]byte("\x01\xc0\x03\xff\x05\x13\x0b\x22\x82\xff\x8c\x00\x0a\x76\x0a\x26"))
	f.Fuzz(func(t *testing.T, in []byte) {
		const start = "2026-11-22 13:58:07"
		lazy, eager := newPC(t, start), newPC(t, start)
		if len(in) > 1000 {
			in = in[:1000]
		}
		for ; len(in) >= 2; in = in[2:] {
			op, v := in[0], in[1]
			switch {
			case op < 0x80:
				for _, p := range []*pc{lazy, eager} {
					p.bus.Out(0x70, 1, uint32(op))
					p.bus.Out(0x71, 1, uint32(v))
				}
			case op&0x70 != 0:
				if a, b := lazy.cmos(op), eager.cmos(op); a != b {
					t.Fatalf("register %#x: %#x after a jump, %#x if looked at before", op&0x7F, a, b)
				}
			default:
				d := time.Duration(v) * 7 * time.Microsecond << (op & 15)
				to := lazy.clock.Now() + d
				lazy.clock.MoveThrough(lazy.timed, to)
				for k := time.Duration(1); k <= 9; k++ {
					eager.clock.MoveThrough(eager.timed, to-d+d*k/9)
					eager.sync()
				}
			}
			if at, ok := lazy.timed.Next(); ok && at <= lazy.clock.Now() {
				t.Fatalf("a timer is due at %v, now is %v", at, lazy.clock.Now())
			}
		}
		lazy.sync()
		eager.sync()
		if lazy.Save() != eager.Save() || lazy.level != eager.level {
			t.Fatalf("state after jumps:\n%+v\nlooked at:\n%+v", lazy.Save(), eager.Save())
		}
		if fmt.Sprint(lazy.rises) != fmt.Sprint(eager.rises) {
			t.Fatalf("IRQ 8 rose at %v, looked at %v", lazy.rises, eager.rises)
		}
	})
}
