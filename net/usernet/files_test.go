package usernet

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// sink is a file of a test.
type sink struct {
	mu     sync.Mutex
	b      bytes.Buffer
	room   int           // bytes until it fails, if not 0
	hold   chan struct{} // nothing is written before it is closed, if not nil
	closed bool
	failed []string
}

func (s *sink) Write(b []byte) (int, error) {
	if s.hold != nil {
		<-s.hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room > 0 && s.b.Len()+len(b) > s.room {
		return 0, syscall.ENOSPC
	}
	return s.b.Write(b)
}

func (s *sink) Close() error { s.closed = true; return nil }

func (s *sink) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, err.Error())
}

func TestJSONLog(t *testing.T) {
	s := &sink{}
	l := NewJSONLog(s, 1<<20, s.fail)
	began := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	l.Flow(Record{Time: began, Network: "tcp", Guest: guestPort, Remote: publicPort, Names: []string{"a.example"}, Sent: 5, Received: 7, Seconds: 0.5, Allowed: true})
	l.Flow(Record{Time: began, Network: "dns", Names: []string{"evil.example\x1b"}, Why: "no"})
	l.Close()
	l.Close()
	l.Flow(Record{})
	want := `{"time":"2026-11-26T12:00:00Z","proto":"tcp","guest":"10.0.2.15:1000","remote":"1.2.3.1:80","names":["a.example"],"sent":5,"received":7,"seconds":0.5,"allowed":true}
{"time":"2026-11-26T12:00:00Z","proto":"dns","names":["evil.example\u001b"],"sent":0,"received":0,"seconds":0,"allowed":false,"why":"no"}
`
	if s.b.String() != want || !s.closed || s.failed != nil {
		t.Errorf("%s\nwant\n%s\n%v", s.b.String(), want, s.failed)
	}
}

// TestLogBounds: a log that is full, cannot be written or is too slow says so once, and
// has whole lines.
func TestLogBounds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sink  *sink
		limit int64
		want  string
	}{
		{"full", &sink{}, 100_000, "the file is full"},
		{"no space", &sink{room: 100_000}, 1 << 40, syscall.ENOSPC.Error()},
		{"slow", &sink{hold: make(chan struct{})}, 1 << 40, "came faster"},
	} {
		l := NewJSONLog(tt.sink, tt.limit, tt.sink.fail)
		for range 3 * spoolEntries {
			l.Flow(Record{Names: []string{strings.Repeat("x", 200)}})
		}
		if w := l.s.waiting.Load(); w > spoolBytes {
			t.Errorf("%s: %d bytes wait", tt.name, w)
		}
		if tt.sink.hold != nil {
			close(tt.sink.hold)
		}
		l.Close()
		found := slices.ContainsFunc(tt.sink.failed, func(s string) bool { return strings.Contains(s, tt.want) })
		if !found || len(tt.sink.failed) > 2 {
			t.Errorf("%s: said %q", tt.name, tt.sink.failed)
		}
		if int64(tt.sink.b.Len()) > tt.limit {
			t.Errorf("%s: %d bytes were written", tt.name, tt.sink.b.Len())
		}
		if tt.sink.room > 0 {
			continue // where the file ends is the file system's affair
		}
		for line := range strings.Lines(tt.sink.b.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: a line %q", tt.name, line)
			}
		}
	}
}

// TestPcap: the file has the form that tcpdump reads, and frames of both directions.
func TestPcap(t *testing.T) {
	s := &sink{}
	p := NewPcap(s, 1<<20, s.fail)
	c := newCard(t, Config{Capture: p})
	request := arpFrame(GuestIP, guestMAC)
	c.send(request)
	reply := <-c.got
	bad := []byte("a frame that nobody takes") // is seen, too
	c.send(bad)
	c.n.Close()
	c.m.do(func() {})
	p.Close()
	b := s.b.Bytes()
	header := []byte{0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0}
	if !bytes.HasPrefix(b, header) {
		t.Fatalf("the file begins with % x", b[:min(24, len(b))])
	}
	var got [][]byte
	for b = b[len(header):]; len(b) > 0; {
		if len(b) < 16 {
			t.Fatalf("%d bytes are left", len(b))
		}
		sec, n, whole := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint32(b[8:])), int(binary.LittleEndian.Uint32(b[12:]))
		if now := uint32(time.Now().Unix()); n != whole || len(b) < 16+n || sec > now || sec < now-3600 {
			t.Fatalf("a frame at %d of %d, %d bytes", sec, n, whole)
		}
		got = append(got, b[16:16+n])
		b = b[16+n:]
	}
	for _, want := range [][]byte{request, reply, bad} {
		if !slices.ContainsFunc(got, func(b []byte) bool { return bytes.Equal(b, want) }) {
			t.Errorf("the frame % x is not in it", want)
		}
	}
	if s.failed != nil {
		t.Error(s.failed)
	}
}

