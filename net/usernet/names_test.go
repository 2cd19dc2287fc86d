package usernet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// records is a Log that keeps what it hears.
type records struct {
	mu   sync.Mutex
	list []Record
}

func (r *records) Flow(x Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, x)
}

// texts are what was heard, as "proto remote names why sent/received".
func (r *records) texts() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.list {
		s := fmt.Sprintf("%s %v %s", x.Network, x.Remote, strings.Join(x.Names, ","))
		if x.Network == "dns" {
			s = fmt.Sprintf("dns %s", strings.Join(x.Names, ","))
		}
		if x.Why != "" {
			s += " refused: " + x.Why
		} else if x.Network != "dns" {
			s += fmt.Sprintf(" %d/%d", x.Sent, x.Received)
		}
		if x.Allowed != (x.Why == "") {
			s += " BUG"
		}
		list = append(list, s)
	}
	return list
}

// zone is a name server that knows some names, and remembers what it was asked for.
type zone struct {
	records map[string][]dnsmessage.Resource
	mu      sync.Mutex
	asked   []string
}

func (z *zone) answer(q []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(q) != nil {
		return nil
	}
	name := m.Questions[0].Name.String()
	z.mu.Lock()
	z.asked = append(z.asked, name)
	z.mu.Unlock()
	m.Response = true
	for _, r := range z.records[strings.ToLower(name)] {
		if r.Header.Type == m.Questions[0].Type || r.Header.Type == dnsmessage.TypeCNAME || r.Header.Name != m.Questions[0].Name {
			m.Answers = append(m.Answers, r)
		}
	}
	b, _ := m.Pack()
	return b
}

func a(name, ip string, ttl uint32) dnsmessage.Resource {
	addr := netip.MustParseAddr(ip)
	h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: ttl}
	if addr.Is6() {
		h.Type = dnsmessage.TypeAAAA
		return dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}}
	}
	h.Type = dnsmessage.TypeA
	return dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: addr.As4()}}
}

func cname(name, to string) dnsmessage.Resource {
	return dnsmessage.Resource{
		Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Class: dnsmessage.ClassINET, TTL: 60, Type: dnsmessage.TypeCNAME},
		Body:   &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(to)},
	}
}

