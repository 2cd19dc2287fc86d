package virtio

import (
	"bytes"
	"testing"
)

func newConsoleGuest(t testing.TB, features uint64) (*Console, *guest) {
	mem := make(guestRAM, guestRAMSize)
	c := NewConsole(mem, 80, 25)
	g := plug(t, mem, c)
	g.start(features)
	return c, g
}

func TestConsoleOutput(t *testing.T) {
	c, g := newConsoleGuest(t, featLinux|consoleSize)
	q := g.queues[consoleTX]
	q.add([][]byte{[]byte("hello, "), []byte("world")})
	q.kick()
	if q.collect() == nil {
		t.Error("the buffer did not come back within the notification")
	}
	p := make([]byte, 8)
	if n := c.ReadOutput(p); string(p[:n]) != "hello, w" || c.Buffered() != 4 {
		t.Errorf("%q, %d left", p[:n], c.Buffered())
	}
	if n := c.ReadOutput(p); string(p[:n]) != "orld" {
		t.Errorf("%q", p[:n])
	}
	if n := c.ReadOutput(p); n != 0 {
		t.Errorf("%d bytes from nothing", n)
	}
}

func TestConsoleOutputIsBounded(t *testing.T) {
	c, g := newConsoleGuest(t, featLinux|consoleSize)
	q := g.queues[consoleTX]
	var sent []byte
	for i := range 3 {
		b := bytes.Repeat([]byte{byte('a' + i)}, consoleOutput/2+i)
		sent = append(sent, b...)
		q.add([][]byte{b[:100], b[100:]})
	}
	q.kick()
	if !c.Full() || c.Buffered() != consoleOutput {
		t.Fatalf("full %v, %d bytes", c.Full(), c.Buffered())
	}
	if q.collect() == nil || q.collect() != nil {
		t.Error("one buffer fits, the second does not")
	}
	var got []byte
	p := make([]byte, 1000)
	for c.Buffered() > 0 {
		got = append(got, p[:c.ReadOutput(p)]...)
	}
	if !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came out of %d, or others", len(got), len(sent))
	}
	for range 2 {
		if q.collect() == nil {
			t.Error("another buffer did not come back")
		}
	}
	if c.Full() {
		t.Error("the console is still full")
	}
}

func TestConsoleInput(t *testing.T) {
	for _, features := range []uint64{featLinux, featVersion1} {
		c, g := newConsoleGuest(t, features)
		q := g.queues[consoleRX]
		if n := c.Input([]byte("early")); n != 5 {
			t.Errorf("accepted %d", n)
		}
		q.add(nil, 3)
		if !q.kick() {
			t.Error("input waits, and the device wants no notification")
		}
		b := q.collect()
		if b == nil || string(q.bytes(b)) != "ear" {
			t.Fatalf("got %+v", b)
		}
		for range 3 {
			q.add(nil, 2, 2)
		}
		q.kick()
		if b := q.collect(); b == nil || string(q.bytes(b)) != "ly" {
			t.Fatalf("got %+v", b)
		}
		g.interrupted()
		if q.kick() {
			t.Error("no input waits, and the device wants a notification")
		}
		c.Input([]byte("late"))
		if b := q.collect(); b == nil || string(q.bytes(b)) != "late" {
			t.Errorf("got %+v", b)
		}
		if g.interrupted() != isrQueue {
			t.Error("no interrupt for input")
		}
	}
}

func TestConsoleInputIsBounded(t *testing.T) {
	c, g := newConsoleGuest(t, featLinux)
	if n := c.Input(make([]byte, consoleInput+5)); n != consoleInput || c.InputRoom() != 0 {
		t.Errorf("accepted %d, room %d", n, c.InputRoom())
	}
	if n := c.Input([]byte("x")); n != 0 {
		t.Errorf("accepted %d when full", n)
	}
	g.queues[consoleRX].add(nil, 100)
	g.queues[consoleRX].kick()
	if c.InputRoom() != 100 {
		t.Errorf("room %d", c.InputRoom())
	}
}

func TestConsoleResize(t *testing.T) {
	c, g := newConsoleGuest(t, featLinux|consoleSize)
	size := func() [2]uint32 {
		return [2]uint32{g.dev.BARRead(0, g.config, 2), g.dev.BARRead(0, g.config+2, 2)}
	}
	if size() != [2]uint32{80, 25} {
		t.Errorf("size %v", size())
	}
	before := g.read(21, 1)
	c.Resize(80, 25)
	if g.level || g.read(21, 1) != before {
		t.Error("a change that is none was announced")
	}
	c.Resize(132, 50)
	if size() != [2]uint32{132, 50} || g.read(21, 1) == before || g.interrupted() != isrConfig {
		t.Errorf("size %v, generation %d", size(), g.read(21, 1))
	}
	g.write(20, 1, 0)
	c.Resize(100, 40)
	if g.level {
		t.Error("interrupt without a driver")
	}
	if size() != [2]uint32{100, 40} {
		t.Errorf("size %v", size())
	}
}

// TestConsoleAnnounces: the first print after a reset, and no other, has the
// driver look at the size.
func TestConsoleAnnounces(t *testing.T) {
	c, g := newConsoleGuest(t, featLinux|consoleSize)
	q := g.queues[consoleTX]
	for range 2 {
		q.add([][]byte{[]byte("hello")})
		q.kick()
		if isr := g.interrupted(); isr&isrConfig == 0 {
			t.Errorf("the first print interrupts with %d", isr)
		}
		q.add([][]byte{[]byte("hello")})
		q.kick()
		if isr := g.interrupted(); isr&isrConfig != 0 {
			t.Errorf("the second print interrupts with %d", isr)
		}
		c.forget(consoleTX)
	}
}

func TestConsoleNoAllocation(t *testing.T) {
	c, g := newConsoleGuest(t, featLinux)
	q := g.queues[consoleTX]
	q.add([][]byte{[]byte("hello"), []byte("world")})
	p := make([]byte, 100)
	step := func() {
		g.dev.BARWrite(0, q.notify, 2, 1)
		c.ReadOutput(p)
		q.offer(0)
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations a write", n)
	}
}
