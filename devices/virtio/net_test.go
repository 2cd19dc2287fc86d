package virtio

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// testLink keeps what it is sent, and offers the frames in queue again.
type testLink struct {
	sent    []Frame
	receive func(Frame) bool
	queue   []Frame
	ready   int
}

func (l *testLink) Send(f Frame) {
	f.Data = bytes.Clone(f.Data)
	l.sent = append(l.sent, f)
}

func (l *testLink) Receive(f func(Frame) bool) { l.receive = f }

func (l *testLink) Ready() {
	l.ready++
	for len(l.queue) > 0 && l.receive(l.queue[0]) {
		l.queue = l.queue[1:]
	}
}

// offer gives a frame to the card and keeps it if it is refused.
func (l *testLink) offer(f Frame) {
	if len(l.queue) > 0 || !l.receive(f) {
		l.queue = append(l.queue, f)
	}
}

var testMAC = [6]byte{0x52, 0x54, 0, 1, 2, 3}

const netLinux = featLinux | netFeatures | netMTU

func newNetGuest(t testing.TB, features uint64) (*Net, *testLink, *guest) {
	mem := make(guestRAM, guestRAMSize)
	link := &testLink{}
	d := NewNet(mem, testMAC, 1500, link)
	g := plug(t, mem, d)
	g.start(features)
	return d, link, g
}

// packet is an Ethernet frame with an IPv4 or IPv6 TCP segment of n payload
// bytes, its checksum left to be completed.
func packet(v6 bool, n int) Frame {
	const ip = 14
	tcp := ip + 20
	if v6 {
		tcp = ip + 40
	}
	b := make([]byte, tcp+20+n)
	for i := range n {
		b[tcp+20+i] = byte(i * 7)
	}
	var pseudo []byte
	if v6 {
		b[12], b[13] = 0x86, 0xdd
		b[ip] = 0x60
		binary.BigEndian.PutUint16(b[ip+4:], uint16(20+n))
		b[ip+6] = 6
		for i := range 32 {
			b[ip+8+i] = byte(i)
		}
		pseudo = append(pseudo, b[ip+8:ip+40]...)
	} else {
		b[12] = 8
		b[ip] = 0x45
		binary.BigEndian.PutUint16(b[ip+2:], uint16(40+n))
		b[ip+4], b[ip+8], b[ip+9] = 0x12, 64, 6
		copy(b[ip+12:], []byte{10, 0, 2, 2, 10, 0, 2, 15})
		binary.BigEndian.PutUint16(b[ip+10:], ^fold(add16(0, b[ip:ip+20])))
		pseudo = append(pseudo, b[ip+12:ip+20]...)
	}
	binary.BigEndian.PutUint32(b[tcp+4:], 1000) // sequence number
	b[tcp+12] = 0x50
	b[tcp+13] = tcpFIN | tcpPSH | 0x10
	pseudo = append(pseudo, 0, 6)
	pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(20+n))
	binary.BigEndian.PutUint16(b[tcp+16:], fold(add16(0, pseudo)))
	return Frame{Data: b, CsumStart: uint16(tcp), CsumOffset: 16}
}

// valid reports whether the checksums of an Ethernet frame with TCP are right.
func valid(b []byte) bool {
	const ip = 14
	tcp, addresses := ip+20, b[ip+12:ip+20]
	if b[12] == 0x86 {
		tcp, addresses = ip+40, b[ip+8:ip+40]
	} else if fold(add16(0, b[ip:tcp])) != 0xffff || int(binary.BigEndian.Uint16(b[ip+2:])) != len(b)-ip {
		return false
	}
	return fold(add16(uint64(6+len(b)-tcp), append(bytes.Clone(addresses), b[tcp:]...))) == 0xffff
}

func TestNetConfig(t *testing.T) {
	d, _, g := newNetGuest(t, netLinux)
	var got []byte
	for i := range uint32(12) {
		got = append(got, byte(g.dev.BARRead(0, g.config+i, 1)))
	}
	want := append(append([]byte{}, testMAC[:]...), 1, 0, 0, 0, 0xdc, 5)
	if !bytes.Equal(got, want) {
		t.Errorf("config % x, want % x", got, want)
	}
	d.LinkUp(false)
	if g.dev.BARRead(0, g.config+6, 2) != 0 || g.interrupted() != isrConfig {
		t.Error("pulling the cable shows nothing")
	}
}

