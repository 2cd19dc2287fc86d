package virtio

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"alpinevm/devices/virtio/virtq"
	"alpinevm/internal/costtest"
)

// fill offers as many chains as queue q can have, all of them one indirect table
// of so many pieces: the readable ones have the sizes out, the writable ones in.
func (q *guestQueue) fill(out, in []int) {
	n := len(out) + len(in)
	table := q.g.alloc(16*uint64(n), 16)
	data := q.g.alloc(1<<20, 4096)
	for i, size := range slices.Concat(out, in) {
		flags := uint16(1)
		if i >= len(out) {
			flags |= 2
		}
		if i == n-1 {
			flags &^= 1
		}
		q.putDesc(table+16*uint64(i), data+uint64(i&1), size, flags, uint16(i+1))
	}
	for i := range q.size {
		q.putDesc(q.desc+16*uint64(i), table, 16*n, 4, 0)
		q.offer(i)
	}
}

// TestCost: a notification takes 10 ms of a processor at most, whatever the
// driver has put into the ring and whatever waits for it outside.
func TestCost(t *testing.T) {
	for _, row := range []struct {
		name string
		make func() *guest
	}{
		{"rng", func() *guest { _, g := newRNGGuest(t); return g }},
		{"9p", func() *guest { _, g := newP9Guest(t, echoServer{}); return g }},
		{"console", func() *guest {
			c, g := newConsoleGuest(t, featLinux)
			c.Input(make([]byte, consoleInput))
			return g
		}},
		{"net", func() *guest {
			_, link, g := newNetGuest(t, netLinux)
			for range 256 {
				link.offer(Frame{Data: make([]byte, 65000)})
			}
			return g
		}},
	} {
		for i := range row.make().queues {
			for _, out := range pieces {
				for _, in := range pieces {
					if len(out)+len(in) == 0 {
						continue
					}
					costtest.Check(t, 10*time.Millisecond, func(measure costtest.Measure) {
						q := row.make().queues[i]
						q.fill(out, in)
						measure(fmt.Sprintf("%s, queue %d, readable %s, writable %s", row.name, i, many(out), many(in)), func() {
							q.g.dev.BARWrite(0, q.notify, 2, uint32(q.index))
						})
					})
				}
			}
		}
	}
}

// pieces are what one part of a chain is made of, half of the largest table at most.
var pieces = [][]int{
	nil, {netHeader}, {4096}, {512 << 10},
	slices.Repeat([]int{0}, virtq.MaxIndirect/2), slices.Repeat([]int{1}, virtq.MaxIndirect/2),
	slices.Repeat([]int{64}, virtq.MaxIndirect/2), slices.Repeat([]int{1024}, virtq.MaxIndirect/2),
}

func many(pieces []int) string {
	if len(pieces) == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%d times %d bytes", len(pieces), pieces[0])
}
