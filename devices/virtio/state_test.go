package virtio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand"
	"testing"

	"alpinevm/devices"
	"alpinevm/internal/statetest"
)

// rig is a device with a driver that uses its rings without care, and the host's
// side of it.
type rig[D devices.PCIFunction] struct {
	*guest
	dev  D
	most int                                    // bytes of a descriptor
	host func(r *rig[D], rnd *rand.Rand) string // the host's turn
	fill func(p []byte, rnd *rand.Rand)         // what a readable buffer holds
	busy *[rigRing]bool                         // descriptors that a careful driver leaves alone; nil: it is not
	fork func(tb testing.TB, mem guestRAM) *rig[D]
}

// Where the driver keeps things: its rings, and behind them data.
const (
	rigRAM  = 128 << 10
	rigData = 64 << 10
	rigRing = 8 // entries that it uses
)

func newRig[D devices.PCIFunction](tb testing.TB, mem guestRAM, dev D) *rig[D] {
	return &rig[D]{guest: plug(tb, mem, dev), dev: dev, most: 400}
}

// Step is part of statetest.Rig.
func (r *rig[D]) Step(rnd *rand.Rand) string {
	var seen string
	switch n := rnd.Intn(16); {
	case len(r.queues) == 0 || n == 0:
		r.brk = 0x1000
		if r.busy != nil {
			*r.busy = [rigRing]bool{}
		}
		if r.queues = nil; !r.negotiate(r.offered() &^ (rnd.Uint64() & (featRingReset | featEventIdx | netMrgRxbuf))) {
			break
		}
		for i := range int(r.read(regNumQueues, 2)) {
			r.setup(i, rigRing)
		}
		r.write(regStatus, 1, 15)
	case n < 6:
		q := r.queues[rnd.Intn(len(r.queues))]
		for range 1 + rnd.Intn(3) {
			r.chain(q, rnd)
		}
		r.guest.dev.BARWrite(0, q.notify, 2, 0)
	case n < 9:
		seen = r.host(r, rnd)
	case n < 11:
		seen = fmt.Sprintf("%x", r.guest.dev.BARRead(0, rnd.Uint32()%barSize, 1<<rnd.Intn(3)))
	case n == 11:
		off, v := uint32(capBase+rnd.Intn(256-capBase)), rnd.Uint32()%64
		r.guest.dev.ConfigWrite(uint8(off), 4, v)
		seen = fmt.Sprintf("%x", r.guest.dev.ConfigRead(uint8(off&^3), 4))
	case n == 12:
		r.master = rnd.Intn(4) > 0
	case n == 13:
		r.write([...]uint32{regDeviceFeatureSelect, regDriverFeatureSelect, regDriverFeature}[rnd.Intn(3)], 4, rnd.Uint32()%3)
		r.write(regQueueSelect, 2, rnd.Uint32()%4)
		if rnd.Intn(4) == 0 {
			r.write(regQueueReset, 2, 1)
		}
	case n == 14 && rnd.Intn(4) == 0:
		r.guest.dev.(interface{ Reset() }).Reset()
	default:
		seen = fmt.Sprintf("isr %x", r.guest.dev.BARRead(0, r.isr, 1))
	}
	return fmt.Sprintf("%s; memory %x, status %x, line %t", seen, crc32.Checksum(r.mem, castagnoli), r.status(), r.level)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chain offers up to three descriptors, which may be another chain's unless the
// driver is careful.
func (r *rig[D]) chain(q *guestQueue, rnd *rand.Rand) {
	head, n, readable := uint16(rnd.Intn(int(q.size))), 1+rnd.Intn(3), rnd.Intn(4)
	if r.busy != nil {
		r.reclaim(q)
		for i := range n {
			if r.busy[(int(head)+i)%rigRing] {
				return
			}
		}
	}
	for i := range n {
		at := (head + uint16(i)) % q.size
		addr, size, flags := uint64(rigData)+uint64(at)*512, rnd.Intn(r.most), uint16(1)
		if r.busy != nil {
			r.busy[at] = true
		} else {
			addr += uint64(rnd.Intn(512))
		}
		if i >= readable {
			flags |= 2
		} else {
			r.fill(r.mem[addr:][:size], rnd)
		}
		if i == n-1 {
			flags &^= 1
		}
		q.putDesc(q.desc+16*uint64(at), addr, size, flags, (at+1)%q.size)
	}
	q.offer(head)
}

// reclaim takes back the chains that the device has used.
func (r *rig[D]) reclaim(q *guestQueue) {
	for ; q.seen != binary.LittleEndian.Uint16(r.mem[q.used+2:]); q.seen++ {
		at := binary.LittleEndian.Uint16(r.mem[q.used+4+8*uint64(q.seen%q.size):]) % q.size
		for more := true; more; at = (at + 1) % q.size {
			r.busy[at] = false
			more = r.mem[q.desc+16*uint64(at)+12]&1 != 0
		}
	}
}

// Fork is part of statetest.Rig.
func (r *rig[D]) Fork(tb testing.TB) statetest.Rig {
	mem := bytes.Clone(r.mem)
	f := r.fork(tb, mem)
	f.master, f.brk = r.master, r.brk
	if r.busy != nil {
		*f.busy = *r.busy
	}
	for _, q := range r.queues {
		c := *q
		c.g = f.guest
		f.queues = append(f.queues, &c)
	}
	return f
}

func plainBytes(p []byte, rnd *rand.Rand) { rnd.Read(p) }

// count is an endless source of numbers.
type count struct{ n byte }

func (c *count) Read(p []byte) (int, error) {
	for i := range p {
		c.n++
		p[i] = c.n
	}
	return len(p), nil
}

func rngRig(tb testing.TB, mem guestRAM, source *count) *rig[*RNG] {
	r := newRig(tb, mem, NewRNG(mem, source))
	r.fill = plainBytes
	r.host = func(*rig[*RNG], *rand.Rand) string { return "" }
	r.fork = func(tb testing.TB, mem guestRAM) *rig[*RNG] {
		next := *source
		f := rngRig(tb, mem, &next)
		statetest.Move(tb, f.dev, r.dev)
		return f
	}
	return r
}

func consoleRig(tb testing.TB, mem guestRAM) *rig[*Console] {
	r := newRig(tb, mem, NewConsole(mem, 80, 25))
	r.most = 40000 // the host is slower
	r.fill = plainBytes
	r.host = func(r *rig[*Console], rnd *rand.Rand) string {
		switch rnd.Intn(4) {
		case 0:
			r.dev.Resize(uint16(rnd.Intn(3)), 25)
		case 1:
			p := make([]byte, rnd.Intn(20000))
			rnd.Read(p)
			return fmt.Sprint(r.dev.Input(p), r.dev.InputRoom())
		}
		p := make([]byte, rnd.Intn(10000))
		return fmt.Sprintf("%x %d %t", p[:r.dev.ReadOutput(p)], r.dev.Buffered(), r.dev.Full())
	}
	r.fork = func(tb testing.TB, mem guestRAM) *rig[*Console] {
		f := consoleRig(tb, mem)
		statetest.Move(tb, f.dev, r.dev)
		return f
	}
	return r
}

func netRig(tb testing.TB, mem guestRAM, link *testLink) *rig[*Net] {
	r := newRig(tb, mem, NewNet(mem, testMAC, 1500, link))
	r.fill = func(p []byte, rnd *rand.Rand) {
		rnd.Read(p)
		if len(p) > 2 && rnd.Intn(4) > 0 {
			p[0], p[1] = 0, GSONone
		}
	}
	r.host = func(r *rig[*Net], rnd *rand.Rand) string {
		switch rnd.Intn(8) {
		case 0:
			r.dev.LinkUp(rnd.Intn(3) > 0)
		case 1, 2, 3:
			if f := packet(rnd.Intn(2) == 0, rnd.Intn(2000)); len(link.queue) < 8 {
				link.offer(f)
			}
		}
		defer func() { link.sent, link.ready = nil, 0 }()
		return fmt.Sprintf("%d wait, ready %d, sent %x", len(link.queue), link.ready, link.sent)
	}
	r.fork = func(tb testing.TB, mem guestRAM) *rig[*Net] {
		next := *link
		f := netRig(tb, mem, &next)
		statetest.Move(tb, f.dev, r.dev)
		return f
	}
	return r
}

// someServer answers at once, or keeps what begins to wait until it is told to
// answer: requests of an odd type.
type someServer struct {
	waiting []func([]byte)
	tags    []byte
}

func (s *someServer) Full() bool { return false }
func (s *someServer) Reset()     { s.waiting, s.tags = nil, nil }
func (s *someServer) Serve(req []byte, reply func([]byte)) {
	if len(req) > 5 && req[4]&1 != 0 {
		s.waiting, s.tags = append(s.waiting, reply), append(s.tags, req[5])
		return
	}
	reply(message(7, 1, req...))
}

func p9Rig(tb testing.TB, mem guestRAM, server *someServer) *rig[*P9] {
	r := newRig(tb, mem, NewP9(mem, "rig", server))
	r.busy = &[rigRing]bool{}
	r.fill = func(p []byte, rnd *rand.Rand) {
		rnd.Read(p)
		copy(p, message(byte(rnd.Intn(256)), uint16(rnd.Intn(256)), p[min(len(p), 7):min(len(p), 20)]...))
	}
	r.host = func(r *rig[*P9], rnd *rand.Rand) string {
		seen := fmt.Sprintf("%d pending: %x", r.dev.Pending(), server.tags)
		if n := len(server.waiting); n > 0 {
			i := rnd.Intn(n)
			reply, tag := server.waiting[i], server.tags[i]
			server.waiting = append(server.waiting[:i:i], server.waiting[i+1:]...)
			server.tags = append(server.tags[:i:i], server.tags[i+1:]...)
			reply(message(101, uint16(tag)))
		}
		return seen
	}
	r.fork = func(tb testing.TB, mem guestRAM) *rig[*P9] {
		next := &someServer{}
		f := p9Rig(tb, mem, next)
		f.master = r.master
		statetest.Move(tb, f.dev, r.dev)
		return f
	}
	return r
}

func TestState(t *testing.T) {
	ram := func() guestRAM { return make(guestRAM, rigRAM) }
	for _, row := range []struct {
		name  string
		build func(tb testing.TB) statetest.Rig
	}{
		{"rng", func(tb testing.TB) statetest.Rig { return rngRig(tb, ram(), &count{}) }},
		{"console", func(tb testing.TB) statetest.Rig { return consoleRig(tb, ram()) }},
		{"net", func(tb testing.TB) statetest.Rig { return netRig(tb, ram(), &testLink{}) }},
		{"9p", func(tb testing.TB) statetest.Rig { return p9Rig(tb, ram(), &someServer{}) }},
	} {
		t.Run(row.name, func(t *testing.T) { statetest.GoOn(t, row.build) })
	}
	t.Run("hostile rng", func(t *testing.T) {
		statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[RNGState]) {
			r := rngRig(tb, ram(), &count{})
			return r, r.dev
		})
	})
	t.Run("hostile console", func(t *testing.T) {
		statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[ConsoleState]) {
			r := consoleRig(tb, ram())
			return r, r.dev
		})
	})
	t.Run("hostile net", func(t *testing.T) {
		statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[NetState]) {
			r := netRig(tb, ram(), &testLink{})
			return r, r.dev
		})
	})
	t.Run("hostile 9p", func(t *testing.T) {
		statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[P9State]) {
			r := p9Rig(tb, ram(), &someServer{})
			return r, r.dev
		})
	})
}