func TestNetFeatureDependencies(t *testing.T) {
	_, _, g := newNetGuest(t, netLinux)
	for _, row := range []struct {
		name     string
		features uint64
		ok       bool
	}{
		{"none", 0, true},
		{"GUEST_TSO4 alone", netGuestTSO4, false},
		{"GUEST_TSO6 alone", netGuestTSO6, false},
		{"GUEST_TSO4 with GUEST_CSUM", netGuestTSO4 | netGuestCsum, true},
		{"GUEST_ECN alone", netGuestECN | netGuestCsum, false},
		{"HOST_TSO4 alone", netHostTSO4, false},
		{"HOST_TSO6 with CSUM", netHostTSO6 | netCsum, true},
		{"HOST_ECN alone", netHostECN | netCsum, false},
		{"CTRL_RX alone", netCtrlRX, false},
		{"CTRL_MAC_ADDR alone", netCtrlMACAddr, false},
	} {
		if ok := g.negotiate(featVersion1 | row.features); ok != row.ok {
			t.Errorf("%s: accepted %v", row.name, ok)
		}
	}
}

func header(flags, gso byte, words ...uint16) []byte {
	h := []byte{flags, gso, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for i, w := range words {
		binary.LittleEndian.PutUint16(h[2+2*i:], w)
	}
	return h
}

func TestNetTransmit(t *testing.T) {
	p := packet(false, 3000)
	for _, row := range []struct {
		name     string
		features uint64
		header   []byte
		data     []byte
		want     *Frame
	}{
		{"plain", netLinux, header(0, 0), p.Data, &Frame{Data: p.Data}},
		{"checksum", netLinux, header(1, 0, 0, 0, 34, 16), p.Data, &p},
		{"large", netLinux, header(1, GSOTCPv4, 54, 1460, 34, 16), p.Data,
			&Frame{Data: p.Data, GSO: GSOTCPv4, HdrLen: 54, GSOSize: 1460, CsumStart: 34, CsumOffset: 16}},
		{"large with ECN", netLinux, header(1, GSOTCPv4|GSOECN, 54, 1460, 34, 16), p.Data,
			&Frame{Data: p.Data, GSO: GSOTCPv4 | GSOECN, HdrLen: 54, GSOSize: 1460, CsumStart: 34, CsumOffset: 16}},
		{"checksum not negotiated", featVersion1, header(1, 0, 0, 0, 34, 16), p.Data, nil},
		{"checksum outside", netLinux, header(1, 0, 0, 0, 3053, 0), p.Data, nil},
		{"checksum far outside", netLinux, header(1, 0, 0, 0, 0xffff, 0xffff), p.Data, nil},
		{"checksum at 0", netLinux, header(1, 0, 0, 0, 0, 16), p.Data, nil},
		{"large without checksum", netLinux, header(0, GSOTCPv4, 54, 1460, 34, 16), p.Data, nil},
		{"large with size 0", netLinux, header(1, GSOTCPv4, 54, 0, 34, 16), p.Data, nil},
		{"TSO not negotiated", netLinux &^ netHostTSO4 &^ netHostECN, header(1, GSOTCPv4, 54, 1460, 34, 16), p.Data, nil},
		{"unknown type", netLinux, header(1, 3, 42, 1460, 34, 6), p.Data, nil},
		{"only ECN", netLinux, header(1, GSOECN, 42, 1460, 34, 6), p.Data, nil},
		{"runt", netLinux, header(0, 0), p.Data[:13], nil},
		{"empty", netLinux, header(0, 0), nil, nil},
		{"largest", netLinux, header(0, 0), make([]byte, netMaxFrame), &Frame{Data: make([]byte, netMaxFrame)}},
		{"giant", netLinux, header(0, 0), make([]byte, netMaxFrame+1), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, cut := range []int{0, 6, 12, 20} {
				_, link, g := newNetGuest(t, row.features)
				q := g.queues[netTX]
				b := append(bytes.Clone(row.header), row.data...)
				k := min(cut, len(b))
				q.add([][]byte{b[:k], b[k:]})
				q.kick()
				if q.collect() == nil {
					t.Fatalf("not used; status %#x", g.status())
				}
				switch {
				case row.want == nil && len(link.sent) != 0:
					t.Errorf("sent %+v", link.sent[0])
				case row.want != nil && len(link.sent) != 1:
					t.Errorf("%d frames sent", len(link.sent))
				case row.want != nil:
					f, w := link.sent[0], *row.want
					if !bytes.Equal(f.Data, w.Data) {
						t.Error("data differ")
					}
					f.Data, w.Data = nil, nil
					if f.GSO != w.GSO || f.GSOSize != w.GSOSize || f.HdrLen != w.HdrLen || f.CsumStart != w.CsumStart || f.CsumOffset != w.CsumOffset {
						t.Errorf("frame %+v, want %+v", f, w)
					}
				}
			}
		})
	}
}

func TestNetTransmitWithoutHeader(t *testing.T) {
	_, _, g := newNetGuest(t, netLinux)
	g.queues[netTX].add([][]byte{make([]byte, 11)})
	g.queues[netTX].kick()
	if g.status() != 0x4f {
		t.Errorf("status %#x", g.status())
	}
}

