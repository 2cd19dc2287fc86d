package virtio

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"

	"alpinevm/devices/virtio/virtq"
)

// threadTime is the CPU time of the calling thread, to a few microseconds.
func threadTime(t *testing.T) time.Duration {
	const thread = 1 // RUSAGE_THREAD of getrusage(2)
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

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
	limit := 10 * time.Millisecond
	if raceEnabled {
		limit *= 20
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
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
					least := time.Hour
					for range 3 {
						least = min(least, notifyTime(t, row.make().queues[i], out, in))
						if least <= limit {
							break
						}
					}
					if least > limit {
						t.Errorf("%s, queue %d, readable %s, writable %s: %v of a processor", row.name, i, many(out), many(in), least)
					}
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

// notifyTime is the CPU time of the notification of a full ring.
func notifyTime(t *testing.T, q *guestQueue, out, in []int) time.Duration {
	q.fill(out, in)
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector's work is nobody's
	from := threadTime(t)
	q.g.dev.BARWrite(0, q.notify, 2, uint32(q.index))
	return threadTime(t) - from
}
