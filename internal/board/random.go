package board

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"io"

	"alpinevm/bios"
)

// generator makes the random numbers of a repeatable machine, which are no
// secret: xorshift64*. Its state is never 0.
type generator struct{ x uint64 }

func newGenerator() *generator { return &generator{0x9e3779b97f4a7c15} }

func (g *generator) next() uint32 {
	g.x ^= g.x >> 12
	g.x ^= g.x << 25
	g.x ^= g.x >> 27
	return uint32(g.x * 0x2545f4914f6cdd1d >> 32)
}

// Read fills p with the low byte of a number each.
func (g *generator) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(g.next())
	}
	return len(p), nil
}

// random is the source of RDRAND. The host's numbers are drawn many at a time: in a
// browser to ask for four bytes costs a microsecond.
func (b *Board) random() func() uint32 {
	if b.rdrand != nil {
		return b.rdrand.next
	}
	from := bufio.NewReaderSize(rand.Reader, 4096)
	return func() uint32 {
		var s [4]byte
		if _, err := io.ReadFull(from, s[:]); err != nil {
			panic("BUG: crypto/rand does not fail: " + err.Error())
		}
		return binary.LittleEndian.Uint32(s[:])
	}
}

// randomBytes is the source of the entropy device.
func (b *Board) randomBytes() io.Reader {
	if b.drawn != nil {
		return b.drawn
	}
	return rand.Reader
}

// generation is an ID that no other copy of the machine has.
func (b *Board) generation() (g bios.Generation) {
	if !b.cfg.Deterministic {
		rand.Read(g[:])
	}
	return g
}

// Renew tells the guest that it is a copy of what it was, by another generation ID,
// if that is where we have put it.
func (b *Board) Renew() error {
	if b.image.Firmware != nil {
		return nil
	}
	g := b.generation()
	if _, err := b.mem.WriteAt(g[:], int64(bios.GenerationAt(uint64(b.mem.Size())))); err != nil {
		return err
	}
	b.acpi.Event()
	return nil
}

// seed is what the loader gives the kernel's random number generator.
func (b *Board) seed() []byte {
	s := make([]byte, 32)
	if !b.cfg.Deterministic {
		rand.Read(s)
	}
	return s
}
