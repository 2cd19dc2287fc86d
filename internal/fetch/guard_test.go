package fetch

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"alpinevm/net/special"
)

// TestScope: this host's own addresses are never public.
func TestScope(t *testing.T) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok && scopeOf(addr) == special.Public {
				t.Errorf("this host's own %s is public", addr)
			}
		}
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:1": true, "127.9.9.9": true, "[::1]:5000": true, "[::1]": true, "::1": true,
		"localhost.example": false, "10.0.0.1:5000": false, "registry.local": false, "docker.io": false, "0.0.0.0": false, "": false,
	} {
		if got := Loopback(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

// get makes a request and gives what came.
func get(c *Client, url string) (string, error) {
	r, err := (&http.Client{Transport: c}).Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

// hostPort is where a server listens.
func hostPort(srv *httptest.Server) string { return srv.Listener.Addr().String() }

// redirecting is a server that sends everyone to what is in to.
func redirecting(t *testing.T, to *string) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, *to, http.StatusTemporaryRedirect) }))
	t.Cleanup(srv.Close)
	return srv
}

// TestRedirects has a server at an address of this machine, which may send us
// to others there and nowhere else.
func TestRedirects(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "blob") }))
	defer target.Close()
	var to string
	srv := redirecting(t, &to)
	_, port, _ := net.SplitHostPort(hostPort(target))
	for _, to = range []string{target.URL, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port} {
		if got, err := get(New(Config{Host: hostPort(srv)}), srv.URL); got != "blob" {
			t.Errorf("%s: %q, %v", to, got, err)
		}
	}
	for _, host := range []string{
		"10.255.255.1", "172.16.9.9", "192.168.255.254", "169.254.169.254", "0.0.0.0", "198.18.0.1", "[fd00::1]", "[fe80::1]", "[::]",
		"[::ffff:10.0.0.1]", "[64:ff9b::a00:1]",
	} {
		to = "https://" + host + "/latest/meta-data"
		_, err := get(New(Config{Host: hostPort(srv)}), srv.URL)
		var addr *AddressError
		if !errors.As(err, &addr) || addr.Server != "127.0.0.1" || addr.Host != strings.Trim(host, "[]") {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// TestRedirectsOfPublic has a server at an address that counts as public, by
// its port.
func TestRedirectsOfPublic(t *testing.T) {
	var asked atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.WriteString(w, "secret")
	}))
	defer target.Close()
	to := target.URL
	srv := redirecting(t, &to)
	_, port, _ := net.SplitHostPort(hostPort(target))
	for _, tt := range []struct {
		home, to string
		private  bool
		ok       bool
	}{
		{"localhost", target.URL, false, false},
		{"localhost", target.URL, true, true},
		{"127.0.0.1", "http://localhost:" + port, false, false},
		{"127.0.0.1", "http://LOCALHOST.:" + port, false, false},
		{"127.0.0.1", "http://x.localhost:" + port, false, false},
		{"127.0.0.1", target.URL, false, true}, // it is the server's own host
	} {
		c := New(Config{Host: tt.home, Private: tt.private, Plain: true})
		c.guard.scope = publicBut(port)
		_, homePort, _ := net.SplitHostPort(hostPort(srv))
		to = tt.to
		asked.Store(0)
		_, err := get(c, "http://"+tt.home+":"+homePort)
		var addr *AddressError
		if tt.ok != (err == nil) || !tt.ok && !errors.As(err, &addr) || !tt.ok && asked.Load() > 0 {
			t.Errorf("from %s to %s: %v, %d requests", tt.home, tt.to, err, asked.Load())
		}
	}
}

// publicBut has every address be public but those with a port, which are this
// machine's.
func publicBut(port string) func(netip.AddrPort) special.Scope {
	return func(to netip.AddrPort) special.Scope {
		if strings.HasSuffix(to.String(), ":"+port) || to.Port() == 0 {
			return special.LoopBack
		}
		return special.Public
	}
}

// names is a DNS server whose answers change: it gives each address of a name
// once, and the last one for ever.
type names struct {
	mu      sync.Mutex
	answers map[string][]string
	asked   map[string]int
}

// resolver asks n.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go n.serve(server)
		return client, nil
	}}
}

// serve answers requests as over TCP, with their length in front.
func (n *names) serve(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(b) != nil {
			return
		}
		m.Response, m.Authoritative = true, true
		m.Additionals = nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: n.answer(strings.TrimSuffix(q.Name.String(), "."))},
			})
		}
		b, err := m.Pack()
		if err != nil {
			return
		}
		c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	}
}

func (n *names) answer(name string) [4]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.answers[name]
	if n.asked == nil {
		n.asked = map[string]int{}
	}
	i := min(n.asked[name], len(list)-1)
	n.asked[name]++
	return netip.MustParseAddr(list[i]).As4()
}

// TestGuardResolves has names that lead inside, at once or the second time. No
// connection is made.
func TestGuardResolves(t *testing.T) {
	n := &names{answers: map[string][]string{
		"inside.example": {"10.1.2.3"}, "meta.example": {"169.254.169.254"}, "rebound.example": {"127.0.0.1"},
		// A server that says first that it is public, and then that it is here.
		"home.example": {"192.0.2.1", "127.0.0.1"},
	}}
	c := New(Config{Host: "home.example"})
	c.guard.resolve = n.resolver()
	for _, host := range []string{"inside.example", "meta.example", "rebound.example"} {
		conn, err := c.guard.dial(t.Context(), "tcp", host+":443")
		var addr *AddressError
		if conn != nil || !errors.As(err, &addr) || addr.Host != host {
			t.Errorf("%s: %v", host, err)
		}
	}
	// What home is at is not looked at, but remembered.
	for i, want := range []bool{true, false, false} {
		c.guard.scope = func(to netip.AddrPort) special.Scope {
			if i == 1 {
				return special.Public
			}
			return special.LoopBack
		}
		c.guard.admit("home.example", netip.MustParseAddrPort("127.0.0.1:443"), true)
		err := c.guard.admit("rebound.example", netip.MustParseAddrPort("127.0.0.1:80"), true)
		if i == 1 {
			c.guard.scope = func(netip.AddrPort) special.Scope { return special.LoopBack }
			err = c.guard.admit("rebound.example", netip.MustParseAddrPort("127.0.0.1:80"), true)
		}
		if (err == nil) != want {
			t.Errorf("step %d: %v", i, err)
		}
	}
}

func TestPlain(t *testing.T) {
	for url, want := range map[string]bool{
		"http://registry.example/": false, "http://10.0.0.1/": false, "https://registry.example/": true,
		"http://localhost:1/": true, "http://127.0.0.1:1/": true, "http://[::1]:1/": true, "ftp://registry.example/": false,
	} {
		u := mustParse(t, url)
		var plain *PlainError
		if err := New(Config{Host: u.Host}).admit(u); errors.As(err, &plain) == want {
			t.Errorf("%s: %v", url, err)
		}
		if err := New(Config{Host: u.Host, Plain: true}).admit(u); err != nil {
			t.Errorf("%s where that is allowed: %v", url, err)
		}
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
