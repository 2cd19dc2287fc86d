package board

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"alpinevm/bios"
	"alpinevm/devices/virtio"
	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/internal/baretest"
)

// echo is a cable whose other end sends every frame back, a few at a time.
type echo struct {
	receive func(virtio.Frame) bool
	waiting []virtio.Frame
}

func (e *echo) Receive(take func(virtio.Frame) bool) { e.receive = take }

func (e *echo) Send(f virtio.Frame) {
	f.Data = bytes.Clone(f.Data)
	if len(e.waiting) < 8 && !e.receive(f) {
		e.waiting = append(e.waiting, f)
	}
}

func (e *echo) Ready() {
	for len(e.waiting) > 0 && e.receive(e.waiting[0]) {
		e.waiting = e.waiting[1:]
	}
}

// heldServer answers 9P requests when it is told to, also those of before a reset.
type heldServer struct {
	t       *testing.T
	replies []func([]byte)
	old     int // of replies: asked for before the last reset
}

const heldRoom = 8

func (s *heldServer) Full() bool { return len(s.replies)-s.old >= heldRoom }

func (s *heldServer) Reset() { s.old = len(s.replies) }

func (s *heldServer) Serve(_ []byte, reply func([]byte)) {
	if s.Full() {
		s.t.Error("9p: a request more than the server takes")
	}
	s.replies = append(s.replies, reply)
}

// reply answers one of what is asked with n bytes, and says whether it is from before a reset.
func (s *heldServer) reply(which, n int) (old bool) {
	if len(s.replies) == 0 {
		return false
	}
	which %= len(s.replies)
	f := s.replies[which]
	s.replies = append(s.replies[:which:which], s.replies[which+1:]...)
	if old = which < s.old; old {
		s.old--
	}
	if n == 0 {
		f(nil)
	} else {
		f(make([]byte, n))
	}
	return old
}

// driver is a board without a program, which a fuzz input plays the guest of.
type driver struct {
	*Board
	in   []byte
	held *heldServer // of the last device
}

// fuzzMemory holds the rings and little else: it is zeroed for each input.
const fuzzMemory = 2 << 20

// maxFuzzInput is the longest input. What takes more is rather a mixture of shorter ones,
// and to reduce it takes its length squared.
const maxFuzzInput = 300

