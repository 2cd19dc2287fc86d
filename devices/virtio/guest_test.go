package virtio

import (
	"encoding/binary"
	"testing"

	"alpinevm/devices"
)

// guestRAM is memory from address 0 on.
type guestRAM []byte

func (m guestRAM) View(gpa uint64, n int, _ bool) ([]byte, bool) {
	if n < 0 || gpa > uint64(len(m)) || uint64(n) > uint64(len(m))-gpa {
		return nil, false
	}
	return m[gpa:][:n:n], true
}

const (
	guestRAMSize = 4 << 20
	featLinux    = featVersion1 | featIndirectDesc | featEventIdx // what Linux takes of the transport's
)

// guest is a small driver: it finds the structures through the capabilities,
// negotiates as Linux does, and works the rings.
type guest struct {
	t   testing.TB
	mem guestRAM
	dev devices.PCIFunction

	level  bool // the interrupt line
	master bool // bus master enable

	common, isr, config, notify uint32 // offsets in BAR 0
	multiplier                  uint32
	features                    uint64
	queues                      []*guestQueue
	brk                         uint64
}

func (g *guest) Set(level bool) { g.level = level }

// plug connects dev to a new guest.
func plug(t testing.TB, mem guestRAM, dev devices.PCIFunction) *guest {
	g := &guest{t: t, mem: mem, dev: dev, master: true, brk: 0x1000}
	dev.Connect(g, func() bool { return g.master })
	seen := map[uint32]bool{}
	for at := dev.Header().Capabilities; at != 0; at = uint8(dev.ConfigRead(at+1, 1)) {
		if id := dev.ConfigRead(at, 1); id != 9 {
			t.Fatalf("capability %#x at %#x", id, at)
		}
		typ := dev.ConfigRead(at+3, 1)
		offset, length := dev.ConfigRead(at+8, 4), dev.ConfigRead(at+12, 4)
		if offset+length > dev.Header().BARs[dev.ConfigRead(at+4, 1)].Size {
			t.Fatalf("structure %d ends at %#x", typ, offset+length)
		}
		if seen[typ] {
			t.Fatalf("structure %d twice", typ)
		}
		seen[typ] = true
		switch typ {
		case 1:
			g.common = offset
		case 2:
			g.notify, g.multiplier = offset, dev.ConfigRead(at+16, 4)
		case 3:
			g.isr = offset
		case 4:
			g.config = offset
		case 5:
		default:
			t.Fatalf("structure type %d", typ)
		}
	}
	for _, typ := range []uint32{1, 2, 3, 5} {
		if !seen[typ] {
			t.Fatalf("no structure of type %d", typ)
		}
	}
	return g
}

func (g *guest) read(off uint32, size int) uint32 { return g.dev.BARRead(0, g.common+off, size) }
func (g *guest) write(off uint32, size int, v uint32) {
	g.dev.BARWrite(0, g.common+off, size, v)
}
func (g *guest) status() uint8 { return uint8(g.read(20, 1)) }

func (g *guest) offered() uint64 {
	g.write(0, 4, 0)
	f := uint64(g.read(4, 4))
	g.write(0, 4, 1)
	return f | uint64(g.read(4, 4))<<32
}

// negotiate goes up to FEATURES_OK and reports whether it stuck.
func (g *guest) negotiate(features uint64) bool {
	g.write(20, 1, 0)
	g.write(20, 1, 1)
	g.write(20, 1, 3)
	g.features = features
	g.write(8, 4, 0)
	g.write(12, 4, uint32(features))
	g.write(8, 4, 1)
	g.write(12, 4, uint32(features>>32))
	g.write(20, 1, 11)
	return g.status()&8 != 0
}

// alloc returns n bytes of guest memory.
func (g *guest) alloc(n, align uint64) uint64 {
	at := (g.brk + align - 1) &^ (align - 1)
	g.brk = at + n
	if g.brk > uint64(len(g.mem)) {
		g.t.Fatal("guest memory is full")
	}
	return at
}

// setup makes and enables queue i with at most max entries.
func (g *guest) setup(i int, max uint16) {
	g.write(22, 2, uint32(i))
	size := min(uint16(g.read(24, 2)), max)
	g.write(24, 2, uint32(size))
	n := uint64(size)
	q := &guestQueue{g: g, index: i, size: size, desc: g.alloc(16*n, 16), avail: g.alloc(6+2*n, 2), used: g.alloc(6+8*n, 4)}
	clear(g.mem[q.desc:g.brk])
	for j, addr := range []uint64{q.desc, q.avail, q.used} {
		g.write(uint32(32+8*j), 4, uint32(addr))
		g.write(uint32(36+8*j), 4, uint32(addr>>32))
	}
	q.notify = g.notify + g.read(30, 2)*g.multiplier
	g.write(28, 2, 1)
	for j := range size {
		q.free = append(q.free, j)
	}
	for len(g.queues) <= i {
		g.queues = append(g.queues, nil)
	}
	g.queues[i] = q
}

// start brings the device up with the given features and all its queues.
func (g *guest) start(features uint64) {
	g.t.Helper()
	if !g.negotiate(features) {
		g.t.Fatalf("features %#x were refused", features)
	}
	g.queues = nil
	for i := range int(g.read(18, 2)) {
		g.setup(i, 256)
	}
	g.write(20, 1, 15)
	if g.status() != 15 {
		g.t.Fatalf("status %#x", g.status())
	}
}

