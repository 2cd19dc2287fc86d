package virtio

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// echoServer replies at once with the message, its type one higher.
type echoServer struct{}

func (echoServer) Serve(req []byte, reply func([]byte)) {
	r := bytes.Clone(req)
	r[4]++
	reply(r)
}

func (echoServer) Full() bool { return false }
func (echoServer) Reset()     {}

// heldServer keeps its requests, room of them at a time where that is not 0.
type heldServer struct {
	room, resets int
	reqs         [][]byte
	replies      []func([]byte)
}

func (s *heldServer) Full() bool { return s.room > 0 && len(s.replies) >= s.room }
func (s *heldServer) Reset()     { s.resets++ }

func (s *heldServer) Serve(req []byte, reply func([]byte)) {
	s.reqs = append(s.reqs, bytes.Clone(req))
	s.replies = append(s.replies, reply)
}

// message is a 9P message of the given type and tag.
func message(typ byte, tag uint16, body ...byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(7+len(body)))
	b = append(b, typ)
	b = binary.LittleEndian.AppendUint16(b, tag)
	return append(b, body...)
}

func newP9Guest(t testing.TB, server Server9P) (*P9, *guest) {
	mem := make(guestRAM, guestRAMSize)
	d := NewP9(mem, "rootfs", server)
	g := plug(t, mem, d)
	g.start(featLinux | p9MountTag)
	return d, g
}

func TestP9Tag(t *testing.T) {
	_, g := newP9Guest(t, echoServer{})
	n := g.dev.BARRead(0, g.config, 2)
	var tag []byte
	for i := range n {
		tag = append(tag, byte(g.dev.BARRead(0, g.config+2+i, 1)))
	}
	if string(tag) != "rootfs" {
		t.Errorf("tag %q", tag)
	}
	if v := g.dev.BARRead(0, g.config+2+n, 4); v != 0 {
		t.Errorf("past the tag: %#x", v)
	}
}

func TestP9Exchange(t *testing.T) {
	for _, row := range []struct {
		name     string
		out      []int // how the request is cut
		in       []int
		indirect bool
	}{
		{"whole", []int{11}, []int{64}, false},
		{"header and body", []int{7, 4}, []int{11, 100}, false},
		{"reply in pieces", []int{11}, []int{1, 2, 3, 5}, false},
		{"indirect in pieces", []int{1, 2, 3, 5}, []int{1, 2, 3, 5}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, g := newP9Guest(t, echoServer{})
			q := g.queues[0]
			q.indirect = row.indirect
			msg := message(100, 7, 1, 2, 3, 4)
			var out [][]byte
			for _, n := range row.out {
				out = append(out, msg[:n])
				msg = msg[n:]
			}
			q.add(out, row.in...)
			q.kick()
			b := q.collect()
			if b == nil {
				t.Fatalf("no reply; %v", g.status())
			}
			if got, want := q.bytes(b), message(101, 7, 1, 2, 3, 4); !bytes.Equal(got, want) {
				t.Errorf("reply % x, want % x", got, want)
			}
			if g.interrupted() != isrQueue {
				t.Error("no interrupt")
			}
		})
	}
}

func TestP9LargeMessages(t *testing.T) {
	const msize = 512000
	_, g := newP9Guest(t, echoServer{})
	q := g.queues[0]
	q.indirect = true
	msg := message(118, 1, bytes.Repeat([]byte("0123456789"), (msize-10)/10)...)
	var out [][]byte
	for p := msg; len(p) > 0; {
		n := min(4096, len(p))
		out = append(out, p[:n])
		p = p[n:]
	}
	in := make([]int, 125)
	for i := range in {
		in[i] = 4096
	}
	q.add(out, in...)
	q.kick()
	b := q.collect()
	if b == nil {
		t.Fatal("no reply")
	}
	msg[4]++
	if !bytes.Equal(q.bytes(b), msg) {
		t.Error("reply differs")
	}
}