// newDriver plugs every virtio device that there is. All of it is repeatable and on one
// goroutine: an input that reaches something new once does so again, and its reduction ends.
func newDriver(t *testing.T, in []byte) *driver {
	b, err := New(Config{Memory: fuzzMemory, Console: &Console{Cols: 80, Rows: 25}, DebugExit: 0xf4, Deterministic: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if err := b.PlugNet([6]byte{2}, &echo{}); err != nil {
		t.Fatal(err)
	}
	if err := b.Boot(Image{Firmware: baretest.ROM(baretest.Idle)}); err != nil {
		t.Fatal(err)
	}
	srv := fs9p.New(fs9p.Config{FS: memfs.New(memfs.Config{}), Post: b.Kick})
	t.Cleanup(func() { srv.Close() })
	if err := b.PlugP9("root", srv); err != nil {
		t.Fatal(err)
	}
	held := &heldServer{t: t}
	if err := b.PlugP9("held", held); err != nil {
		t.Fatal(err)
	}
	if len(b.plugged) != fuzzSlots-1 {
		t.Fatalf("%d devices", len(b.plugged))
	}
	if err := bios.AssignPCI(b.bus, b.firmware()); err != nil {
		t.Fatal(err)
	}
	return &driver{Board: b, in: in, held: held}
}

// take gives the next n bytes of the input as a number, zeros past its end.
func (b *driver) take(n int) uint32 {
	var v [4]byte
	b.in = b.in[copy(v[:n], b.in):]
	return binary.LittleEndian.Uint32(v[:])
}

// pick is one of n.
func (b *driver) pick(n int) int { return int(b.take(1)) % n }

// interesting ports come by index, since few of the 65,536 have a device.
var interesting = [...]uint16{
	portPIC1, portPIC1 + 1, portPIC2, portPIC2 + 1, portELCR, portELCR + 1, portPIT, portPIT + 1, portPIT + 2, portPIT + 3, portB,
	portI8042, portI8042 + 4, portA, portCMOS, portCMOS + 1, portPOST, portE9, portDebug, portCOM1, portCOM1 + 1, portCOM1 + 2, portCOM1 + 3,
	portCOM1 + 4, portCOM1 + 5, portCOM2, portACPI, portACPI + 2, portACPI + 4, portACPI + 8, portPCIAddr, portPCIAddr + 4, portPCIAddr + 5, portReset,
}

// Guest-physical places of the rings that start makes.
const (
	fuzzRings  = 0x100000 // 64 KiB a device, 4 KiB a queue
	fuzzSlots  = 6        // the host bridge and the devices
	fuzzQueues = 4
	fuzzSize   = 8 // descriptors a queue
)

// ring is where queue q of the device in slot has its descriptors; the
// available ring follows at 400h, the used ring at 800h.
func ring(slot, q int) uint32 { return fuzzRings + uint32(slot)<<16 + uint32(q)<<12 }

// config accesses a register of a slot's configuration space.
func (b *driver) config(slot int, reg uint32) {
	b.bus.Out(portPCIAddr, 4, 1<<31|uint32(slot)<<11|reg)
}

// bar is where the slot's registers are.
func (b *driver) bar(slot int) uint64 {
	b.config(slot, 0x10)
	return uint64(b.bus.In(portPCIAddr+4, 4) &^ 15)
}

// store writes guest-physical memory, whatever is there.
func (b *driver) store(pa uint64, size int, v uint32) {
	var p [4]byte
	binary.LittleEndian.PutUint32(p[:], v)
	if to, ok := b.mem.View(pa, size, true); ok {
		copy(to, p[:])
		return
	}
	b.mem.WriteMMIO(pa, size, v)
}

// start is a driver's initialisation (virtio 1.2, 3.1.1), with those of the device's
// features that the input wants.
func (b *driver) start(slot int) {
	b.config(slot, 4)
	b.bus.Out(portPCIAddr+4, 2, 6)
	at := b.bar(slot)
	b.store(at+20, 1, 0)
	b.store(at+20, 1, 3)
	for i := range uint32(2) {
		b.store(at, 4, i)
		b.store(at+8, 4, i)
		b.store(at+12, 4, (b.take(4)|i)&b.mem.ReadMMIO(at+4, 4)) // else it does not start
	}
	b.store(at+20, 1, 11)
	for q := range fuzzQueues {
		b.store(at+22, 2, uint32(q))
		b.store(at+24, 2, fuzzSize)
		b.store(at+32, 4, ring(slot, q))
		b.store(at+40, 4, ring(slot, q)+0x400)
		b.store(at+48, 4, ring(slot, q)+0x800)
		b.store(at+28, 2, 1)
	}
	b.store(at+20, 1, 15)
}

// describe writes a descriptor; its buffer lies in the queue's page unless the
// input has its own address.
func (b *driver) describe(slot, q int) {
	at := uint64(ring(slot, q)) + 16*uint64(b.pick(fuzzSize))
	addr := ring(slot, q) + 0xa00 + b.take(1)
	if b.pick(8) == 0 {
		addr = b.take(4)
	}
	b.store(at, 4, addr)
	b.store(at+4, 4, 0)
	b.store(at+8, 4, b.take(2))
	b.store(at+12, 2, uint32(b.pick(8)))
	b.store(at+14, 2, b.take(1)%(2*fuzzSize))
}

// offer makes a descriptor available and notifies the device.
func (b *driver) offer(slot, q int) {
	avail := uint64(ring(slot, q)) + 0x400
	p, _ := b.mem.View(avail, 4, false)
	idx := binary.LittleEndian.Uint16(p[2:])
	b.store(avail+4+2*uint64(idx%fuzzSize), 2, uint32(b.pick(2*fuzzSize)))
	b.store(avail+2, 2, uint32(idx)+1)
	b.store(b.bar(slot)+0x3000+4*uint64(q), 2, uint32(q))
}

// used is how many buffers queue 0 of the device in slot has been given back.
func (b *driver) used(slot int) uint32 {
	p, _ := b.mem.View(uint64(ring(slot, 0))+0x802, 2, false)
	return uint32(binary.LittleEndian.Uint16(p))
}

// FuzzBoard plays a hostile driver of all devices at once: ports, PCI
// configuration and regions that move, rings and what lies in them, time.
// Nothing may panic, and every step must end.
func FuzzBoard(f *testing.F) {
	// Each device is started, given a buffer and a descriptor that loops.
	for slot := range byte(5) {
		in := []byte{4, slot, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
		for q := range byte(3) {
			in = append(in, 5, slot, q, 0, 0, 1, 64, 0, 0, 0, 6, slot, q, 0, 7, 5, slot, q, 1, 0, 1, 9, 1, 1, 1, 6, slot, q, 1)
		}
		f.Add(in)
	}
	// A 9p request of one byte too few and one that is right are asked, the device is reset,
	// they are answered, and it is asked again.
	ask := []byte{5, 5, 0, 0, 0, 1, 64, 0, 1, 1, 5, 5, 0, 1, 64, 1, 0, 4, 2, 0, 6, 5, 0, 0, 6, 5, 0, 0}
	start := []byte{4, 5, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	f.Add(slices.Concat(start, ask, start, []byte{9, 0, 16, 0, 9, 0, 16, 0}, ask, []byte{9, 1, 16, 0, 9, 0, 0, 0}))
	f.Add([]byte{0, 12, 0, 0xfe, 7, 0, 33, 0, 6, 7})                                                    // resets
	f.Add([]byte{0, 30, 2, 0x10, 8, 0, 0x80, 0, 31, 2, 0, 0, 0, 0xe0, 2, 0, 0, 0, 0xe0, 2, 1, 2, 3, 4}) // a region that moves
	f.Add([]byte{0, 9, 0, 0x34, 0, 6, 0, 1, 0, 6, 0, 0, 7, 7, 7})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > maxFuzzInput {
			return
		}
		b := newDriver(t, in)
		for len(b.in) > 0 && !b.off {
			switch b.pick(10) {
			case 0:
				b.bus.Out(interesting[b.pick(len(interesting))], 1<<b.pick(3), b.take(4))
			case 1:
				b.bus.In(interesting[b.pick(len(interesting))], 1<<b.pick(3))
			case 2:
				b.store(uint64(b.take(4)), 1<<b.pick(3), b.take(4))
			case 3:
				b.store(b.bar(b.pick(fuzzSlots))+uint64(b.take(2)), 1<<b.pick(3), b.take(4))
			case 4:
				b.start(b.pick(fuzzSlots))
			case 5:
				b.describe(b.pick(fuzzSlots), b.pick(fuzzQueues))
			case 6:
				b.offer(b.pick(fuzzSlots), b.pick(fuzzQueues))
			case 7:
				b.Step()
			case 8:
				at := ring(b.pick(fuzzSlots), b.pick(fuzzQueues))
				b.store(uint64(at+0xa00+b.take(1)), 4, b.take(4))
			case 9:
				before := b.used(len(b.plugged))
				if b.held.reply(int(b.take(1)), int(b.take(2))) && b.used(len(b.plugged)) != before {
					t.Fatal("9p: an answer to what was asked before a reset")
				}
			}
		}
	})
}
