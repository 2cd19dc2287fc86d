package pic

import (
	"fmt"
	"math/rand"
	"testing"

	"alpinevm/internal/statetest"
)

// Step is part of statetest.Rig.
func (p *pc) Step(rnd *rand.Rand) string {
	ports := [...]uint16{0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1}
	port := ports[rnd.Intn(len(ports))]
	var v uint32
	switch rnd.Intn(5) {
	case 0:
		v = p.bus.In(port, 1)
	case 1:
		p.bus.Out(port, 1, uint32(rnd.Intn(256)))
	case 2:
		v = uint32(p.Ack())
	default:
		if line := p.lines[rnd.Intn(2)][rnd.Intn(16)]; line != nil {
			line.Set(rnd.Intn(2) == 0)
		}
	}
	return fmt.Sprintf("port %x gives %x, INTR %t", port, v, p.INTR())
}

// Fork is part of statetest.Rig.
func (p *pc) Fork(tb testing.TB) statetest.Rig {
	q := newPC(tb)
	statetest.Move(tb, q.PIC, p.PIC)
	if last := q.changes[len(q.changes)-1]; last != p.INTR() {
		tb.Errorf("the processor was told %t", last)
	}
	return q
}

func TestState(t *testing.T) {
	statetest.GoOn(t, func(tb testing.TB) statetest.Rig { return newPC(tb) })
	statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[State]) {
		p := newPC(tb)
		return p, p.PIC
	})
}
