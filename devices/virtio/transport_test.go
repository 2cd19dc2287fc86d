package virtio

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"alpinevm/devices"
)

// countReader gives 1, 2, 3 and so on.
type countReader struct{ n byte }

func (c *countReader) Read(p []byte) (int, error) {
	for i := range p {
		c.n++
		p[i] = c.n
	}
	return len(p), nil
}

func newRNGGuest(t testing.TB) (*RNG, *guest) {
	mem := make(guestRAM, guestRAMSize)
	r := NewRNG(mem, &countReader{})
	return r, plug(t, mem, r)
}

// The devices are PCI functions.
var (
	_ devices.PCIFunction = (*RNG)(nil)
	_ devices.PCIFunction = (*P9)(nil)
	_ devices.PCIFunction = (*Console)(nil)
	_ devices.PCIFunction = (*Net)(nil)
)

func TestIdentity(t *testing.T) {
	mem := make(guestRAM, guestRAMSize)
	for _, row := range []struct {
		name   string
		dev    devices.PCIFunction
		device uint16
		class  uint32
	}{
		{"net", NewNet(mem, [6]byte{}, 0, &testLink{}), 0x1041, 0x020000},
		{"console", NewConsole(mem, 80, 25), 0x1043, 0x078000},
		{"rng", NewRNG(mem, &countReader{}), 0x1044, 0xff0000},
		{"9p", NewP9(mem, "root", nil), 0x1049, 0xff0000},
	} {
		h := row.dev.Header()
		if h.Vendor != 0x1af4 || h.Device != row.device || h.Class != row.class || h.Revision < 1 || h.Subsystem < 0x40 || h.InterruptPin != 1 {
			t.Errorf("%s: header %+v", row.name, h)
		}
		plug(t, mem, row.dev)
	}
}

func TestRNG(t *testing.T) {
	for _, indirect := range []bool{false, true} {
		_, g := newRNGGuest(t)
		g.start(featLinux)
		q := g.queues[0]
		q.indirect = indirect
		q.add(nil, 5, 3)
		if !q.kick() {
			t.Error("the device wants no notification")
		}
		b := q.collect()
		if b == nil {
			t.Fatal("nothing used")
		}
		if want := []byte{1, 2, 3, 4, 5, 6, 7, 8}; !bytes.Equal(q.bytes(b), want) {
			t.Errorf("got % x, want % x", q.bytes(b), want)
		}
		if v := g.interrupted(); v != isrQueue {
			t.Errorf("ISR %#x", v)
		}
		if v := g.interrupted(); v != 0 {
			t.Errorf("ISR %#x after it was read", v)
		}
		q.add(nil, 2*rngMost)
		q.kick()
		if b := q.collect(); b == nil || b.len != rngMost {
			t.Errorf("a long buffer: %+v", b)
		}
	}
}

type badReader struct{}

var errSource = errors.New("no entropy")

func (badReader) Read([]byte) (int, error) { return 0, errSource }

func TestRNGSourceFails(t *testing.T) {
	mem := make(guestRAM, guestRAMSize)
	r := NewRNG(mem, badReader{})
	g := plug(t, mem, r)
	g.start(featLinux)
	g.queues[0].add(nil, 8)
	g.queues[0].kick()
	if g.status() != 0x4f || !errors.Is(r.Err(), errSource) {
		t.Errorf("status %#x, error %v", g.status(), r.Err())
	}
}

func TestFeatureNegotiation(t *testing.T) {
	_, g := newRNGGuest(t)
	if got, want := g.offered(), uint64(transportFeatures); got != want {
		t.Fatalf("offers %#x, want %#x", got, want)
	}
	g.write(0, 4, 2)
	if v := g.read(4, 4); v != 0 {
		t.Errorf("feature word 2 is %#x", v)
	}
	for _, row := range []struct {
		name     string
		features uint64
		ok       bool
	}{
		{"all", transportFeatures, true},
		{"only VERSION_1", featVersion1, true},
		{"without VERSION_1", featIndirectDesc, false},
		{"none", 0, false},
		{"one that was not offered", featVersion1 | 1<<27, false},
		{"bit 63", featVersion1 | 1<<63, false},
	} {
		if ok := g.negotiate(row.features); ok != row.ok {
			t.Errorf("%s: accepted %v", row.name, ok)
		}
	}
	// What was agreed on stays.
	g.negotiate(featVersion1)
	g.write(8, 4, 0)
	g.write(12, 4, featEventIdx)
	if v := g.read(12, 4); v != 0 {
		t.Errorf("features changed to %#x after FEATURES_OK", v)
	}
}

