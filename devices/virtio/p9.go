package virtio

import (
	"encoding/binary"
	"fmt"
	"slices"

	"alpinevm/devices/virtio/virtq"
)

// Server9P answers 9P messages.
type Server9P interface {
	// Serve takes one T-message, which is valid until Serve returns. It calls
	// reply exactly once, now or later, on the machine goroutine, with the
	// R-message, which is copied before reply returns. A nil message returns
	// the request's buffers without an answer: a flushed request ends so, and
	// before the reply to its Tflush.
	Serve(req []byte, reply func(resp []byte))
	// Full reports that Serve is not to be called before the next reply. It is
	// never so when all requests have had theirs.
	Full() bool
	// Reset tells that the device was reset: there is no session any more, and
	// whoever asked for something has gone. A reply that comes all the same is
	// dropped.
	Reset()
}

// P9State is all that the 9p device remembers.
type P9State struct {
	Transport TransportState
	// Waiting are the heads of the chains whose requests have not been answered,
	// in the order in which they came.
	Waiting []uint16
}

// P9 is the 9p transport device (type 9: virtio 1.2 only reserves the number;
// the interface is what Linux's 9pnet_virtio expects).
type P9 struct {
	Transport
	server Server9P
	tag    []byte // with its length before it, the configuration

	free    []*p9Request
	pending []*p9Request // in the order in which they came
	scratch []byte
	serving bool // inside notify, which signals at its end
	stalled bool // the server was full; what is in the ring waits for a reply
}

const (
	p9ID         = 9
	p9MountTag   = 1 << 0 // VIRTIO_9P_MOUNT_TAG
	p9Entries    = 256
	p9HeaderSize = 7 // size[4] type[1] tag[2]
	p9MaxRequest = 1 << 20
)

// p9Request is one T-message that the server has.
type p9Request struct {
	chain virtq.Chain
	reply func([]byte)
}

// NewP9 returns a 9p device with a mount tag of at most 65,535 bytes, whose
// messages go to server.
func NewP9(mem virtq.Memory, tag string, server Server9P) *P9 {
	d := &P9{server: server}
	d.tag = binary.LittleEndian.AppendUint16(nil, uint16(len(tag)))
	d.tag = append(d.tag, tag...)
	m := model{id: p9ID, class: classNone, features: p9MountTag, queues: []uint16{p9Entries}}
	d.init(m, d, mem)
	return d
}

// Save gives a copy of the state.
func (d *P9) Save() P9State {
	s := P9State{Transport: d.save()}
	for _, r := range d.pending {
		s.Waiting = append(s.Waiting, r.chain.Head)
	}
	return s
}

// Restore puts back a saved state. The server, which has been restored, is asked
// again for what it had not answered: that must have changed nothing, and still
// stands in the guest's memory.
func (d *P9) Restore(s P9State) error {
	if err := d.check(&s.Transport); err != nil {
		return err
	}
	q := d.queues[0]
	if n := len(s.Waiting); n > 0 && (!s.Transport.Queues[0].Enabled || n > int(s.Transport.Queues[0].Size)) {
		return fmt.Errorf("9p: %d requests wait in a ring of %d", n, s.Transport.Queues[0].Size)
	}
	d.restore(s.Transport)
	d.pending, d.stalled = nil, false
	d.serving = true
	for _, head := range s.Waiting {
		r := d.request()
		err := q.Again(head, &r.chain)
		if err == nil {
			err = d.ask(r)
		}
		if err != nil {
			d.fail(err) // the driver has not left it alone
		}
	}
	d.serving = false
	if d.live(0) {
		if err := d.signal(0); err != nil {
			d.fail(err)
		}
	}
	return nil
}

// Pending is the number of requests that wait for their reply.
func (d *P9) Pending() int { return len(d.pending) }

func (d *P9) accepts(uint64) bool { return true }

func (d *P9) config() []byte { return d.tag }

// forget lets go of all requests, here and at the server. A reply to one finds
// it gone; it is not used again, in case there is one.
func (d *P9) forget(int) {
	d.pending, d.free, d.scratch, d.stalled = nil, nil, nil, false
	d.server.Reset()
}

func (d *P9) notify(int) error {
	q := d.queues[0]
	d.serving = true
	err := d.serveAll(q)
	d.serving = false
	if err != nil {
		return err
	}
	if !d.live(0) {
		return nil // a reply failed
	}
	if err := q.Ask(true); err != nil {
		return err
	}
	return d.signal(0)
}

// serveAll hands the requests in the ring to the server.
func (d *P9) serveAll(q *virtq.Queue) error {
	for range q.Size {
		if !d.live(0) {
			return nil
		}
		if d.stalled = d.server.Full(); d.stalled {
			return nil
		}
		r := d.request()
		ok, err := q.Next(&r.chain)
		if err != nil || !ok {
			d.free = append(d.free, r)
			return err
		}
		if err := d.ask(r); err != nil {
			return err
		}
	}
	return nil
}

// ask hands the message of r to the server.
func (d *P9) ask(r *p9Request) error {
	msg, err := d.message(r)
	if err == nil {
		d.pending = append(d.pending, r)
		d.server.Serve(msg, r.reply)
	}
	return err
}

// message is what r asks for. Buffers can be larger than the message in them,
// which begins with its own size.
func (d *P9) message(r *p9Request) ([]byte, error) {
	n, room := r.chain.ReadLen(), r.chain.WriteLen()
	if n < p9HeaderSize || n > p9MaxRequest || room < p9HeaderSize {
		return nil, fmt.Errorf("9p: a request of %d bytes with room for %d", n, room)
	}
	var size [4]byte
	head, all := r.chain.Reader(), r.chain.Reader()
	if _, err := head.Read(size[:]); err != nil {
		return nil, err
	}
	own := int(min(binary.LittleEndian.Uint32(size[:]), uint32(n)))
	return all.Bytes(max(own, p9HeaderSize), &d.scratch)
}

// request returns an unused request.
func (d *P9) request() *p9Request {
	if n := len(d.free); n > 0 {
		r := d.free[n-1]
		d.free = d.free[:n-1]
		return r
	}
	r := &p9Request{}
	r.reply = func(resp []byte) { d.reply(r, resp) }
	return r
}

// reply gives r back to the driver with resp in it.
func (d *P9) reply(r *p9Request, resp []byte) {
	i := slices.Index(d.pending, r)
	if i < 0 {
		return
	}
	d.pending = slices.Delete(d.pending, i, i+1)
	if d.live(0) {
		err := d.answer(r, resp)
		switch {
		case err != nil || d.serving:
		case d.stalled:
			err = d.notify(0)
		default:
			err = d.signal(0)
		}
		if err != nil {
			d.fail(err)
		}
	}
	d.free = append(d.free, r)
}

func (d *P9) answer(r *p9Request, resp []byte) error {
	if room := r.chain.WriteLen(); len(resp) > room {
		return fmt.Errorf("9p: a reply of %d bytes to a request with room for %d", len(resp), room)
	}
	w := r.chain.Writer()
	if _, err := w.Write(resp); err != nil {
		return err
	}
	return d.queues[0].Push(r.chain.Head, uint32(len(resp)))
}