func TestNetReceive(t *testing.T) {
	large := packet(false, 5000)
	large.GSO, large.GSOSize, large.HdrLen = GSOTCPv4, 1460, 54
	small := packet(false, 100)
	for _, row := range []struct {
		name     string
		features uint64
		frame    Frame
		buffers  []int
		header   []byte
		used     int
	}{
		{"checksum to do", netLinux, small, []int{1526}, header(1, 0, 0, 0, 34, 16, 1), 1},
		{"checksum done", netLinux, Frame{Data: small.Data}, []int{1526}, header(2, 0, 0, 0, 0, 0, 1), 1},
		{"no checksum feature", featVersion1, Frame{Data: small.Data}, []int{1526}, header(0, 0, 0, 0, 0, 0, 1), 1},
		{"merged", netLinux, large, []int{1526, 1526, 1526, 1526, 1526}, header(1, GSOTCPv4, 54, 1460, 34, 16, 4), 4},
		{"large in one", netLinux &^ netMrgRxbuf, large, []int{70000}, header(1, GSOTCPv4, 54, 1460, 34, 16, 1), 1},
		{"exactly full", netLinux, small, []int{100, 66}, header(1, 0, 0, 0, 34, 16, 2), 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, link, g := newNetGuest(t, row.features)
			q := g.queues[netRX]
			for _, n := range row.buffers {
				q.add(nil, n)
			}
			q.kick()
			if !link.receive(row.frame) {
				t.Fatal("refused")
			}
			var got []byte
			n := 0
			for b := q.collect(); b != nil; b = q.collect() {
				got = append(got, q.bytes(b)...)
				n++
			}
			if n != row.used {
				t.Errorf("%d buffers used, want %d", n, row.used)
			}
			if !bytes.Equal(got, append(row.header, row.frame.Data...)) {
				t.Errorf("header % x, want % x (or the data differ)", got[:12], row.header)
			}
			if g.interrupted() != isrQueue {
				t.Error("no interrupt")
			}
		})
	}
}

func TestNetReceiveWaitsForBuffers(t *testing.T) {
	for _, features := range []uint64{netLinux, netLinux &^ featEventIdx} {
		_, link, g := newNetGuest(t, features)
		q := g.queues[netRX]
		q.add(nil, 1526)
		q.kick()
		link.offer(packet(false, 2000))
		link.offer(packet(false, 10))
		if len(link.queue) != 2 || q.collect() != nil {
			t.Fatalf("%d frames wait", len(link.queue))
		}
		for range 3 {
			q.add(nil, 1526)
		}
		if !q.kick() {
			t.Fatal("frames wait, and the device wants no notification")
		}
		if link.ready != 1 || len(link.queue) != 0 {
			t.Errorf("ready %d, %d frames wait", link.ready, len(link.queue))
		}
		n := 0
		for q.collect() != nil {
			n++
		}
		if n != 3 {
			t.Errorf("%d buffers used, want 3", n)
		}
		q.add(nil, 1526)
		if q.kick() {
			t.Error("no frame waits, and the device wants a notification")
		}
	}
}

// TestNetResetLetsTheLinkGoOn: a link whose frame was refused is not left
// waiting for a driver that is gone.
func TestNetResetLetsTheLinkGoOn(t *testing.T) {
	d, link, g := newNetGuest(t, netLinux)
	link.offer(packet(false, 10))
	if len(link.queue) != 1 || !d.refused {
		t.Fatal("a frame was taken without a buffer")
	}
	g.write(20, 1, 0)
	if len(link.queue) != 0 || link.ready != 1 || d.refused {
		t.Errorf("%d frames wait, ready %d, refused %v", len(link.queue), link.ready, d.refused)
	}
}

func TestNetReceiveLoses(t *testing.T) {
	d, link, g := newNetGuest(t, netLinux&^netMrgRxbuf)
	q := g.queues[netRX]
	q.add(nil, 100)
	if !link.receive(packet(false, 1000)) || q.collect() != nil {
		t.Error("a frame larger than its buffer is to be lost")
	}
	if !link.receive(packet(false, 20)) || q.collect() == nil {
		t.Error("the buffer is to serve the next frame")
	}
	d.LinkUp(false)
	if !link.receive(packet(false, 20)) {
		t.Error("refused without a cable")
	}
	g.write(20, 1, 0)
	if !link.receive(packet(false, 20)) {
		t.Error("refused without a driver")
	}
}