// TestPace: a direction passes no more than its rate and one bucket.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []int64{1, 1000, 100_000, 10 << 20} {
			p := newPace(rate)
			start := time.Now()
			total := int64(0)
			for total < 5*rate+200_000 {
				n := min(int64(p.chunk), 1000)
				if err := p.wait(t.Context(), int(n)); err != nil {
					t.Fatal(err)
				}
				total += n
			}
			took := time.Since(start).Seconds()
			burst := float64(p.bucket.Burst())
			if most := float64(rate)*took + burst + 1; float64(total) > most {
				t.Errorf("%d bytes a second: %d in %v s", rate, total, took)
			}
			if least := float64(rate)*(took-1) - 1; float64(total) < least {
				t.Errorf("%d bytes a second: only %d in %v s", rate, total, took)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		p := newPace(1)
		p.wait(ctx, largestIPv4)
		go cancel()
		if err := p.wait(ctx, 1000); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if p.allow(100) {
			t.Error("an empty bucket allows")
		}
		if none := newPace(0); none.wait(ctx, 1<<30) != nil || !none.allow(1<<30) {
			t.Error("a pace of no rate holds up")
		}
	})
}

// TestRate: what flows exchange takes its time in both directions: streams and
// datagrams share the rate.
func TestRate(t *testing.T) {
	const rate = 1 << 20
	const size = rate // beside the bucket of a tenth of a second
	web := hostTCP(t, func(c *net.TCPConn) {
		buf := make([]byte, 64<<10)
		for n := 0; n < size; {
			k, err := c.Read(buf)
			if err != nil {
				return
			}
			n += k
		}
		c.Write(noise(size))
	})
	g := newGuest(t, Config{HostLoopback: true, Rate: rate})
	start := time.Now()
	c := g.mustDial(web)
	go c.Write(noise(size))
	buf := make([]byte, 64<<10)
	for n := 0; n < size; {
		k, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	if took := time.Since(start); took < 1700*time.Millisecond {
		t.Errorf("%d bytes each way at %d a second took %v", size, rate, took)
	}
}

// TestRateEnds: a flow that waits for its turn ends when the network does.
func TestRateEnds(t *testing.T) {
	s := newSocket()
	c := newCard(t, Config{Rate: 1, Datagrams: s})
	for range 100 {
		c.send(udpFrame(guestPort, publicPort, make([]byte, 1400)))
	}
	<-s.sent
	c.n.Close()
	eventually(t, "the flow ends", func() bool { return c.n.Flows() == 0 })
	eventually(t, "nothing waits", func() bool { return c.n.udp.waiting.Load() == 0 })
}

// TestEchoPolicy: echo requests are flows, too.
func TestEchoPolicy(t *testing.T) {
	log := &records{}
	asked := make(chan netip.Addr, 10)
	c := newCard(t, Config{Log: log, Policy: &Rules{Allow: rules(t, "1.2.3.1")}, Ping: func(_ context.Context, ip netip.Addr, _ []byte) error {
		asked <- ip
		return nil
	}})
	c.send(icmpFrame(netip.MustParseAddr("1.2.3.2"), 40))
	c.send(icmpFrame(netip.MustParseAddr("1.2.3.1"), 40))
	eventually(t, "the log hears of both", func() bool { return len(log.texts()) == 2 })
	want := []string{"icmp 1.2.3.2:0  refused: " + errNotAllowed.Error(), "icmp 1.2.3.1:0  40/40"}
	if got := log.texts(); !slices.Equal(got, want) || len(asked) != 1 {
		t.Errorf("%q, want %q", got, want)
	}
}
