package rtc

import (
	"math/bits"
	"time"
)

const (
	day  = 24 * 60 * 60
	hour = 60 * 60
)

// shown gives the registers with the calendar written into them, in the format
// that register B selects.
func (r *RTC) shown() [128]uint8 {
	ram := r.s.RAM
	t := time.Unix(r.s.Seconds, 0).UTC()
	days := int64(t.Weekday()) + r.s.Weekday
	ram[regSeconds] = r.encode(t.Second())
	ram[regMinutes] = r.encode(t.Minute())
	ram[regHours] = r.encodeHour(t.Hour())
	ram[regWeekday] = r.encode(int(days%7) + 1)
	ram[regDay] = r.encode(t.Day())
	ram[regMonth] = r.encode(int(t.Month()))
	ram[regYear] = r.encode(t.Year() % 100)
	ram[regCentury] = r.encode(t.Year() / 100 % 100)
	return ram
}

// adopt takes over the calendar that stands in the registers. What is no date
// (February 30) becomes the one that it would be by counting on.
func (r *RTC) adopt() {
	ram := &r.s.RAM
	year := r.decode(ram[regCentury])*100 + r.decode(ram[regYear])
	t := time.Date(year, time.Month(r.decode(ram[regMonth])), r.decode(ram[regDay]),
		r.decodeHour(ram[regHours]), r.decode(ram[regMinutes]), r.decode(ram[regSeconds]), 0, time.UTC)
	r.s.Seconds = t.Unix()
	ahead := r.decode(ram[regWeekday]) - 1 - int(t.Weekday())
	r.s.Weekday = int64((ahead%7 + 7) % 7)
}

// encode gives a number below 100 as register B wants it.
func (r *RTC) encode(v int) uint8 {
	if r.s.RAM[regB]&bBinary != 0 {
		return uint8(v)
	}
	return uint8(v/10<<4 | v%10)
}

// decode is the inverse of encode; a digit above 9 counts as what it is.
func (r *RTC) decode(v uint8) int {
	if r.s.RAM[regB]&bBinary != 0 {
		return int(v)
	}
	return int(v>>4)*10 + int(v&15)
}

// encodeHour encodes an hour of 0 to 23; of 12 hours, bit 7 is set after noon.
func (r *RTC) encodeHour(h int) uint8 {
	if r.s.RAM[regB]&b24 != 0 {
		return r.encode(h)
	}
	v := r.encode((h+11)%12 + 1)
	if h >= 12 {
		v |= 1 << 7
	}
	return v
}

// decodeHour is the inverse of encodeHour.
func (r *RTC) decodeHour(v uint8) int {
	if r.s.RAM[regB]&b24 != 0 {
		return r.decode(v)
	}
	h := r.decode(v&0x7F) % 12
	if v&(1<<7) != 0 {
		h += 12
	}
	return h
}

// alarm tells in how many seconds, from the present one on and at least one,
// the time matches the alarm; ok is false if it never does.
func (r *RTC) alarm() (seconds int64, ok bool) {
	hours := r.matches(regHoursAlarm, 24, r.encodeHour)
	minutes := r.matches(regMinutesAlarm, 60, r.encode)
	secs := r.matches(regSecondsAlarm, 60, r.encode)
	if hours == 0 || minutes == 0 || secs == 0 {
		return 0, false
	}
	now := (r.s.Seconds%day + day) % day
	from := (now + 1) % day
	h, m, s := int(from/hour), int(from%hour/60), int(from%60)
	if hours.from(h) != h || minutes.from(m) != m || secs.from(s) < 0 {
		// Not in this minute: the first second of a later one.
		s = secs.from(0)
		if m++; hours.from(h) != h || minutes.from(m) < 0 {
			m = 0
			if h++; hours.from(h) < 0 {
				h = 0
			}
		}
	}
	at := int64(hours.from(h))*hour + int64(minutes.from(m))*60 + int64(secs.from(s))
	return (at-from+day)%day + 1, true
}

// numbers is a set of numbers below 60.
type numbers uint64

// from is the least of them that is n or more, negative if there is none.
func (s numbers) from(n int) int {
	if s >>= n; s != 0 {
		return n + bits.TrailingZeros64(uint64(s))
	}
	return -1
}

// matches are the numbers below n that an alarm register stands for. Its two
// highest bits set mean all (MC146818A, "Time, Calendar, and Alarm Locations").
func (r *RTC) matches(reg uint8, n int, encode func(int) uint8) numbers {
	want := r.s.RAM[reg]
	if want >= 0xC0 {
		return 1<<n - 1
	}
	var s numbers
	for v := range n {
		if encode(v) == want {
			s |= 1 << v
		}
	}
	return s
}

// memorySizes gives a CMOS RAM that describes n bytes of memory (the fields
// are those of the PC/AT, and of Bochs and QEMU above 16 MiB).
func memorySizes(n uint64) [128]uint8 {
	var ram [128]uint8
	word := func(at int, v uint64) {
		v = min(v, 0xFFFF)
		ram[at], ram[at+1] = uint8(v), uint8(v>>8)
	}
	above := func(base, unit uint64) uint64 {
		if n <= base {
			return 0
		}
		return (n - base) / unit
	}
	ram[0x14] = 1 << 1                // equipment: a coprocessor
	word(0x15, min(n, 640<<10)>>10)   // base memory in KiB
	word(0x17, above(1<<20, 1<<10))   // KiB above 1 MiB
	word(0x30, above(1<<20, 1<<10))   // the same
	word(0x34, above(16<<20, 64<<10)) // 64 KiB above 16 MiB
	word(0x5B, above(4<<30, 64<<10))  // 64 KiB above 4 GiB, 24 bits
	var sum uint16
	for _, b := range ram[0x10:0x2E] {
		sum += uint16(b)
	}
	ram[0x2E], ram[0x2F] = uint8(sum>>8), uint8(sum)
	return ram
}
