package alpinevm

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"alpinevm/net/usernet"
)

// TestIPv6 has a guest make an address of its own, and reach by name and by address
// what is allowed, over IPv6 alone. The way out is the test's: the host need not
// have IPv6.
func TestIPv6(t *testing.T) {
	t.Parallel()
	data, sum := pattern(1 << 20)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(data) }))
	defer web.Close()
	six := netip.MustParseAddr("2606:4700::1")
	names := serveUDP(t, func(query []byte) []byte {
		var m dnsmessage.Message
		if m.Unpack(query) != nil || len(m.Questions) != 1 {
			return nil
		}
		m.Response = true
		if q := m.Questions[0]; q.Type == dnsmessage.TypeAAAA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}, Body: &dnsmessage.AAAAResource{AAAA: six.As16()},
			}}
		}
		b, _ := m.Pack()
		return b
	})
	cfg := networkConfig(t, `
exec 2>&1
i=0
until ifconfig eth0 | grep -q 'inet6.*Scope:Global' || [ $((i+=1)) -gt 200 ]; do usleep 50000; done
ifconfig eth0 | grep -o 'inet6 addr: fd61:6c70:696e:6576:.*/64 Scope:Global'
wget -q -O - http://six.example/ | sha1sum
wget -q -O - http://[2606:4700::1]/ | sha1sum
wget -O - http://[2606:4700::2]/ | grep -o 'refused'
wget -O - http://other.example/
wget -O - http://[2606:4700::9]/
ping -6 -c 1 -s 3000 2606:4700::1 | grep -o '^[0-9]* bytes from.*: seq\|.*received'
ping -6 -c 1 fd61:6c70:696e:6576::2 | grep -o '.*received'
exit 0
`)
	rules := &usernet.Rules{}
	for _, s := range []string{"six.example", "2606:4700::9"} {
		r, err := usernet.ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		rules.Allow = append(rules.Allow, r)
	}
	cfg.Network.Policy = rules
	cfg.Network.IPv6 = func() bool { return true }
	cfg.Network.DNS = usernet.DNSConfig{Servers: []netip.AddrPort{names}}
	cfg.Network.Ping = func(context.Context, netip.Addr, []byte) error { return nil }
	cfg.Network.Dialer = dialerFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == "[2606:4700::1]:80" {
			address = web.Listener.Addr().String()
		}
		if address == "[2606:4700::9]:80" { // as a host without IPv6 says
			return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	})
	g := newGuest(t, cfg)
	g.want(g.live(), Exited, 0)
	want := []string{
		"inet6 addr: fd61:6c70:696e:6576:5054:ff:fe12:3456/64 Scope:Global", sum + "  -", sum + "  -",
		"Connecting to [2606:4700::2] ([2606:4700::2]:80)", "wget: can't connect to remote host: Connection refused",
		"wget: bad address 'other.example'",
		"Connecting to [2606:4700::9] ([2606:4700::9]:80)", "wget: can't connect to remote host: Network unreachable",
		"3008 bytes from 2606:4700::1: seq", "1 packets transmitted, 1 packets received", "1 packets transmitted, 1 packets received",
	}
	if got := lines(g.stdout.String()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("output:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// dialerFunc makes a Dialer of a function.
type dialerFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (f dialerFunc) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}
