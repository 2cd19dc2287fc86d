package i8042

import (
	"fmt"
	"math/rand"
	"testing"

	"alpinevm/internal/statetest"
)

// Step is part of statetest.Rig.
func (p *pc) Step(rnd *rand.Rand) string {
	port := [...]uint16{0x60, 0x64, 0x92}[rnd.Intn(3)]
	var v uint32
	p.resets = 0
	if rnd.Intn(3) == 0 {
		v = p.bus.In(port, 1)
	} else {
		p.bus.Out(port, 1, uint32(rnd.Intn(256)))
	}
	return fmt.Sprintf("port %x gives %x, A20 %t, IRQ %v, resets %d", port, v, p.a20, p.irq, p.resets)
}

// Fork is part of statetest.Rig.
func (p *pc) Fork(tb testing.TB) statetest.Rig {
	q := newPC(tb)
	statetest.Move(tb, q.I8042, p.I8042)
	return q
}

func TestState(t *testing.T) {
	statetest.GoOn(t, func(tb testing.TB) statetest.Rig { return newPC(tb) })
	statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[State]) {
		p := newPC(tb)
		return p, p.I8042
	})
}
