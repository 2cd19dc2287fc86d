package usernet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsQuery is a packed query.
func dnsQuery(t testing.TB, name string, typ dnsmessage.Type) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4242, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dnsText is an answer as "RCode: data data".
func dnsText(t testing.TB, b []byte) string {
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil {
		t.Fatalf("answer % x: %v", b, err)
	}
	if m.ID != 4242 || !m.Response {
		t.Errorf("header %+v", m.Header)
	}
	s := strings.TrimPrefix(m.RCode.String(), "RCode") + ":"
	for _, a := range m.Answers {
		switch r := a.Body.(type) {
		case *dnsmessage.AResource:
			s += " " + netip.AddrFrom4(r.A).String()
		case *dnsmessage.AAAAResource:
			s += " " + netip.AddrFrom16(r.AAAA).String()
		case *dnsmessage.PTRResource:
			s += " " + r.PTR.String()
		}
	}
	return s
}

// upstream is a server that answers every A query with 192.0.2.1 over UDP, and with
// 192.0.2.2 over TCP, and how it is reached. Names that start with "slow" get no answer.
func upstream(t testing.TB) (netip.AddrPort, Dialer) {
	respond := func(q []byte, last byte) []byte {
		var m dnsmessage.Message
		if m.Unpack(q) != nil || strings.HasPrefix(m.Questions[0].Name.String(), "slow") {
			return nil
		}
		return reply(m.Header, &m.Questions[0], 0, []dnsmessage.ResourceBody{&dnsmessage.AResource{A: [4]byte{192, 0, 2, last}}})
	}
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveUDP(t, p, func(q []byte) []byte { return respond(q, 1) })
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if q, err := readStream(c); err == nil {
					writeStream(c, respond(q, 2))
				}
			}()
		}
	}()
	server := netip.MustParseAddrPort("192.0.2.53:53")
	return server, dialerFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		switch {
		case address == server.String() && network == "udp":
			address = p.LocalAddr().String()
		case address == server.String():
			address = l.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	})
}

