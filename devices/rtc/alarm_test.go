package rtc

import (
	"math/rand"
	"testing"
)

// slowAlarm looks at each second of a day.
func (r *RTC) slowAlarm() (seconds int64, ok bool) {
	match := func(reg uint8, v int, encode func(int) uint8) bool {
		return r.s.RAM[reg] >= 0xC0 || r.s.RAM[reg] == encode(v)
	}
	for d := int64(1); d <= day; d++ {
		tod := int((r.s.Seconds%day + day + d) % day)
		if match(regHoursAlarm, tod/hour, r.encodeHour) && match(regMinutesAlarm, tod%hour/60, r.encode) && match(regSecondsAlarm, tod%60, r.encode) {
			return d, true
		}
	}
	return 0, false
}

// TestAlarm compares the alarm with a search through all seconds of a day.
func TestAlarm(t *testing.T) {
	p := newPC(t, "2026-11-22 00:00:00")
	rnd := rand.New(rand.NewSource(1))
	register := func(now int, encode func(int) uint8) uint8 {
		switch rnd.Intn(6) {
		case 0:
			return 0xFF
		case 1:
			return uint8(rnd.Intn(256))
		case 2, 3:
			return encode(rnd.Intn(24))
		}
		return encode((now + rnd.Intn(3)) % 60 % 24) // soon
	}
	for range 2000 {
		p.s.RAM[regB] = [...]uint8{0, b24, bBinary, bBinary | b24}[rnd.Intn(4)]
		p.s.Seconds = rnd.Int63n(3*day) - day
		tod := int((p.s.Seconds%day + day) % day)
		p.s.RAM[regHoursAlarm] = register(tod/hour, p.encodeHour)
		p.s.RAM[regMinutesAlarm] = register(tod%hour/60, p.encode)
		p.s.RAM[regSecondsAlarm] = register(tod%60, p.encode)
		want, wantOK := p.slowAlarm()
		if got, ok := p.alarm(); got != want || ok != wantOK {
			t.Fatalf("at %d with % x and mode %x: in %d seconds, %t; want %d, %t", tod, p.s.RAM[:6], p.s.RAM[regB], got, ok, want, wantOK)
		}
	}
}
