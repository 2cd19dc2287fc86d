package virtio

import (
	"encoding/binary"
	"fmt"

	"alpinevm/devices/virtio/virtq"
)

// Server9P answers 9P messages.
type Server9P interface {
	// Serve takes one T-message, which is valid until Serve returns. It calls
	// reply exactly once, now or later, on the machine goroutine, with the
	// R-message, which is copied before reply returns. A nil message returns
	// the request's buffers without an answer. A reply that comes after the
	// device was reset, or after the reply to a Tflush of its request, is
	// dropped.
	Serve(req []byte, reply func(resp []byte))
}

// P9State is all that the 9p device remembers. Requests without a reply are
// not in it: a snapshot is taken when there are none.
type P9State struct {
	Transport TransportState
}

// P9 is the 9p transport device (type 9: virtio 1.2 only reserves the number;
// the interface is what Linux's 9pnet_virtio expects).
type P9 struct {
	Transport
	State  P9State
	server Server9P
	tag    []byte // with its length before it, the configuration

	free    []*p9Request
	pending []*p9Request // in no order
	seq     uint64       // of the last request
	scratch []byte
	serving bool // inside notify, which signals at its end
}

const (
	p9ID           = 9
	p9MountTag     = 1 << 0 // VIRTIO_9P_MOUNT_TAG
	p9Entries      = 256
	p9HeaderSize   = 7 // size[4] type[1] tag[2]
	p9MaxRequest   = 1 << 20
	p9Tflush       = 108
	p9Rflush       = 109
	p9TflushLength = 9
)

// p9Request is one T-message that the server has.
type p9Request struct {
	chain virtq.Chain
	seq   uint64
	tag   uint16
	flush bool   // it is a Tflush
	old   uint16 // the tag that it flushes
	at    int    // in pending, -1 if the request is not outstanding
	reply func([]byte)
}

// NewP9 returns a 9p device with a mount tag of at most 65,535 bytes, whose
// messages go to server.
func NewP9(mem virtq.Memory, tag string, server Server9P) *P9 {
	d := &P9{server: server}
	d.tag = binary.LittleEndian.AppendUint16(nil, uint16(len(tag)))
	d.tag = append(d.tag, tag...)
	m := model{id: p9ID, class: classNone, features: p9MountTag, queues: []uint16{p9Entries}}
	d.init(&d.State.Transport, m, d, mem)
	return d
}

// Pending is the number of requests that wait for their reply.
func (d *P9) Pending() int { return len(d.pending) }

func (d *P9) accepts(uint64) bool { return true }

func (d *P9) config() []byte { return d.tag }

// forget lets go of all requests. Their replies find them gone; they are not
// used again, since the server still holds their reply functions.
func (d *P9) forget(int) {
	for _, r := range d.pending {
		r.at = -1
	}
	clear(d.pending)
	d.pending = d.pending[:0]
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
		r := d.request()
		ok, err := q.Next(&r.chain)
		if err != nil || !ok {
			d.free = append(d.free, r)
			return err
		}
		n, room := r.chain.ReadLen(), r.chain.WriteLen()
		if n < p9HeaderSize || n > p9MaxRequest || room < p9HeaderSize {
			return fmt.Errorf("9p: a request of %d bytes with room for %d", n, room)
		}
		in := r.chain.Reader()
		msg, err := in.Bytes(n, &d.scratch)
		if err != nil {
			return err
		}
		r.tag = binary.LittleEndian.Uint16(msg[5:])
		r.flush = msg[4] == p9Tflush && n >= p9TflushLength
		if r.flush {
			r.old = binary.LittleEndian.Uint16(msg[7:])
		}
		d.seq++
		r.seq = d.seq
		r.at = len(d.pending)
		d.pending = append(d.pending, r)
		d.server.Serve(msg, r.reply)
	}
	return nil
}

// request returns an unused request.
func (d *P9) request() *p9Request {
	if n := len(d.free); n > 0 {
		r := d.free[n-1]
		d.free = d.free[:n-1]
		return r
	}
	r := &p9Request{at: -1}
	r.reply = func(resp []byte) { d.reply(r, resp) }
	return r
}

// remove takes r off the pending list.
func (d *P9) remove(r *p9Request) {
	last := len(d.pending) - 1
	d.pending[r.at] = d.pending[last]
	d.pending[r.at].at = r.at
	d.pending[last] = nil
	d.pending = d.pending[:last]
	r.at = -1
}

// reply gives r back to the driver with resp in it.
func (d *P9) reply(r *p9Request, resp []byte) {
	if r.at < 0 {
		return
	}
	d.remove(r)
	if d.live(0) {
		err := d.answer(r, resp)
		if err == nil && !d.serving {
			err = d.signal(0)
		}
		if err != nil {
			d.fail(err)
		}
	}
	d.free = append(d.free, r)
}

func (d *P9) answer(r *p9Request, resp []byte) error {
	if r.flush && len(resp) >= p9HeaderSize && resp[4] == p9Rflush {
		if err := d.flush(r); err != nil {
			return err
		}
	}
	if room := r.chain.WriteLen(); len(resp) > room {
		return fmt.Errorf("9p: a reply of %d bytes to a request with room for %d", len(resp), room)
	}
	w := r.chain.Writer()
	if _, err := w.Write(resp); err != nil {
		return err
	}
	return d.queues[0].Push(r.chain.Head, uint32(len(resp)))
}

// flush gives back, unanswered and before the Rflush, the requests that f has
// flushed. The client will use their memory again, and it expects no reply
// (flush(5)). Linux takes a length of 0 as no reply.
func (d *P9) flush(f *p9Request) error {
	for i := 0; i < len(d.pending); {
		r := d.pending[i]
		if r.tag != f.old || r.seq > f.seq {
			i++
			continue
		}
		d.remove(r)
		if err := d.queues[0].Push(r.chain.Head, 0); err != nil {
			return err
		}
	}
	return nil
}