func TestDNSAnswers(t *testing.T) {
	up, dialer := upstream(t)
	hosts := map[string][]netip.Addr{
		"Box.example": {netip.MustParseAddr("192.168.7.7"), netip.MustParseAddr("fd00::7")},
		"me":          {netip.MustParseAddr("127.0.1.1")},
		"localhost":   {loopbackIP},
	}
	lookup := func(_ context.Context, name string) ([]netip.Addr, error) {
		switch name {
		case "known.example":
			return []netip.Addr{netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::9")}, nil
		case "broken.example":
			return nil, context.DeadlineExceeded
		}
		return nil, &net.DNSError{IsNotFound: true}
	}
	dead := netip.AddrPortFrom(loopbackIP, 1023) // 1 is the first that package net's own network gives out
	for _, row := range []struct {
		name     string
		cfg      DNSConfig
		loopback bool
		network  string
		query    string
		typ      dnsmessage.Type
		want     string
	}{
		{"forwarded over UDP", DNSConfig{Servers: []netip.AddrPort{up}}, false, "udp", "a.example.", dnsmessage.TypeA, "Success: 192.0.2.1"},
		{"forwarded over TCP", DNSConfig{Servers: []netip.AddrPort{up}}, false, "tcp", "a.example.", dnsmessage.TypeA, "Success: 192.0.2.2"},
		{"second server", DNSConfig{Servers: []netip.AddrPort{dead, up}}, false, "udp", "a.example.", dnsmessage.TypeA, "Success: 192.0.2.1"},
		{"no server answers", DNSConfig{Servers: []netip.AddrPort{dead}}, false, "udp", "a.example.", dnsmessage.TypeA, "ServerFailure:"},
		{"no servers", DNSConfig{}, false, "udp", "a.example.", dnsmessage.TypeA, "ServerFailure:"},
		{"hosts, A", DNSConfig{Hosts: hosts}, false, "udp", "bOX.example.", dnsmessage.TypeA, "Success: 192.168.7.7"},
		{"hosts, AAAA", DNSConfig{Hosts: hosts}, false, "tcp", "box.example.", dnsmessage.TypeAAAA, "Success: fd00::7"},
		{"hosts, MX", DNSConfig{Hosts: hosts, Servers: []netip.AddrPort{up}}, false, "udp", "box.example.", dnsmessage.TypeMX, "Success:"},
		{"hosts, PTR", DNSConfig{Hosts: hosts}, false, "udp", "7.7.168.192.in-addr.arpa.", dnsmessage.TypePTR, "Success: box.example."},
		{"loopback left out", DNSConfig{Hosts: hosts}, false, "udp", "me.", dnsmessage.TypeA, "ServerFailure:"},
		{"loopback as the gateway", DNSConfig{Hosts: hosts}, true, "udp", "me.", dnsmessage.TypeA, "Success: 10.0.2.2"},
		{"localhost left out", DNSConfig{Hosts: hosts}, true, "udp", "localhost.", dnsmessage.TypeA, "ServerFailure:"},
		{"lookup, A", DNSConfig{Lookup: lookup}, false, "udp", "known.example.", dnsmessage.TypeA, "Success: 192.0.2.9"},
		{"lookup, AAAA", DNSConfig{Lookup: lookup}, false, "udp", "known.example.", dnsmessage.TypeAAAA, "Success: 2001:db8::9"},
		{"lookup, not found", DNSConfig{Lookup: lookup}, false, "udp", "unknown.example.", dnsmessage.TypeA, "NameError:"},
		{"lookup, broken", DNSConfig{Lookup: lookup}, false, "udp", "broken.example.", dnsmessage.TypeA, "ServerFailure:"},
		{"lookup, MX", DNSConfig{Lookup: lookup}, false, "udp", "known.example.", dnsmessage.TypeMX, "NotImplemented:"},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := newGuest(t, Config{Dialer: dialer, DNS: row.cfg, HostLoopback: row.loopback, IPv6: func() bool { return true }})
			query := dnsQuery(t, row.query, row.typ)
			var got []byte
			if row.network == "tcp" {
				c := g.mustDial("10.0.2.3:53")
				if err := writeStream(c, query); err != nil {
					t.Fatal(err)
				}
				b, err := readStream(c)
				if err != nil {
					t.Fatal(err)
				}
				got = b
			} else {
				c := g.dialUDP("10.0.2.3:53")
				c.Write(query)
				got = make([]byte, 4096)
				k, err := c.Read(got)
				if err != nil {
					t.Fatal(err)
				}
				got = got[:k]
			}
			if s := dnsText(t, got); s != row.want {
				t.Errorf("%s, want %s", s, row.want)
			}
		})
	}
}

func TestDNSManyAtOnce(t *testing.T) {
	up, dialer := upstream(t)
	g := newGuest(t, Config{Dialer: dialer, DNS: DNSConfig{Servers: []netip.AddrPort{up}}})
	c := g.dialUDP("10.0.2.3:53")
	for i := range 2 * dnsQueries { // more than are asked at a time: these wait, the others are lost
		c.Write(dnsQuery(t, fmt.Sprintf("slow%d.example.", i), dnsmessage.TypeA))
	}
	eventually(t, "the slots are taken", func() bool { return len(g.net.dns.slots) == dnsQueries })
	start := time.Now()
	g.net.Close()
	if d := time.Since(start); d >= dnsDeadline {
		t.Errorf("Close waited %v for the queries", d)
	}
}

