package virtio

import (
	"fmt"
	"io"

	"alpinevm/devices/virtio/virtq"
)

// RNGState is all that the entropy device remembers.
type RNGState struct {
	Transport TransportState
}

// RNG is the entropy device (virtio 1.2, 5.4).
type RNG struct {
	Transport
	source io.Reader
	chain  virtq.Chain
}

const (
	rngID      = 4
	rngEntries = 64
	// rngMost bounds what one buffer gets: a device need not fill it (virtio
	// 1.2, 5.4.6.2).
	rngMost = 4096
)

// NewRNG returns an entropy device that hands out the bytes of source, which
// must not block: crypto/rand.Reader, or a seeded generator.
func NewRNG(mem virtq.Memory, source io.Reader) *RNG {
	r := &RNG{source: source}
	r.init(model{id: rngID, class: classNone, queues: []uint16{rngEntries}}, r, mem)
	return r
}

// Save gives a copy of the state.
func (r *RNG) Save() RNGState { return RNGState{r.save()} }

// Restore puts back a saved state. The source is the machine's affair.
func (r *RNG) Restore(s RNGState) error {
	if err := r.check(&s.Transport); err != nil {
		return err
	}
	r.restore(s.Transport)
	return nil
}

func (r *RNG) accepts(uint64) bool { return true }

func (r *RNG) config() []byte { return nil }

func (r *RNG) forget(int) {}

func (r *RNG) notify(int) error {
	q := r.queues[0]
	for range q.Size {
		ok, err := q.Next(&r.chain)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if r.chain.ReadLen() != 0 || r.chain.WriteLen() == 0 {
			return fmt.Errorf("entropy: a buffer of %d readable and %d writable bytes", r.chain.ReadLen(), r.chain.WriteLen())
		}
		n, err := r.fill(r.chain.Writer())
		if err != nil {
			return err
		}
		if err := q.Push(r.chain.Head, uint32(n)); err != nil {
			return err
		}
	}
	if err := q.Ask(true); err != nil {
		return err
	}
	return r.signal(0)
}

// fill writes random bytes and returns how many.
func (r *RNG) fill(w virtq.Cursor) (int, error) {
	n := 0
	for n < rngMost && w.Len() > 0 {
		b, err := w.Next(rngMost - n)
		if err != nil {
			return n, err
		}
		if _, err := io.ReadFull(r.source, b); err != nil {
			return n, fmt.Errorf("entropy: source: %w", err)
		}
		n += len(b)
	}
	return n, nil
}