func TestP9LateReplies(t *testing.T) {
	s := &heldServer{}
	d, g := newP9Guest(t, s)
	q := g.queues[0]
	for tag := range uint16(3) {
		q.add([][]byte{message(100, tag)}, 64)
	}
	q.kick()
	if d.Pending() != 3 || q.collect() != nil || g.level {
		t.Fatalf("%d pending", d.Pending())
	}
	for _, i := range []int{1, 2, 0} {
		s.replies[i](message(101, uint16(i), byte(i)))
		b := q.collect()
		if b == nil || !bytes.Equal(q.bytes(b), message(101, uint16(i), byte(i))) {
			t.Fatalf("reply %d: %+v", i, b)
		}
		if g.interrupted() != isrQueue {
			t.Errorf("reply %d: no interrupt", i)
		}
	}
	if d.Pending() != 0 {
		t.Errorf("%d pending", d.Pending())
	}
	s.replies[0](message(101, 9)) // one too many is ignored
	if q.collect() != nil {
		t.Error("a second reply got through")
	}
}

func TestP9ReplyAfterReset(t *testing.T) {
	for _, row := range []struct {
		name  string
		reset func(d *P9, g *guest)
	}{
		{"device", func(_ *P9, g *guest) { g.write(20, 1, 0) }},
		{"PCI", func(d *P9, _ *guest) { d.Reset() }},
		{"queue", func(_ *P9, g *guest) { g.write(58, 2, 1) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &heldServer{}
			d, g := newP9Guest(t, s)
			if row.name == "queue" {
				g.start(featLinux | featRingReset | p9MountTag)
			}
			g.queues[0].add([][]byte{message(100, 1)}, 64)
			g.queues[0].kick()
			before := s.resets
			row.reset(d, g)
			if s.resets != before+1 || d.Pending() != 0 {
				t.Errorf("%d requests are pending, the server was reset %d times", d.Pending(), s.resets-before)
			}
			g.start(featLinux | p9MountTag)
			q := g.queues[0]
			q.add([][]byte{message(100, 2)}, 64)
			q.kick()
			s.replies[0](message(101, 1))
			if q.collect() != nil || d.Pending() != 1 {
				t.Error("the reply to a request from before the reset got through")
			}
			s.replies[1](message(101, 2))
			if b := q.collect(); b == nil || !bytes.Equal(q.bytes(b), message(101, 2)) {
				t.Errorf("the reply after the reset: %+v", b)
			}
		})
	}
}

// TestP9Flush: flushing is the server's affair, which gives a flushed request
// back unanswered before it answers the Tflush.
func TestP9Flush(t *testing.T) {
	s := &heldServer{}
	d, g := newP9Guest(t, s)
	q := g.queues[0]
	old := q.add([][]byte{message(116, 5)}, 64)
	other := q.add([][]byte{message(116, 6)}, 64)
	flush := q.add([][]byte{message(108, 7, 5, 0)}, 64)
	q.kick()
	s.replies[0](nil)
	s.replies[2](message(109, 7))
	if b := q.collect(); b != old || b.len != 0 {
		t.Errorf("first: %+v", b)
	}
	if b := q.collect(); b != flush || !bytes.Equal(q.bytes(b), message(109, 7)) {
		t.Errorf("second: %+v", b)
	}
	s.replies[0](message(117, 5, 1, 2, 3))
	if q.collect() != nil {
		t.Error("the reply to a flushed request got through")
	}
	s.replies[1](message(117, 6))
	if b := q.collect(); b != other || b.len != 7 {
		t.Errorf("the other request: %+v", b)
	}
	if d.Pending() != 0 || len(q.free) != int(q.size) {
		t.Errorf("%d pending, %d descriptors free", d.Pending(), len(q.free))
	}
}

// TestP9Padding: what lies behind a message in its buffer does not go to the
// server, whatever the buffer's pieces; a size that is no good is the server's
// affair.
func TestP9Padding(t *testing.T) {
	msg := message(100, 7, 1, 2, 3, 4)
	sized := func(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
	for _, row := range []struct {
		name string
		out  [][]byte
		want int
	}{
		{"none", [][]byte{msg}, len(msg)},
		{"in one piece", [][]byte{append(bytes.Clone(msg), make([]byte, 100000)...)}, len(msg)},
		{"in a piece of its own", [][]byte{msg, make([]byte, 100000)}, len(msg)},
		{"message in pieces", [][]byte{msg[:2], msg[2:5], append(bytes.Clone(msg[5:]), 9, 9, 9)}, len(msg)},
		{"size 0", [][]byte{make([]byte, 100)}, p9HeaderSize},
		{"size 4 GiB", [][]byte{sized(1<<32 - 1), make([]byte, 100)}, 104},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &heldServer{}
			d, g := newP9Guest(t, s)
			g.queues[0].add(row.out, 64)
			g.queues[0].kick()
			if len(s.reqs) != 1 || !bytes.Equal(s.reqs[0], bytes.Join(row.out, nil)[:row.want]) {
				t.Errorf("%d requests, want one of %d bytes; %v", len(s.reqs), row.want, d.Err())
			}
		})
	}
}