func TestNetCutsAndCompletes(t *testing.T) {
	const base = featVersion1 | netMrgRxbuf
	for _, row := range []struct {
		name     string
		features uint64
		v6       bool
		n        int
		gso      bool
		sizes    []int
	}{
		{"checksum", base, false, 100, false, []int{154}},
		{"odd checksum", base, false, 101, false, []int{155}},
		{"checksum of IPv6", base, true, 100, false, []int{174}},
		{"cut", base, false, 3000, true, []int{1514, 1514, 134}},
		{"cut evenly", base, false, 2920, true, []int{1514, 1514}},
		{"cut of one", base, false, 5, true, []int{59}},
		{"cut of IPv6", base, true, 3000, true, []int{1534, 1534, 154}},
		{"cut with only checksums left to the guest", base | netGuestCsum, false, 3000, true, []int{1514, 1514, 134}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, link, g := newNetGuest(t, row.features)
			q := g.queues[netRX]
			for range 8 {
				q.add(nil, 2000)
			}
			f := packet(row.v6, row.n)
			payload := f.Data[int(f.CsumStart)+20:]
			if row.gso {
				f.GSO, f.GSOSize = GSOTCPv4, 1460
				if row.v6 {
					f.GSO = GSOTCPv6
				}
			}
			if !link.receive(f) {
				t.Fatal("refused")
			}
			var got []byte
			for i, size := range row.sizes {
				b := q.collect()
				if b == nil {
					t.Fatalf("segment %d is missing", i)
				}
				p := q.bytes(b)[12:]
				if len(p) != size || !valid(p) {
					t.Errorf("segment %d of %d bytes, want %d; valid: %v", i, len(p), size, valid(p))
				}
				tcp := p[f.CsumStart:]
				if seq := binary.BigEndian.Uint32(tcp[4:]); seq != uint32(1000+len(got)) {
					t.Errorf("segment %d: sequence number %d", i, seq)
				}
				if last := i == len(row.sizes)-1; (tcp[13]&tcpFIN != 0) != last || (tcp[13]&tcpPSH != 0) != last {
					t.Errorf("segment %d: flags %#x", i, tcp[13])
				}
				got = append(got, tcp[20:]...)
			}
			if !bytes.Equal(got, payload) {
				t.Error("payload differs")
			}
			if q.collect() != nil {
				t.Error("one segment too many")
			}
		})
	}
}

func TestNetControl(t *testing.T) {
	for _, row := range []struct {
		name     string
		features uint64
		cmd      []byte
		ack      byte
	}{
		{"promiscuous", netLinux, []byte{0, 0, 1}, 0},
		{"all multicast", netLinux, []byte{0, 1, 1}, 0},
		{"receive command without its byte", netLinux, []byte{0, 1}, 1},
		{"receive command that does not exist", netLinux, []byte{0, 6, 1}, 1},
		{"MAC table", netLinux, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0},
		{"MAC address", netLinux, []byte{1, 1, 2, 3, 4, 5, 6, 7}, 0},
		{"MAC address too short", netLinux, []byte{1, 1, 2, 3, 4, 5, 6}, 1},
		{"not negotiated", featVersion1 | netCtrlVQ, []byte{0, 0, 1}, 1},
		{"unknown class", netLinux, []byte{9, 0, 1}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			d, _, g := newNetGuest(t, row.features)
			q := g.queues[netCtrl]
			q.add([][]byte{row.cmd[:2], row.cmd[2:]}, 1)
			q.kick()
			b := q.collect()
			if b == nil || b.len != 1 || q.bytes(b)[0] != row.ack {
				t.Fatalf("answer %+v", b)
			}
			if row.name == "MAC address" && (d.mac != [6]byte{2, 3, 4, 5, 6, 7} || g.dev.BARRead(0, g.config+5, 1) != 7) {
				t.Errorf("MAC %x", d.mac)
			}
		})
	}
}

// sink takes frames and forgets them.
type sink struct{ receive func(Frame) bool }

func (*sink) Send(Frame)                   {}
func (s *sink) Receive(f func(Frame) bool) { s.receive = f }
func (*sink) Ready()                       {}

func TestNetNoAllocation(t *testing.T) {
	mem := make(guestRAM, guestRAMSize)
	link := &sink{}
	g := plug(t, mem, NewNet(mem, testMAC, 1500, link))
	g.start(netLinux)
	tx, rx := g.queues[netTX], g.queues[netRX]
	f := packet(false, 3000)
	tx.add([][]byte{header(1, 0, 0, 0, 34, 16), f.Data[:1000], f.Data[1000:]})
	for range 3 {
		rx.add(nil, 1526)
	}
	step := func() {
		g.dev.BARWrite(0, tx.notify, 2, 1)
		tx.offer(0)
		if !link.receive(f) {
			t.Fatal("refused")
		}
		for i := range uint16(3) {
			rx.offer(i)
		}
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
