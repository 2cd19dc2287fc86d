package pci

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"alpinevm/internal/statetest"
)

// rigSlots are taken in the buses of the tests of State.
var rigSlots = []int{1, 3, 31}

// Step is part of statetest.Rig.
func (p *pc) Step(rnd *rand.Rand) string {
	slot := [...]int{0, 1, 3, 31, 2}[rnd.Intn(5)]
	size := 1 << rnd.Intn(3)
	reg := uint32(rnd.Intn(256) &^ (size - 1))
	if rnd.Intn(2) == 0 {
		reg = [...]uint32{regCommand, regBAR, regBAR + 4, regBAR + 12, regLine, 0x40}[rnd.Intn(6)]
	}
	v := [...]uint32{rnd.Uint32(), 0xE0000000 + uint32(rnd.Intn(4))<<16, 0xFFFFFFFF, 0x3E0, 3, 7, 0xC000}[rnd.Intn(7)]
	p.resets = 0
	for _, c := range p.cards {
		c.log, c.resets = nil, 0
	}
	switch rnd.Intn(8) {
	case 0, 1, 2:
		p.bus.Out(0xCF8, 4, 1<<31|uint32(slot)<<11|reg&^3)
		p.bus.Out(0xCFC+uint16(reg&3), size, v)
		v = 0
	case 3:
		p.bus.Out(0xCF8, 4, 1<<31|uint32(slot)<<11|reg&^3)
		v = p.bus.In(0xCFC+uint16(reg&3), size)
	case 4:
		v = p.mem.read(0xE0000000 + uint64(rnd.Intn(1<<18)&^3))
	case 5:
		v = p.bus.In(uint16(v), size)
	case 6:
		if c := p.cards[slot]; c != nil {
			c.irq.Set(v&1 != 0)
		}
	case 7:
		p.bus.Out(0xCF8+uint16(rnd.Intn(2)), 1<<(2*rnd.Intn(2)), v)
		v = p.bus.In(0xCF8, 4)
	}
	var cards []string
	for _, n := range rigSlots {
		if c := p.cards[n]; c != nil {
			cards = append(cards, fmt.Sprint(c.log, c.resets, c.master()))
		}
	}
	var maps []string
	for _, m := range p.mem.maps {
		maps = append(maps, fmt.Sprintf("%x+%x", m.base, m.n))
	}
	slices.Sort(maps)
	var lines []int
	for n := range 16 {
		lines = append(lines, p.lines[n])
	}
	return fmt.Sprintf("%x of slot %d gives %x, lines %v, resets %d, cards %q, memory %v", reg, slot, v, lines, p.resets, cards, maps)
}

// Fork is part of statetest.Rig.
func (p *pc) Fork(tb testing.TB) statetest.Rig {
	q := newPC(tb, rigSlots...)
	statetest.Move(tb, q.Host, p.Host)
	return q
}

func TestState(t *testing.T) {
	statetest.GoOn(t, func(tb testing.TB) statetest.Rig { return newPC(tb, rigSlots...) })
	statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[State]) {
		p := newPC(tb, rigSlots...)
		return p, p.Host
	})
}
