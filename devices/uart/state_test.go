package uart

import (
	"bytes"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"alpinevm/internal/statetest"
)

// Step is part of statetest.Rig.
func (p *pc) Step(rnd *rand.Rand) string {
	reg := uint16(rnd.Intn(8))
	var v uint32
	p.sent, p.rooms = nil, 0
	switch rnd.Intn(8) {
	case 0, 1, 2:
		p.bus.Out(0x3F8+reg, 1, uint32(rnd.Intn(256)))
	case 3, 4:
		v = p.bus.In(0x3F8+reg, 1)
	case 5:
		b := make([]byte, rnd.Intn(2*fifoSize))
		rnd.Read(b)
		if len(p.feed) < 100 {
			p.feed = append(p.feed, b...)
		}
		p.feed = p.feed[p.Receive(p.feed):]
	case 6:
		if p.refuse = !p.refuse; !p.refuse {
			p.Ready()
		}
		p.Break()
	default:
		p.clock.MoveThrough(p.timed, p.clock.Now()+time.Duration(rnd.Intn(1<<rnd.Intn(31))))
	}
	return fmt.Sprintf("register %d gives %x, IRQ %t, sent %x, %d wait, room %d, timers %v", reg, v, p.level, p.sent, len(p.feed), p.rooms, p.timed.Armed())
}

// Fork is part of statetest.Rig.
func (p *pc) Fork(tb testing.TB) statetest.Rig {
	q := newPC(tb)
	q.clock.Move(p.clock.Now())
	q.refuse, q.feed = p.refuse, bytes.Clone(p.feed)
	statetest.Move(tb, q.UART, p.UART)
	return q
}

func TestState(t *testing.T) {
	statetest.GoOn(t, func(tb testing.TB) statetest.Rig { return newPC(tb) })
	statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[State]) {
		p := newPC(tb)
		return p, p.UART
	})
}