func TestHostFiles(t *testing.T) {
	servers, search, err := ParseResolvConf(strings.NewReader(
		"# comment\nnameserver 192.0.2.53 # the first\nnameserver fe80::1%eth0\nnameserver no\nnameserver\n" +
			"search a.example\nsearch b.example c.example\noptions ndots:2\n"))
	if err != nil || fmt.Sprint(servers) != "[192.0.2.53:53 [fe80::1%eth0]:53]" || fmt.Sprint(search) != "[b.example c.example]" {
		t.Errorf("%v %v %v", servers, search, err)
	}
	hosts, err := ParseHosts(strings.NewReader("127.0.0.1 localhost\n192.0.2.1 One.Example one # x\n192.0.2.2 one.example.\nbad name\n"))
	want := map[string][]netip.Addr{
		"localhost":   {loopbackIP},
		"one.example": {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")},
		"one":         {netip.MustParseAddr("192.0.2.1")},
	}
	if err != nil || !reflect.DeepEqual(hosts, want) {
		t.Errorf("%v, %v", hosts, err)
	}
}

func FuzzDNS(f *testing.F) {
	f.Add(dnsQuery(f, "box.example.", dnsmessage.TypeA))
	f.Add(dnsQuery(f, "7.7.168.192.in-addr.arpa.", dnsmessage.TypePTR))
	n, _ := newNetwork(f, Config{DNS: DNSConfig{Hosts: map[string][]netip.Addr{"box.example": {netip.MustParseAddr("192.168.7.7")}}}})
	f.Fuzz(func(t *testing.T, q []byte) {
		if r := n.dns.answer(q, "udp"); r != nil && (r[0] != q[0] || r[1] != q[1] || r[2]&0x80 == 0) {
			t.Errorf("answer % x", r)
		}
	})
}

func FuzzHostFiles(f *testing.F) {
	f.Add("nameserver 192.0.2.53\nsearch a.example\n127.0.0.1 localhost\n")
	f.Fuzz(func(t *testing.T, s string) {
		if _, _, err := ParseResolvConf(strings.NewReader(s)); err != nil {
			t.Error(err)
		}
		hosts, err := ParseHosts(strings.NewReader(s))
		if err != nil {
			t.Error(err)
		}
		for name := range hosts {
			if name != strings.ToLower(name) {
				t.Errorf("name %q", name)
			}
		}
	})
}

// TestDNSForward: the server's word that it cannot answer, silence, garbage and
// refusal lead to the next one.
func TestDNSForward(t *testing.T) {
	code := func(c dnsmessage.RCode) string {
		return hostUDP(t, func(q []byte) []byte {
			var m dnsmessage.Message
			if m.Unpack(q) != nil {
				return nil
			}
			return reply(m.Header, &m.Questions[0], c, nil)
		})
	}
	good := hostUDP(t, func(q []byte) []byte {
		var m dnsmessage.Message
		if m.Unpack(q) != nil {
			return nil
		}
		return reply(m.Header, &m.Questions[0], 0, []dnsmessage.ResourceBody{&dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}})
	})
	silent := hostUDP(t, func([]byte) []byte { return nil })
	garbage := hostUDP(t, func([]byte) []byte { return []byte("what") })
	closed := hostUDP(t, func([]byte) []byte { return nil })
	none := code(dnsmessage.RCodeNameError)
	for _, tt := range []struct {
		name    string
		servers []string
		want    string
	}{
		{"the first", []string{good, silent}, "Success: 192.0.2.1"},
		{"SERVFAIL", []string{code(dnsmessage.RCodeServerFailure), good}, "Success: 192.0.2.1"},
		{"REFUSED", []string{code(dnsmessage.RCodeRefused), good}, "Success: 192.0.2.1"},
		{"NOTIMP", []string{code(dnsmessage.RCodeNotImplemented), good}, "Success: 192.0.2.1"},
		{"FORMERR", []string{code(dnsmessage.RCodeFormatError), good}, "Success: 192.0.2.1"},
		{"silence", []string{silent, good}, "Success: 192.0.2.1"},
		{"silence twice", []string{silent, closed, good}, "Success: 192.0.2.1"},
		{"garbage", []string{garbage, good}, "Success: 192.0.2.1"},
		{"NXDOMAIN is an answer", []string{none, good}, "NameError:"},
		{"all refuse", []string{code(dnsmessage.RCodeRefused), code(dnsmessage.RCodeServerFailure)}, "Refused:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var servers []netip.AddrPort
			for _, s := range tt.servers {
				servers = append(servers, netip.MustParseAddrPort(strings.Replace(s, GatewayIP.String(), loopbackIP.String(), 1)))
			}
			n, _ := newNetwork(t, Config{Dialer: &net.Dialer{}, DNS: DNSConfig{Current: func() []netip.AddrPort { return servers }}})
			if got := dnsText(t, n.dns.answer(dnsQuery(t, "a.example.", dnsmessage.TypeA), "udp")); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
