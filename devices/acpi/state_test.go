package acpi

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"alpinevm/internal/statetest"
)

// Step is part of statetest.Rig.
func (p *pc) Step(rnd *rand.Rand) string {
	off, size := uint16(rnd.Intn(BlockSize)), 1<<rnd.Intn(3)
	var v uint32
	offs := p.offs
	switch rnd.Intn(5) {
	case 0, 1:
		p.bus.Out(0x600+off, size, rnd.Uint32())
	case 2:
		v = p.bus.In(0x600+off, size)
	case 3:
		p.PowerButton()
		if rnd.Intn(2) == 0 {
			p.Event()
		}
	default:
		p.clock.MoveThrough(p.timed, p.clock.Now()+time.Duration(rnd.Int63n(int64(20*time.Minute))))
	}
	return fmt.Sprintf("%d at %x gives %x, SCI %t, off %d, timers %v", size, off, v, p.level, p.offs-offs, p.timed.Armed())
}

// Fork is part of statetest.Rig.
func (p *pc) Fork(tb testing.TB) statetest.Rig {
	q := newPC(tb)
	q.clock.Move(p.clock.Now())
	statetest.Move(tb, q.ACPI, p.ACPI)
	return q
}

func TestState(t *testing.T) {
	statetest.GoOn(t, func(tb testing.TB) statetest.Rig { return newPC(tb) })
	statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[State]) {
		p := newPC(tb)
		return p, p.ACPI
	})
}
