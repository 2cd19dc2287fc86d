package devices

import (
	"math"
	"math/bits"
	"time"
)

// Rate is the frequency of an oscillator as an exact fraction: Num cycles in
// Den seconds. Den is not 0.
type Rate struct{ Num, Den uint64 }

// Ticks tells how many whole cycles have passed by the time t, counted from
// time 0; none before that.
func (r Rate) Ticks(t time.Duration) uint64 {
	if t <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(t), r.Num)
	den := r.Den * uint64(time.Second)
	if hi >= den {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, den)
	return q
}

// Time tells when the given number of cycles is complete: the earliest t for
// which Ticks(t) is ticks or more. A time too far for a Duration comes out as
// the largest one.
func (r Rate) Time(ticks uint64) time.Duration {
	hi, lo := bits.Mul64(ticks, r.Den*uint64(time.Second))
	if hi >= r.Num {
		return math.MaxInt64
	}
	q, rem := bits.Div64(hi, lo, r.Num)
	if rem != 0 {
		q++
	}
	if q > math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(q)
}