func TestStatus(t *testing.T) {
	_, g := newRNGGuest(t)
	for _, row := range []struct {
		name        string
		write, want uint8
	}{
		{"power on", 0, 0},
		{"acknowledge", 1, 1},
		{"driver", 3, 3},
		{"DRIVER_OK without FEATURES_OK", 7, 3},
		{"FEATURES_OK without VERSION_1", 11, 3},
		{"NEEDS_RESET cannot be written", 0x43, 3},
		{"bits cannot be taken back", 1, 3},
		{"failed", 0x83, 0x83},
		{"reset", 0, 0},
	} {
		g.write(20, 1, uint32(row.write))
		if got := g.status(); got != row.want {
			t.Errorf("%s: status %#x, want %#x", row.name, got, row.want)
		}
	}
}

func TestQueueRegisters(t *testing.T) {
	r, g := newRNGGuest(t)
	g.negotiate(featLinux | featRingReset)
	g.write(22, 2, 1)
	if v := g.read(24, 2); v != 0 {
		t.Errorf("queue 1 has size %d", v)
	}
	g.write(22, 2, 0xffff)
	g.write(24, 2, 4)
	g.write(28, 2, 1) // no such queue
	g.write(22, 2, 0)
	for _, row := range []struct {
		write, want uint32
	}{{8, 8}, {3, 8}, {0, 8}, {128, 8}, {32, 32}, {64, 64}, {1, 1}} {
		g.write(24, 2, row.write)
		if v := g.read(24, 2); v != row.want {
			t.Errorf("size %d gives %d, want %d", row.write, v, row.want)
		}
	}
	g.write(32, 4, 0x9abcdef0)
	g.write(36, 4, 0x12345678)
	if r.st.Queues[0].Desc != 0x123456789abcdef0 {
		t.Errorf("descriptor address %#x", r.st.Queues[0].Desc)
	}
	if lo, hi := g.read(32, 4), g.read(36, 4); lo != 0x9abcdef0 || hi != 0x12345678 {
		t.Errorf("reads back %#x %#x", hi, lo)
	}
	for _, size := range []int{1, 2} { // of the wrong width
		g.write(32, size, 0)
	}
	g.write(24, 4, 8)
	if g.read(32, 4) != 0x9abcdef0 || g.read(24, 2) != 1 {
		t.Error("a write of the wrong width took effect")
	}
	if v := g.read(16, 2); v != 0xffff {
		t.Errorf("config vector %#x", v)
	}
	g.write(26, 2, 0)
	if v := g.read(26, 2); v != 0xffff {
		t.Errorf("queue vector %#x", v)
	}
	g.write(24, 2, 16)
	g.setup(0, 8)
	if v := g.read(28, 2); v != 1 {
		t.Errorf("enable reads %d", v)
	}
	before := g.read(32, 4)
	g.write(32, 4, 0)
	g.write(24, 2, 2)
	if g.read(32, 4) != before || g.read(24, 2) != 8 {
		t.Error("an enabled queue was changed")
	}
	g.write(28, 2, 0)
	if v := g.read(28, 2); v != 1 {
		t.Error("writing 0 to queue_enable disabled the queue")
	}
	g.write(20, 1, 15)
	g.write(58, 2, 1)
	if g.read(58, 2) != 0 || g.read(28, 2) != 0 || g.read(24, 2) != rngEntries {
		t.Error("queue reset")
	}
	g.setup(0, 4)
	g.queues[0].add(nil, 4)
	g.queues[0].kick()
	if g.queues[0].collect() == nil {
		t.Error("the queue does not work after its reset")
	}
}

func TestBadQueueAddress(t *testing.T) {
	for _, row := range []struct {
		name string
		addr uint64
	}{{"misaligned", 8}, {"past RAM", guestRAMSize}, {"above 4 GiB", 1 << 32}} {
		_, g := newRNGGuest(t)
		g.negotiate(featLinux)
		g.write(32, 4, uint32(row.addr))
		g.write(36, 4, uint32(row.addr>>32))
		g.write(28, 2, 1)
		g.write(20, 1, 15)
		if g.status() != 0x4f || g.interrupted() != isrConfig {
			t.Errorf("%s: status %#x", row.name, g.status())
		}
	}
}

