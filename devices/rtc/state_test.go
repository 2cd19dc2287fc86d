package rtc

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"alpinevm/internal/statetest"
)

// Step is part of statetest.Rig.
func (p *pc) Step(rnd *rand.Rand) string {
	reg := uint8(rnd.Intn(16))
	if rnd.Intn(8) == 0 {
		reg = uint8(rnd.Intn(256))
	}
	var v uint8
	p.rises = nil
	switch rnd.Intn(4) {
	case 0, 1:
		p.bus.Out(0x70, 1, uint32(reg))
		p.bus.Out(0x71, 1, uint32(rnd.Intn(256)))
	case 2:
		v = p.cmos(reg)
	default:
		p.clock.MoveThrough(p.timed, p.clock.Now()+time.Duration(rnd.Intn(1<<rnd.Intn(33))))
	}
	return fmt.Sprintf("register %x gives %x, IRQ %t rose %v, timers %v", reg, v, p.level, p.rises, p.timed.Armed())
}

// Fork is part of statetest.Rig.
func (p *pc) Fork(tb testing.TB) statetest.Rig {
	q := newPC(tb, "2001-02-03 04:05:06")
	q.clock.Move(p.clock.Now())
	statetest.Move(tb, q.RTC, p.RTC)
	return q
}

func TestState(t *testing.T) {
	build := func(tb testing.TB) *pc { return newPC(tb, "2026-11-22 23:59:50") }
	statetest.GoOn(t, func(tb testing.TB) statetest.Rig { return build(tb) })
	statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[State]) {
		p := build(tb)
		return p, p.RTC
	})
}