// interrupted acknowledges an interrupt and returns the ISR.
func (g *guest) interrupted() uint8 {
	level := g.level
	v := uint8(g.dev.BARRead(0, g.isr, 1))
	if level != (v != 0) {
		g.t.Errorf("line %v with ISR %#x", level, v)
	}
	if g.level {
		g.t.Error("line still up after the ISR was read")
	}
	return v
}

type guestQueue struct {
	g                 *guest
	index             int
	size              uint16
	desc, avail, used uint64
	notify            uint32
	free              []uint16
	next, seen        uint16 // avail and used indexes
	kicked            uint16 // next at the last kick
	bufs              map[uint16]*guestBuf
	indirect          bool // use indirect tables
}

// guestBuf is one chain.
type guestBuf struct {
	descs []uint16
	in    []uint64 // addresses of the writable pieces
	sizes []int
	len   uint32 // once used
}

// bytes is what the device wrote.
func (q *guestQueue) bytes(b *guestBuf) []byte {
	var out []byte
	for i, at := range b.in {
		out = append(out, q.g.mem[at:][:b.sizes[i]]...)
	}
	return out[:b.len]
}

func (q *guestQueue) putDesc(at uint64, addr uint64, size int, flags, next uint16) {
	b := q.g.mem[at:]
	binary.LittleEndian.PutUint64(b, addr)
	binary.LittleEndian.PutUint32(b[8:], uint32(size))
	binary.LittleEndian.PutUint16(b[12:], flags)
	binary.LittleEndian.PutUint16(b[14:], next)
}

// add offers a chain of the given readable pieces and writable sizes. Every
// piece lies apart from the others.
func (q *guestQueue) add(out [][]byte, in ...int) *guestBuf {
	b := &guestBuf{sizes: in}
	type piece struct {
		addr  uint64
		size  int
		flags uint16
	}
	var pieces []piece
	for _, o := range out {
		at := q.g.alloc(uint64(len(o))+1, 1)
		copy(q.g.mem[at:], o)
		pieces = append(pieces, piece{at, len(o), 0})
	}
	for _, n := range in {
		at := q.g.alloc(uint64(n)+1, 1)
		b.in = append(b.in, at)
		pieces = append(pieces, piece{at, n, 2})
	}
	take := func() uint16 {
		if len(q.free) == 0 {
			q.g.t.Fatal("ring is full")
		}
		d := q.free[0]
		q.free = q.free[1:]
		b.descs = append(b.descs, d)
		return d
	}
	if q.indirect {
		table := q.g.alloc(16*uint64(len(pieces)), 16)
		for i, p := range pieces {
			if i < len(pieces)-1 {
				p.flags |= 1
			}
			q.putDesc(table+16*uint64(i), p.addr, p.size, p.flags, uint16(i+1))
		}
		q.putDesc(q.desc+16*uint64(take()), table, 16*len(pieces), 4, 0)
	} else {
		for range pieces {
			take()
		}
		for i, p := range pieces {
			next := uint16(0)
			if i < len(pieces)-1 {
				p.flags |= 1
				next = b.descs[i+1]
			}
			q.putDesc(q.desc+16*uint64(b.descs[i]), p.addr, p.size, p.flags, next)
		}
	}
	q.offer(b.descs[0])
	if q.bufs == nil {
		q.bufs = map[uint16]*guestBuf{}
	}
	q.bufs[b.descs[0]] = b
	return b
}

// offer puts a head into the available ring.
func (q *guestQueue) offer(head uint16) {
	binary.LittleEndian.PutUint16(q.g.mem[q.avail+4+2*uint64(q.next%q.size):], head)
	q.next++
	binary.LittleEndian.PutUint16(q.g.mem[q.avail+2:], q.next)
}

// kick notifies the device if it wants that, and reports whether it did.
func (q *guestQueue) kick() bool {
	want := binary.LittleEndian.Uint16(q.g.mem[q.used:])&1 == 0
	if q.g.features&featEventIdx != 0 {
		event := binary.LittleEndian.Uint16(q.g.mem[q.used+4+8*uint64(q.size):])
		want = q.next-event-1 < q.next-q.kicked
	}
	q.kicked = q.next
	if want {
		q.g.dev.BARWrite(0, q.notify, 2, uint32(q.index))
	}
	return want
}

// collect takes the next used chain, nil if there is none, and asks for an
// interrupt for the one after it.
func (q *guestQueue) collect() *guestBuf {
	if q.seen == binary.LittleEndian.Uint16(q.g.mem[q.used+2:]) {
		return nil
	}
	e := q.g.mem[q.used+4+8*uint64(q.seen%q.size):]
	q.seen++
	binary.LittleEndian.PutUint16(q.g.mem[q.avail+4+2*uint64(q.size):], q.seen)
	head := uint16(binary.LittleEndian.Uint32(e))
	b := q.bufs[head]
	if b == nil {
		q.g.t.Fatalf("used ring names %d, which is not outstanding", head)
	}
	delete(q.bufs, head)
	q.free = append(q.free, b.descs...)
	b.len = binary.LittleEndian.Uint32(e[4:])
	return b
}
