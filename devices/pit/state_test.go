package pit

import (
	"fmt"
	"math/rand"
	"testing"

	"alpinevm/internal/statetest"
)

// Step is part of statetest.Rig.
func (p *pc) Step(rnd *rand.Rand) string {
	ports := [...]uint16{0x40, 0x41, 0x42, 0x43, 0x43, 0x61}
	port := ports[rnd.Intn(len(ports))]
	var v uint32
	p.rises = nil
	switch rnd.Intn(3) {
	case 0:
		p.bus.Out(port, 1, uint32(rnd.Intn(256)))
	case 1:
		v = p.bus.In(port, 1)
	default:
		p.ticks(uint64(rnd.Intn(1 << rnd.Intn(18))))
	}
	return fmt.Sprintf("port %x gives %x, IRQ %t rose %v, timers %v", port, v, p.level, p.rises, p.timed.Armed())
}

// Fork is part of statetest.Rig.
func (p *pc) Fork(tb testing.TB) statetest.Rig {
	q := newPC(tb)
	q.clock.Move(p.clock.Now())
	statetest.Move(tb, q.PIT, p.PIT)
	return q
}

func TestState(t *testing.T) {
	statetest.GoOn(t, func(tb testing.TB) statetest.Rig { return newPC(tb) })
	statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[State]) {
		p := newPC(tb)
		return p, p.PIT
	})
}
