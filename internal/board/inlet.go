package board

import (
	"io"
	"slices"
)

// inlet carries what an io.Reader gives to a device with bounded room. A
// goroutine of its own reads, one chunk at a time.
type inlet struct {
	kick func(func())
	take func(p []byte) int // offers bytes to the device, gives how many it took
	eof  func(err error)
	kept []byte // what a restored machine has not taken yet; it comes before left
	left []byte // of the chunk that was read, not taken yet
	next chan struct{}
	stop chan struct{}
}

// newInlet starts the goroutine. It ends at the end of r or after close, but
// not before a Read that is under way returns.
func newInlet(r io.Reader, kick func(func()), take func([]byte) int, eof func(error)) *inlet {
	in := &inlet{kick: kick, take: take, eof: eof, next: make(chan struct{}, 1), stop: make(chan struct{})}
	go in.read(r, in.stop)
	return in
}

func (in *inlet) read(r io.Reader, stop <-chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			in.kick(func() { in.left = buf[:n]; in.pump() })
			select {
			case <-in.next:
			case <-stop:
				return
			}
		}
		if err != nil {
			in.kick(func() { in.eof(err) })
			return
		}
	}
}

// pump offers what is left to the device; the machine calls it whenever there
// may be room.
func (in *inlet) pump() {
	if len(in.kept) > 0 {
		in.kept = in.kept[in.take(in.kept):]
		if len(in.kept) > 0 {
			return
		}
	}
	if len(in.left) == 0 {
		return
	}
	in.left = in.left[in.take(in.left):]
	if len(in.left) == 0 {
		in.next <- struct{}{}
	}
}

// save gives what was read and not taken yet.
func (in *inlet) save() []byte { return slices.Concat(in.kept, in.left) }

func (in *inlet) close() {
	if in.stop != nil {
		close(in.stop)
		in.stop = nil
	}
}