func TestMalformedRingNeedsReset(t *testing.T) {
	r, g := newRNGGuest(t)
	g.start(featLinux)
	q := g.queues[0]
	q.putDesc(q.desc, 0x1000, 1, 1, 0) // points to itself
	q.offer(0)
	q.kick()
	if g.status() != 0x4f || r.Err() == nil {
		t.Fatalf("status %#x, error %v", g.status(), r.Err())
	}
	if v := g.interrupted(); v != isrConfig {
		t.Errorf("ISR %#x", v)
	}
	// It does nothing more until it is reset.
	q.add(nil, 4)
	g.dev.BARWrite(0, q.notify, 2, 0)
	if q.collect() != nil {
		t.Error("works although it needs a reset")
	}
	g.start(featLinux)
	if r.Err() != nil {
		t.Errorf("error %v after the reset", r.Err())
	}
	g.queues[0].add(nil, 4)
	g.queues[0].kick()
	if g.queues[0].collect() == nil {
		t.Error("does not work after the reset")
	}
}

func TestBuffersBeforeDriverOK(t *testing.T) {
	_, g := newRNGGuest(t)
	g.negotiate(featLinux)
	g.setup(0, 16)
	q := g.queues[0]
	q.add(nil, 4)
	q.kick()
	if q.collect() != nil {
		t.Error("used a buffer before DRIVER_OK")
	}
	g.write(20, 1, 15)
	if q.collect() == nil {
		t.Error("did not look at the queue at DRIVER_OK")
	}
}

func TestBusMaster(t *testing.T) {
	_, g := newRNGGuest(t)
	g.start(featLinux)
	g.master = false
	q := g.queues[0]
	q.add(nil, 4)
	g.dev.BARWrite(0, q.notify, 2, 0)
	if q.collect() != nil {
		t.Error("DMA with bus mastering off")
	}
	g.master = true
	g.dev.BARWrite(0, q.notify, 2, 0)
	if q.collect() == nil {
		t.Error("no DMA with bus mastering on")
	}
}

func TestConfigWindow(t *testing.T) {
	_, g := newRNGGuest(t)
	at := g.dev.Header().Capabilities
	for g.dev.ConfigRead(at+3, 1) != 5 {
		at = uint8(g.dev.ConfigRead(at+1, 1))
	}
	window := func(off, size uint32) {
		g.dev.ConfigWrite(at+4, 1, 0)
		g.dev.ConfigWrite(at+8, 4, off)
		g.dev.ConfigWrite(at+12, 4, size)
	}
	window(g.common+20, 1)
	g.dev.ConfigWrite(at+16, 1, 1)
	if g.status() != 1 || g.dev.ConfigRead(at+16, 1) != 1 {
		t.Errorf("status %#x through the window", g.status())
	}
	if v := g.dev.ConfigRead(at+8, 4); v != g.common+20 {
		t.Errorf("offset reads back %#x", v)
	}
	for _, bad := range [][2]uint32{{g.common + 20, 3}, {g.common + 20, 0}, {g.common + 21, 2}, {0xfffffffc, 4}, {barSize, 4}} {
		window(bad[0], bad[1])
		g.dev.ConfigWrite(at+16, 4, 0)
		g.dev.ConfigRead(at+16, 4)
	}
	g.dev.ConfigWrite(at+4, 1, 3)
	g.dev.ConfigWrite(at+8, 4, g.common+20)
	g.dev.ConfigWrite(at+12, 4, 1)
	g.dev.ConfigWrite(at+16, 1, 0)
	if g.status() != 1 {
		t.Error("an illegal window reached a register")
	}
	g.dev.Reset()
	if g.status() != 0 || g.dev.ConfigRead(at+12, 4) != 0 {
		t.Error("Reset left something")
	}
}

func TestInterruptSuppressed(t *testing.T) {
	_, g := newRNGGuest(t)
	g.start(featVersion1)
	q := g.queues[0]
	g.mem[q.avail] = 1 // NO_INTERRUPT
	q.add(nil, 4)
	q.kick()
	if q.collect() == nil || g.level {
		t.Error("interrupt although the driver wants none")
	}
}

