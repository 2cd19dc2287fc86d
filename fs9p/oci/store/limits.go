package store

import (
	"fmt"
	"sync/atomic"

	"github.com/docker/go-units"

	"alpinevm/fs9p/oci"
)

// bounds are those of what is unpacked of an image, since a few kilobytes can
// claim to be more than any disk holds.
type bounds struct {
	image int64 // bytes of all layers together
	// ratio is how many times as many bytes as have come a layer may have,
	// which counts from some size on; 0 is any number.
	ratio, ratioFrom int64
	// step is how many bytes are written between two looks at the disk, and
	// reserve how many are left free on it.
	step, reserve int64
	tree          oci.Limits
}

// The bounds, and those of Config.Large.
var (
	usualBounds = bounds{
		image: 32 << 30, ratio: 200, ratioFrom: 1 << 30, step: 64 << 20, reserve: 64 << 20, tree: oci.DefaultLimits,
	}
	largeBounds = bounds{image: 1 << 40, step: 64 << 20, reserve: 64 << 20, tree: oci.MaxLimits}
)

// LimitError is the error of an image that is larger than one may be.
type LimitError struct {
	What string
	Hard bool // Config.Large does not help
}

func (e *LimitError) Error() string { return e.What }

// spaceError is the error of a disk that has no room for what would come.
type spaceError struct{ free, wanted int64 }

func (e *spaceError) Error() string {
	return fmt.Sprintf("%s are free, and %s or more are needed", size(e.free), size(e.wanted))
}

// size writes a number of bytes as docker does.
func size(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }

// room refuses to write n bytes that the disk has no room for.
func (s *Store) room(n int64) error {
	if free, ok := s.cfg.Free(s.cfg.Dir); ok && free-s.bounds.reserve < n {
		return &spaceError{free, n}
	}
	return nil
}

func (s *Store) limit(format string, args ...any) error {
	return &LimitError{fmt.Sprintf(format, args...), s.cfg.Large}
}

func (s *Store) tooLarge() error { return s.limit("it is larger than %s", size(s.bounds.image)) }

// checkSize refuses an image whose layers are too large as they come.
func (s *Store) checkSize(img *Image) error {
	sum := int64(0)
	for _, l := range img.layers {
		if l.Size > s.bounds.image-sum {
			return s.tooLarge()
		}
		sum += max(l.Size, 0)
	}
	return nil
}

// A budget is what may still be unpacked of an image.
type budget struct {
	s    *Store
	left atomic.Int64
}

func (s *Store) newBudget() *budget {
	b := &budget{s: s}
	b.left.Store(s.bounds.image)
	return b
}

// take takes n bytes of the budget.
func (b *budget) take(n int64) error {
	if b.left.Add(-n) < 0 {
		return b.s.tooLarge()
	}
	return nil
}

// A meter watches what is unpacked of a layer.
type meter struct {
	whole *budget
	in    *counter // what has come
	out   int64    // bytes that have been written
	next  int64    // of them, when the disk is looked at
}

// add counts n bytes that are about to be written.
func (m *meter) add(n int64) error {
	s := m.whole.s
	m.out += n
	if err := m.whole.take(n); err != nil {
		return err
	}
	switch b := &s.bounds; {
	case b.ratio > 0 && m.out > b.ratioFrom && m.out/b.ratio > m.in.n:
		return s.limit("%s come out of %s, more than %d times as much", size(m.out), size(m.in.n), b.ratio)
	case m.out < m.next:
		return nil
	}
	m.next = m.out + s.bounds.step
	return s.room(n)
}
