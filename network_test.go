package alpinevm

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"alpinevm/internal/guesttest"
	"alpinevm/internal/leaktest"
	"alpinevm/net/usernet"
)

// liveTime is how long a guest on the host's clock may take in a test.
const liveTime = 8 * time.Minute

// networkConfig is the configuration of a guest on the host's clock that has a
// network and runs a shell script. It reaches the host at 10.0.2.2.
func networkConfig(t testing.TB, script string) Config {
	t.Helper()
	if testing.Short() {
		t.Skip("boots a guest")
	}
	cfg := guestConfig(t, "686-pae", script)
	cfg.Deterministic = false
	cfg.Session.Root = guesttest.Root(t, nil)
	cfg.Boot.Modules = guesttest.Modules(t, "686-pae", "virtio_net")
	cfg.Network = &Network{Dialer: &net.Dialer{}, Listener: &net.ListenConfig{}, HostLoopback: true}
	return cfg
}

// live runs the machine to its end.
func (g *guest) live() End {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), liveTime)
	defer cancel()
	end, err := g.Run(ctx)
	if err != nil {
		g.t.Fatalf("%v; %s", err, g.describe())
	}
	return end
}

// serveTCP has f serve each connection to a port of the host's loopback.
func serveTCP(t testing.TB, f func(*net.TCPConn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				f(c.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// serveUDP has f answer each datagram to a port of the host's loopback.
func serveUDP(t testing.TB, f func([]byte) []byte) netip.AddrPort {
	t.Helper()
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := p.ReadFrom(buf)
			if err != nil {
				return
			}
			p.WriteTo(f(buf[:n]), from)
		}
	}()
	return p.LocalAddr().(*net.UDPAddr).AddrPort()
}

// nameServer knows one name.
func nameServer(name string, addr [4]byte) func([]byte) []byte {
	return func(query []byte) []byte {
		var m dnsmessage.Message
		if m.Unpack(query) != nil || len(m.Questions) != 1 {
			return nil
		}
		q := m.Questions[0]
		m.Response = true
		switch {
		case q.Name.String() != name:
			m.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}, Body: &dnsmessage.AResource{A: addr},
			}}
		}
		b, _ := m.Pack()
		return b
	}
}

// pattern is n bytes that do not repeat, and their SHA-1.
func pattern(n int) (data []byte, sum string) {
	data = make([]byte, n)
	r := rand.NewChaCha8([32]byte{})
	r.Read(data)
	s := sha1.Sum(data)
	return data, hex.EncodeToString(s[:])
}