// FuzzRegisters lets the guest do anything to the registers and the memory of
// each device.
func FuzzRegisters(f *testing.F) {
	f.Add([]byte{0, 20, 1, 1, 0, 20, 1, 11, 0, 28, 2, 1, 3, 0, 2, 0})
	f.Add([]byte{0, 8, 4, 1, 0, 12, 4, 1, 0, 20, 1, 11, 0, 24, 2, 8, 0, 28, 2, 1, 0, 20, 1, 15, 3, 0, 2, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		const size = 0x800
		mem := make(guestRAM, size)
		link := &testLink{}
		devs := []devices.PCIFunction{
			NewRNG(mem, &countReader{}),
			NewConsole(mem, 80, 25),
			NewP9(mem, "root", constServer{message(101, 1)}),
			NewNet(mem, [6]byte{2}, 1500, link),
		}
		for _, dev := range devs {
			g := plug(t, mem, dev)
			for p := ops; len(p) >= 4; p = p[4:] {
				off, width := uint32(p[0]&3)<<12|uint32(p[1]), 1<<(p[2]&3%3)
				v := uint32(p[3])
				switch p[2] >> 4 & 3 {
				case 0:
					dev.BARWrite(0, off, width, v)
				case 1:
					dev.BARRead(0, off, width)
				case 2:
					mem[(uint32(p[1])<<3|uint32(p[0]))%size] = p[3]
				case 3:
					dev.ConfigWrite(0x40|p[1]&0xbc, 4, v)
					dev.ConfigRead(0x40|p[1]&0xbc, 4)
				}
				if c, ok := dev.(*Console); ok && p[0] == 0xff {
					c.Input(p)
					c.ReadOutput(make([]byte, 100))
				}
				if link.receive != nil && p[0] == 0xfe {
					link.receive(Frame{Data: p})
				}
			}
			if g.level != (dev.BARRead(0, g.isr, 1) != 0) {
				t.Error("line and ISR differ")
			}
		}
	})
}

// FuzzRings starts each device properly and then hands it rings that are full
// of noise.
func FuzzRings(f *testing.F) {
	f.Add([]byte{}, uint16(1), true)
	seed := make([]byte, 0x60)
	copy(seed, []byte{0, 0x10, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 0, 1, 0})
	copy(seed[0x10:], []byte{0, 0x12, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 2, 0, 0, 0})
	f.Add(seed, uint16(1), true)
	f.Add(seed, uint16(3), false)
	f.Fuzz(func(t *testing.T, noise []byte, idx uint16, event bool) {
		mem := make(guestRAM, 64<<10)
		link := &testLink{}
		features := uint64(featVersion1 | featIndirectDesc)
		if event {
			features |= featEventIdx
		}
		console := NewConsole(mem, 80, 25)
		devs := []devices.PCIFunction{
			NewRNG(mem, io.LimitReader(&countReader{}, 1<<20)),
			console,
			NewP9(mem, "root", constServer{message(101, 1)}),
			NewNet(mem, [6]byte{2}, 1500, link),
		}
		for _, dev := range devs {
			clear(mem)
			g := plug(t, mem, dev)
			g.start(features)
			for _, q := range g.queues {
				copy(mem[q.desc:], noise)
				for i := range min(q.size, 16) {
					mem[q.avail+4+2*uint64(i)] = byte(i)
				}
				q.next = idx
				mem[q.avail+2], mem[q.avail+3] = byte(idx), byte(idx>>8)
			}
			for _, q := range g.queues {
				dev.BARWrite(0, q.notify, 2, uint32(q.index))
			}
			console.Input(noise)
			console.ReadOutput(make([]byte, 1<<10))
			link.receive(Frame{Data: make([]byte, 60)})
			link.receive(Frame{Data: noise, GSO: GSOTCPv4, GSOSize: 9, CsumStart: 34, CsumOffset: 16})
		}
	})
}

// aheadReader gives available indexes that are always ahead of the device.
type aheadReader struct{ n uint16 }

func (a *aheadReader) Read(p []byte) (int, error) {
	a.n++
	return copy(p, []byte{byte(a.n + 1), byte((a.n + 1) >> 8)}), nil
}

func TestBoundedWork(t *testing.T) {
	mem := make(guestRAM, guestRAMSize)
	src := &aheadReader{}
	g := plug(t, mem, NewRNG(mem, src))
	g.start(featLinux)
	q := g.queues[0]
	// The device writes the available index itself and so never sees the end.
	q.putDesc(q.desc, q.avail+2, 2, 2, 0)
	q.offer(0)
	q.kick()
	if src.n != q.size {
		t.Errorf("%d buffers in one notification, want %d", src.n, q.size)
	}
}

// TestQueueSizes: every queue takes the 64 entries that some systems make without
// asking for the largest size (virtio 1.2, 4.1.4.3 lets a driver only make it
// smaller).
func TestQueueSizes(t *testing.T) {
	_, rng := newRNGGuest(t)
	_, console := newConsoleGuest(t, featLinux)
	_, _, net := newNetGuest(t, netLinux)
	_, p9 := newP9Guest(t, echoServer{})
	for name, g := range map[string]*guest{"rng": rng, "console": console, "net": net, "9p": p9} {
		g.negotiate(g.features)
		for i := range g.queues {
			g.write(22, 2, uint32(i))
			if n := g.read(24, 2); n < 64 {
				t.Errorf("%s: queue %d has %d entries", name, i, n)
			}
		}
	}
}