// TestP9Stall: while the server is full its requests stay in the ring; each reply
// lets it have more, and a reset forgets about it.
func TestP9Stall(t *testing.T) {
	s := &heldServer{room: 2}
	d, g := newP9Guest(t, s)
	q := g.queues[0]
	for tag := range uint16(5) {
		q.add([][]byte{message(100, tag)}, 64)
	}
	q.kick()
	for tag := range byte(5) {
		if want := min(2, 5-int(tag)); d.Pending() != want || len(s.replies) != want || s.reqs[0][5] != tag {
			t.Fatalf("before reply %d: %d pending, the server has %d", tag, d.Pending(), len(s.replies))
		}
		reply := s.replies[0]
		s.reqs, s.replies = s.reqs[1:], s.replies[1:]
		g.interrupted()
		reply(message(101, uint16(tag)))
		if b := q.collect(); b == nil || !bytes.Equal(q.bytes(b), message(101, uint16(tag))) || g.interrupted() != isrQueue {
			t.Fatalf("reply %d: %+v", tag, b)
		}
	}
	for tag := range uint16(3) {
		q.add([][]byte{message(100, tag)}, 64)
	}
	q.kick()
	g.start(featLinux | p9MountTag)
	late := s.replies[0]
	s.reqs, s.replies = nil, nil
	late(message(101, 0))
	if len(s.reqs) != 0 || d.Pending() != 0 {
		t.Errorf("%d requests from before the reset", len(s.reqs))
	}
	g.queues[0].add([][]byte{message(100, 9)}, 64)
	g.queues[0].kick()
	if len(s.reqs) != 1 || s.reqs[0][5] != 9 {
		t.Errorf("after the reset: % x", s.reqs)
	}
}

func TestP9NilReply(t *testing.T) {
	s := &heldServer{}
	_, g := newP9Guest(t, s)
	q := g.queues[0]
	q.add([][]byte{message(116, 5)}, 64)
	q.kick()
	s.replies[0](nil)
	if b := q.collect(); b == nil || b.len != 0 {
		t.Errorf("%+v", b)
	}
}

func TestP9BadRequests(t *testing.T) {
	for _, row := range []struct {
		name string
		out  []byte
		in   int
		want string
	}{
		{"too short", make([]byte, 6), 64, "request of 6"},
		{"no room for a reply", message(100, 1), 6, "room for 6"},
		{"too long", make([]byte, p9MaxRequest+1), 64, "request of 1048577"},
		{"reply too long", message(100, 1, 1, 2, 3), 9, "reply of 10"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d, g := newP9Guest(t, echoServer{})
			g.queues[0].add([][]byte{row.out}, row.in)
			g.queues[0].kick()
			if g.status() != 0x4f || d.Err() == nil || !strings.Contains(d.Err().Error(), row.want) {
				t.Errorf("status %#x, error %v", g.status(), d.Err())
			}
		})
	}
}

// constServer replies without allocating.
type constServer struct{ resp []byte }

func (s constServer) Serve(_ []byte, reply func([]byte)) { reply(s.resp) }
func (constServer) Full() bool                           { return false }
func (constServer) Reset()                               {}

func TestP9NoAllocation(t *testing.T) {
	_, g := newP9Guest(t, constServer{message(101, 1)})
	q := g.queues[0]
	q.add([][]byte{message(100, 1)[:4], message(100, 1)[4:]}, 64)
	head := uint16(0)
	step := func() {
		g.dev.BARWrite(0, q.notify, 2, 0)
		q.offer(head)
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}