// elsewhere is a Dialer for which every address is one of the host's loopback, but for
// those of name servers.
func elsewhere(server string) dialerFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(address); host != "127.0.0.1" {
			address = server
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

func hostSide(viaGateway string) netip.AddrPort {
	return netip.AddrPortFrom(loopbackIP, netip.MustParseAddrPort(viaGateway).Port())
}

// lookup asks the network's name server as a program in the guest does.
func (g *guest) lookup(name string) string {
	g.t.Helper()
	c := g.dialUDP("10.0.2.3:53")
	defer c.Close()
	c.Write(dnsQuery(g.t, name, dnsmessage.TypeA))
	buf := make([]byte, 4096)
	k, err := c.Read(buf)
	if err != nil {
		g.t.Fatal(err)
	}
	return dnsText(g.t, buf[:k])
}

// TestNames: what is allowed by name is reached once it was looked up, at the
// addresses that the answer gave and nowhere else; no other name leaves the guest.
func TestNames(t *testing.T) {
	z := &zone{records: map[string][]dnsmessage.Resource{
		"good.example.":    {a("good.example.", "1.2.3.1", 300)},
		"alias.example.":   {a("cdn.example.net.", "1.2.3.2", 300), cname("alias.example.", "cdn.example.net."), a("forged.example.", "1.2.3.9", 300)},
		"rebound.example.": {a("rebound.example.", "10.9.9.9", 300)},
	}}
	server := hostUDP(t, z.answer)
	web := hostTCP(t, func(c *net.TCPConn) {
		buf := make([]byte, 100)
		k, _ := c.Read(buf)
		c.Write([]byte(strings.ToUpper(string(buf[:k]))))
	})
	log := &records{}
	g := newGuest(t, Config{
		Dialer: elsewhere(hostSide(web).String()), Log: log, DNS: DNSConfig{Servers: []netip.AddrPort{hostSide(server)}},
		Policy: &Rules{Allow: rules(t, "good.example:80", "alias.example", "rebound.example")},
	})
	talk := func(addr string) string {
		c, err := g.dial(addr)
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		c.Write([]byte("hello"))
		buf := make([]byte, 100)
		k, err := c.Read(buf)
		if err != nil {
			return err.Error()
		}
		return string(buf[:k])
	}
	for _, step := range []struct{ do, want string }{
		{"1.2.3.1:80", "refused"}, // not looked up
		{"good.example.", "Success: 1.2.3.1"},
		{"1.2.3.1:80", "HELLO"},
		{"1.2.3.1:81", "refused"},
		{"GOOD.example.", "Success: 1.2.3.1"},
		{"alias.example.", "Success: 1.2.3.2 1.2.3.9"},
		{"1.2.3.2:443", "HELLO"},
		{"1.2.3.9:443", "refused"}, // no alias leads there
		{"cdn.example.net.", "NameError:"},
		{"secret.of.the.guest.evil.example.", "NameError:"},
		{"4.3.2.1.in-addr.arpa.", "NameError:"},
		{"rebound.example.", "Success: 10.9.9.9"},
		{"10.9.9.9:80", "refused"},
	} {
		got := ""
		if strings.HasSuffix(step.do, ".") {
			got = g.lookup(step.do)
		} else {
			got = talk(step.do)
		}
		if got != step.want && !strings.HasSuffix(got, step.want) {
			t.Errorf("%s: %q, want %q", step.do, got, step.want)
		}
	}
	z.mu.Lock()
	if want := []string{"good.example.", "GOOD.example.", "alias.example.", "rebound.example."}; !slices.Equal(z.asked, want) {
		t.Errorf("the name server was asked for %q, want %q", z.asked, want)
	}
	z.mu.Unlock()
	eventually(t, "the flows end", func() bool { return g.net.Flows() == 0 })
	refused := " refused: " + errNotAllowed.Error()
	want := []string{
		"tcp 1.2.3.1:80 " + refused, "dns good.example", "tcp 1.2.3.1:80 good.example 5/5", "tcp 1.2.3.1:81 good.example" + refused,
		"dns good.example", "dns alias.example", "tcp 1.2.3.2:443 alias.example 5/5", "tcp 1.2.3.9:443 " + refused, "dns cdn.example.net" + refused,
		"dns secret.of.the.guest.evil.example" + refused, "dns 4.3.2.1.in-addr.arpa" + refused, "dns rebound.example",
		"tcp 10.9.9.9:80 rebound.example refused: " + Defaults[Private].refused().Error(),
	}
	got := log.texts()
	slices.Sort(got) // a flow is told of at its end
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestNameQueries: queries by which a name could pass that nobody has looked at.
func TestNameQueries(t *testing.T) {
	z := &zone{}
	server := hostUDP(t, z.answer)
	n, _ := newNetwork(t, Config{DNS: DNSConfig{Servers: []netip.AddrPort{hostSide(server)}}, Policy: &Rules{Allow: rules(t, "good.example")}})
	question := func(name string) dnsmessage.Question {
		return dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET}
	}
	var opt dnsmessage.Resource
	opt.Header.SetEDNS0(4096, 0, false)
	opt.Body = &dnsmessage.OPTResource{}
	for _, tt := range []struct {
		name string
		m    dnsmessage.Message
		want dnsmessage.RCode
		ede  bool
	}{
		{"two questions", dnsmessage.Message{Questions: []dnsmessage.Question{question("good.example."), question("evil.example.")}}, dnsmessage.RCodeFormatError, false},
		{"update", dnsmessage.Message{Header: dnsmessage.Header{OpCode: 5}, Questions: []dnsmessage.Question{question("good.example.")}}, dnsmessage.RCodeNotImplemented, false},
		{"refused", dnsmessage.Message{Questions: []dnsmessage.Question{question("evil.example.")}}, dnsmessage.RCodeNameError, false},
		{"refused with EDNS", dnsmessage.Message{Questions: []dnsmessage.Question{question("evil.example.")}, Additionals: []dnsmessage.Resource{opt}}, dnsmessage.RCodeNameError, true},
	} {
		q, err := tt.m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var m dnsmessage.Message
		if err := m.Unpack(n.dns.answer(q, "udp")); err != nil {
			t.Fatal(err)
		}
		ede := len(m.Additionals) == 1 && m.Additionals[0].Body.(*dnsmessage.OPTResource).Options[0].Code == optExtendedError
		if m.RCode != tt.want || ede != tt.ede || !m.Response {
			t.Errorf("%s: %+v", tt.name, m)
		}
	}
	if len(z.asked) != 0 {
		t.Errorf("the name server was asked for %q", z.asked)
	}
}

func TestPins(t *testing.T) {
	now := time.Unix(0, 0)
	p := newPins()
	p.now = func() time.Time { return now }
	ip := netip.MustParseAddr("1.2.3.4")
	answer := func(rs ...dnsmessage.Resource) {
		m := dnsmessage.Message{Header: dnsmessage.Header{Response: true}, Answers: rs}
		m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("Name.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		p.learn(b)
	}
	for _, tt := range []struct {
		ttl  uint32
		last time.Duration
	}{{0, pinLeast}, {59, pinLeast}, {300, 5 * time.Minute}, {1<<31 - 1, pinMost}} {
		now = now.Add(2 * pinMost)
		answer(a("name.example.", ip.String(), tt.ttl))
		now = now.Add(tt.last - 1)
		if got := p.names(ip); !slices.Equal(got, []string{"name.example"}) {
			t.Errorf("TTL %d: %q just before its end", tt.ttl, got)
		}
		now = now.Add(1)
		if got := p.names(ip); got != nil {
			t.Errorf("TTL %d: %q after its end", tt.ttl, got)
		}
	}
	answer(a("name.example.", ip.String(), 600))
	answer(a("name.example.", ip.String(), 1)) // takes nothing away
	now = now.Add(9 * time.Minute)
	if p.names(ip) == nil {
		t.Error("a shorter answer has ended a longer one")
	}
	long := []dnsmessage.Resource{a("x99.example.", "1.2.3.5", 60)}
	for i := range 99 {
		long = append(long, cname(fmt.Sprintf("x%d.example.", i), fmt.Sprintf("x%d.example.", i+1)))
	}
	answer(append(long, cname("name.example.", "x0.example."))...)
	if got := p.names(netip.MustParseAddr("1.2.3.5")); got != nil {
		t.Errorf("an endless chain leads to %q", got)
	}
	p.learn([]byte("no message"))
}

// TestPinsBound: however many names lead to however many addresses.
func TestPinsBound(t *testing.T) {
	p := newPins()
	for i := range 5 * maxPins {
		p.add(fmt.Sprintf("n%d", i), netip.AddrFrom4([4]byte{1, 2, byte(i >> 8), byte(i)}), time.Hour)
		p.add(fmt.Sprintf("n%d", i), netip.AddrFrom4([4]byte{9, 9, 9, 9}), time.Hour)
		if len(p.until) > maxPins || len(p.addrs) > maxPins || len(p.addrs[netip.AddrFrom4([4]byte{9, 9, 9, 9})]) > maxNames {
			t.Fatalf("%d pins, %d addresses", len(p.until), len(p.addrs))
		}
	}
	if p.names(netip.AddrFrom4([4]byte{9, 9, 9, 9})) == nil {
		t.Error("the newest is forgotten")
	}
}

// TestForwardPolicy: a forwarded port has flows of its own in the log and the policy.
func TestForwardPolicy(t *testing.T) {
	for _, tt := range []struct {
		deny string
		want string
	}{
		{"9.9.9.0/24", "tcp in 127.0.0.1 true"},
		{"127.0.0.0/8", "tcp in 127.0.0.1 false --deny 127.0.0.0/8"},
	} {
		log := &records{}
		n, _ := newNetwork(t, Config{
			Log: log, Policy: &Rules{Only: true, Deny: rules(t, tt.deny)}, Limits: Limits{Dial: 10 * time.Millisecond},
			Forwards: []Forward{{Network: "tcp", Host: loopbackIP, Guest: 80}},
		})
		if c, err := net.Dial("tcp", n.Forwarded()[0].String()); err == nil { // else the reset has come that early
			defer c.Close()
		}
		eventually(t, "the log hears of it", func() bool { return len(log.texts()) == 1 })
		r := log.list[0]
		if got := strings.TrimSpace(fmt.Sprintf("%s in %v %v %s", r.Network, r.Remote.Addr(), r.Allowed, r.Why)); got != tt.want || !r.Inbound {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// TestLogAtEnd: the log has the flows that the network's end cuts.
func TestLogAtEnd(t *testing.T) {
	web := hostTCP(t, func(c *net.TCPConn) { c.Read(make([]byte, 1)); c.Read(make([]byte, 1)) })
	log := &records{}
	g := newGuest(t, Config{Log: log, Dialer: elsewhere(hostSide(web).String()), Datagrams: newSocket()})
	c := g.mustDial("1.2.3.1:80")
	c.Write([]byte("x"))
	g.dialUDP("1.2.3.2:53").Write([]byte("y"))
	eventually(t, "both are there", func() bool { return g.net.Flows() == 2 })
	g.net.Close()
	got := log.texts()
	slices.Sort(got)
	if len(got) != 2 || !strings.HasPrefix(got[0], "tcp 1.2.3.1:80") || !strings.HasPrefix(got[1], "udp 1.2.3.2:53") {
		t.Errorf("the log has %q", got)
	}
}

// lookingLog is a log that looks whether the flow that it is told of still counts as open.
type lookingLog struct {
	n    *Network
	open int
}

func (l *lookingLog) Flow(Record) {
	l.n.accounts.Range(func(any, any) bool {
		l.open++
		return true
	})
}

// TestLogAtOnce: a flow that ends as the network does is open until it has been told, so
// that the network's end waits for that.
func TestLogAtOnce(t *testing.T) {
	log := &lookingLog{}
	log.n = &Network{cfg: Config{Log: log}}
	log.n.open(Flow{Network: "tcp"}).close(nil)
	if log.open != 1 {
		t.Errorf("%d flows are open while one is told", log.open)
	}
	log.n.closeAccounts()
	if log.open != 1 {
		t.Errorf("a flow is told again")
	}
}

// TestUDPPolicy: an answer comes only from where the guest may send to.
func TestUDPPolicy(t *testing.T) {
	s := newSocket()
	log := &records{}
	c := newCard(t, Config{Datagrams: s, Log: log, Policy: &Rules{Allow: rules(t, "1.2.3.1:69", "1.2.3.1:4000-4999")}})
	c.send(arpFrame(GuestIP, guestMAC))
	<-c.got
	c.send(udpFrame(guestPort, netip.MustParseAddrPort("1.2.3.2:69"), []byte("x")))
	c.send(udpFrame(guestPort, netip.MustParseAddrPort("1.2.3.1:69"), []byte("xyz")))
	if d := <-s.sent; d.to.String() != "1.2.3.1:69" {
		t.Errorf("sent to %v", d.to)
	}
	s.in <- datagram{netip.MustParseAddrPort("1.2.3.1:9999"), []byte("no")}
	s.in <- datagram{netip.MustParseAddrPort("1.2.3.1:4001"), []byte("yes")}
	for {
		b := <-c.got
		if b[23] != 17 { // the refusal of the first datagram comes first
			continue
		}
		if string(b[len(b)-3:]) != "yes" {
			t.Errorf("got % x", b)
		}
		break
	}
	c.n.Close()
	eventually(t, "the log hears of the flows", func() bool { return len(log.texts()) == 4 })
	want := []string{
		"udp 1.2.3.1:4001  0/3", "udp 1.2.3.1:69  3/0", "udp 1.2.3.1:9999  refused: " + errNotAllowed.Error(), "udp 1.2.3.2:69  refused: " + errNotAllowed.Error(),
	}
	got := log.texts()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