// TestNetwork boots one guest and has it use its network in every way, from
// inside and from outside.
func TestNetwork(t *testing.T) {
	t.Parallel()
	data, sum := pattern(4 << 20)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(data) }))
	defer web.Close()
	webPort := web.Listener.Addr().(*net.TCPAddr).Port
	// The server answers behind the end of what the guest sends.
	sums := serveTCP(t, func(c *net.TCPConn) {
		h := sha1.New()
		n, err := io.Copy(h, c)
		fmt.Fprintf(c, "%d bytes, %v, %x\n", n, err, h.Sum(nil))
	})
	resets := serveTCP(t, func(c *net.TCPConn) {
		c.Read(make([]byte, 1))
		c.SetLinger(0)
	})
	upper := serveUDP(t, func(b []byte) []byte { return []byte(strings.ToUpper(string(b))) })
	const refused = 1 // tcpmux, which nobody serves

	script := fmt.Sprintf(`
exec 2>&1
nc -lk -p 80 -e cat &
nc -lu -p 81 -e cat &
ifconfig eth0 | grep -o 'HWaddr .*[0-9A-F]\|inet addr:[0-9.]*'
route -n | grep ^0.0.0.0
cat /etc/hosts /etc/resolv.conf
ping -c 2 10.0.2.2 | grep -o '.*received'
nslookup -type=a name.example | grep '^Address.* 192'
nslookup -type=a other.example | grep -o NXDOMAIN
wget -q -O /tmp/data http://host:%d/ && sha1sum </tmp/data
nc 10.0.2.2 %d </tmp/data
wget -q -O - http://10.0.2.2:%d/
wget -O - http://10.0.2.2:%d/
wget -O - http://192.168.1.1/
echo datagram | nc -u -w 3 10.0.2.2 %d
read end
exit 0
`, webPort, sums, resets, refused, upper.Port())
	cfg := networkConfig(t, script)
	stdin, done := io.Pipe()
	cfg.Session.Stdin = stdin
	cfg.Network.MAC = [6]byte{2, 0, 0, 0xaa, 0xbb, 0xcc}
	cfg.Network.Hosts = []Host{{"host", usernet.GatewayIP}}
	cfg.Network.DNS = usernet.DNSConfig{Servers: []netip.AddrPort{serveUDP(t, nameServer("name.example.", [4]byte{192, 0, 2, 7}))}, Search: []string{"example"}}
	local := netip.MustParseAddr("127.0.0.1")
	cfg.Network.Forwards = []usernet.Forward{{Network: "tcp", Host: local, Guest: 80}, {Network: "udp", Host: local, Guest: 81}}
	g := newGuest(t, cfg)
	go func() {
		defer done.Close()
		forwards(t, g.Forwarded())
	}()
	g.want(g.live(), Exited, 0)
	want := []string{
		"HWaddr 02:00:00:AA:BB:CC", "inet addr:10.0.2.15",
		"0.0.0.0         10.0.2.2        0.0.0.0         UG    0      0        0 eth0",
		"127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback", "10.0.2.2\thost", "10.0.2.15\talpine",
		"search example", "nameserver 10.0.2.3",
		"2 packets transmitted, 2 packets received", "Address: 192.0.2.7", "NXDOMAIN",
		sum + "  -", fmt.Sprintf("%d bytes, <nil>, %s", len(data), sum),
		"wget: error getting response: Connection reset by peer",
		fmt.Sprintf("Connecting to 10.0.2.2:%[1]d (10.0.2.2:%[1]d)", refused), "wget: can't connect to remote host (10.0.2.2): Connection refused",
		"Connecting to 192.168.1.1 (192.168.1.1:80)", "wget: can't connect to remote host (192.168.1.1): Connection refused",
		"DATAGRAM", "punt!",
	}
	if got := lines(g.stdout.String()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("output:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestNetworkRefused has New refuse what cannot be, and leave nothing running.
func TestNetworkRefused(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	before := leaktest.Now()
	for _, tt := range []struct {
		name, want string
		config     func(*Config)
	}{
		{"deterministic", "deterministic machine has no network", func(c *Config) { c.Deterministic = true }},
		{"multicast", "01:00:00:00:00:00", func(c *Config) { c.Network.MAC[0] = 1 }},
		{"no driver", "virtio_net", func(c *Config) { c.Boot.Modules = guesttest.Modules(t, "686") }},
		{"port taken", "forward tcp 127.0.0.1", func(c *Config) {
			c.Network.Forwards = []usernet.Forward{{
				Network: "tcp", Host: netip.MustParseAddr("127.0.0.1"), Port: uint16(taken.Addr().(*net.TCPAddr).Port), Guest: 80,
			}}
		}},
	} {
		cfg := guestConfig(t, "686", "")
		cfg.Deterministic = false
		cfg.Network = &Network{Dialer: &net.Dialer{}, Listener: &net.ListenConfig{}}
		tt.config(&cfg)
		m, err := New(cfg)
		if err == nil {
			m.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	before.Check(t, 1<<30) // what was refused has no RAM yet
}

// BenchmarkNetwork measures TCP between a program in the guest and one on the
// host in 64 KiB reads and writes.
func BenchmarkNetwork(b *testing.B) {
	const megabytes = 64
	rates := make(chan float64, 1)
	measure := func(copied func() (int64, error)) {
		start := time.Now()
		n, _ := copied()
		rates <- float64(n) / 1e6 / time.Since(start).Seconds()
	}
	sink := serveTCP(b, func(c *net.TCPConn) { measure(func() (int64, error) { return io.Copy(io.Discard, c) }) })
	source := serveTCP(b, func(c *net.TCPConn) {
		measure(func() (int64, error) {
			n, err := io.CopyBuffer(struct{ io.Writer }{c}, io.LimitReader(zeros{}, megabytes<<20), make([]byte, 64<<10))
			c.CloseWrite()
			c.Read(make([]byte, 1)) // until the guest has it all
			return n, err
		})
	})
	for _, way := range []struct{ name, script string }{
		{"send", fmt.Sprintf("nc 10.0.2.2 %d -e dd if=/dev/zero bs=64k count=%d", sink, megabytes*16)},
		{"receive", fmt.Sprintf("nc 10.0.2.2 %d -e dd of=/dev/null bs=64k", source)},
	} {
		b.Run(way.name, func(b *testing.B) {
			sum := 0.0
			for range b.N {
				g := newGuest(b, networkConfig(b, way.script))
				g.want(g.live(), Exited, 0)
				sum += <-rates
			}
			b.ReportMetric(sum/float64(b.N), "MB/s")
		})
	}
}

// zeros reads as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// forwards uses the ports of the host that lead to the guest's echo services.
func forwards(t *testing.T, at []net.Addr) {
	if len(at) != 2 {
		t.Errorf("%d ports are forwarded", len(at))
		return
	}
	data, _ := pattern(1 << 20)
	echo := func() error {
		c, err := net.Dial("tcp", at[0].String())
		if err != nil {
			return err // where the guest does not listen yet, the reset may come that early
		}
		defer c.Close()
		go func() {
			c.Write(data)
			c.(*net.TCPConn).CloseWrite()
		}()
		back, err := io.ReadAll(c)
		if err == nil && !bytes.Equal(back, data) {
			err = fmt.Errorf("%d of %d bytes came back, or others", len(back), len(data))
		}
		return err
	}
	err := echo()
	for deadline := time.Now().Add(liveTime); err != nil && time.Now().Before(deadline); err = echo() {
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Error(err)
	}
	c, err := net.Dial("udp", at[1].String())
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	buf := make([]byte, 100)
	for deadline := time.Now().Add(liveTime); time.Now().Before(deadline); {
		c.Write([]byte("datagram"))
		c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err := c.Read(buf); err == nil {
			if string(buf[:n]) != "datagram" {
				t.Errorf("answer %q", buf[:n])
			}
			return
		}
	}
	t.Error("no answer to a forwarded datagram")
}
