package httpgate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"alpinevm/net/http1"
)

// patience bounds each wait of a test.
const patience = time.Minute

// world is a browser and the hosts that it reaches: handlers by what addresses begin with.
// Those whose address has "closed" in it do not let a page read.
type world struct {
	hosts map[string]http.HandlerFunc
	mu    sync.Mutex
	asked []string
}

func (w *world) find(u string) http.HandlerFunc {
	for prefix, h := range w.hosts {
		if strings.HasPrefix(u, prefix) {
			return h
		}
	}
	return nil
}

func (w *world) Answers(_ context.Context, u string) bool { return w.find(u) != nil }

// answer is an http.ResponseWriter whose body is read as it is written.
type answer struct {
	header http.Header
	head   chan int
	body   *io.PipeWriter
	once   sync.Once
}

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.once.Do(func() { a.head <- status }) }
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(200)
	return a.body.Write(p)
}

func (w *world) Fetch(ctx context.Context, r *Request) (*Response, error) {
	w.mu.Lock()
	w.asked = append(w.asked, r.Method+" "+r.URL)
	w.mu.Unlock()
	h := w.find(r.URL)
	if h == nil || strings.Contains(r.URL, "closed") {
		return nil, errors.New("Failed to fetch")
	}
	q, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	for _, l := range r.Header {
		q.Header.Add(l[0], l[1])
	}
	body, to := io.Pipe()
	a := &answer{header: http.Header{}, head: make(chan int, 1), body: to}
	go func() {
		h(a, q)
		a.WriteHeader(200)
		to.Close()
	}()
	got := &Response{Status: <-a.head, Text: "Said", Body: body}
	for name, values := range a.header {
		got.Header = append(got.Header, [2]string{name, values[0]})
	}
	return got, nil
}

func say(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, text)
	}
}

func gate(t *testing.T, cfg Config) *Gate {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// dial connects as a guest does: the name is looked up, and its address is dialled. What
// takes too long is cut.
func dial(g *Gate, name string, port uint16) (net.Conn, error) {
	if err := g.Lookup(name); err != nil {
		return nil, err
	}
	at, err := g.Addrs(context.Background(), name)
	if err != nil {
		return nil, err
	}
	c, err := g.DialContext(context.Background(), "tcp", netip.AddrPortFrom(at[0], port).String())
	if err == nil {
		time.AfterFunc(patience, func() { c.Close() })
	}
	return c, err
}

// client is a client of HTTP in the guest.
func client(g *Gate) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableCompression: true, DialContext: func(_ context.Context, _, at string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(at)
		if err != nil {
			return nil, err
		}
		return dial(g, host, 80)
	}}}
}

// TestFetch asks hosts for things.
func TestFetch(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 50_000)
	w := &world{hosts: map[string]http.HandlerFunc{
		"http://a.example/large":  say(200, large),
		"http://a.example/none":   say(204, ""),
		"http://a.example/gone":   say(410, "gone"),
		"https://tls.example/":    say(200, "by https"),
		"https://x.tls.example/":  say(200, "below by https"),
		"http://closed.example/":  say(200, "secret"),
		"http://a.example/echo":   func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) },
		"http://a.example/header": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header.Get("X-A"), len(r.Header)) },
		"http://a.example/coded": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Length", "3")
			io.WriteString(w, "longer than three")
		},
	}}
	var told []string
	c := client(gate(t, Config{Fetcher: w, HTTPS: []string{"TLS.example", "*.tls.example"}, Tell: func(s string) { told = append(told, s) }}))
	for _, tt := range []struct {
		method, url, body string
		status            int
		want              string
	}{
		{"GET", "http://a.example/large", "", 200, large},
		{"GET", "http://a.example/none", "", 204, ""},
		{"GET", "http://a.example/gone", "", 410, "gone"},
		{"HEAD", "http://a.example/large", "", 200, ""},
		{"POST", "http://a.example/echo", large, 200, large},
		{"GET", "http://a.example/header", "", 200, "it1"},
		{"GET", "http://a.example/coded", "", 200, "longer than three"},
		{"GET", "http://tls.example/", "", 200, "by https"},
		{"GET", "http://x.tls.example/", "", 200, "below by https"},
		{"TRACE", "http://a.example/", "", 405, "TRACE is no method that a page can fetch by\n"},
		{"POST", "http://a.example/echo", strings.Repeat("x", maxBody+1), 413, "without a relay a request has 16 MiB at the most: the browser takes it whole\n"},
		{"GET", "http://closed.example/", "", 502, "closed.example does not let this page read what it answers: it sends no header Access-Control-Allow-Origin (CORS). A relay, as alpinevm serve has, reaches every host\n"},
		{"GET", "http://closed.example/again", "", 502, "closed.example does not let this page read what it answers: it sends no header Access-Control-Allow-Origin (CORS). A relay, as alpinevm serve has, reaches every host\n"},
		{"GET", "http://nobody.example/", "", 502, "nobody.example cannot be reached by this browser's fetch: it does not answer, or not by http. A relay, as alpinevm serve has, reaches every host\n"},
	} {
		q, err := http.NewRequest(tt.method, tt.url, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("X-A", "it")
		q.Header.Set("If-None-Match", "x")
		q.Header.Set("Range", "bytes=1-2")
		a, err := c.Do(q)
		if err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.url, err)
			continue
		}
		body, err := io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil || a.StatusCode != tt.status || string(body) != tt.want {
			t.Errorf("%s %s: %d, %.200q, %v; want %d, %.200q", tt.method, tt.url, a.StatusCode, body, err, tt.status, tt.want)
		}
		if line := strings.TrimSuffix(tt.want, "\n"); tt.status == 502 && !strings.HasSuffix(a.Status, line) {
			t.Errorf("the status line says %q", a.Status)
		}
	}
	if len(told) != 2 || !strings.Contains(told[0], "closed.example") || !strings.Contains(told[1], "nobody.example") {
		t.Errorf("the user is told %q", told)
	}
}

// TestMirrors: of mirrors the first that answers is asked, first also from then on.
func TestMirrors(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mirrors []string
		secure  bool
		asked   string // for one file, and for another one
		status  int
	}{
		{"none is named", nil, false, "https://dl-cdn.alpinelinux.org/alpine/v3/f https://dl-cdn.alpinelinux.org/alpine/v3/g", 200},
		{"the first", []string{"https://good.example/a/", "https://other.example"}, false, "https://good.example/a/v3/f https://good.example/a/v3/g", 200},
		{"a later one", []string{"http://nobody.example/", "http://closed.example", "http://empty.example", "https://good.example/a"}, false,
			"http://nobody.example/v3/f http://closed.example/v3/f http://empty.example/v3/f https://good.example/a/v3/f https://good.example/a/v3/g", 200},
		{"nobody has it", []string{"http://closed.example", "http://empty.example"}, false, "http://closed.example/v3/f http://empty.example/v3/f http://closed.example/v3/g http://empty.example/v3/g", 404},
		{"none lets read", []string{"http://closed.example"}, false, "http://closed.example/v3/f http://closed.example/v3/g", 502},
		{"by https", []string{"http://good.example/a", "http://localhost:1"}, true, "https://good.example/a/v3/f https://good.example/a/v3/g", 200},
		{"by https, of this computer", []string{"http://localhost:1"}, true, "http://localhost:1/v3/f http://localhost:1/v3/g", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &world{hosts: map[string]http.HandlerFunc{
				"https://dl-cdn.alpinelinux.org/alpine/": say(200, "it"), "https://good.example/a/": say(200, "it"), "http://localhost:1/": say(200, "it"),
				"http://closed.example/": say(200, "it"), "http://empty.example/": say(404, "none"),
			}}
			c := client(gate(t, Config{Fetcher: w, Mirrors: tt.mirrors, Secure: tt.secure}))
			for _, file := range []string{"f", "g"} {
				a, err := c.Get("http://dl-cdn.alpinelinux.org/alpine/v3/" + file)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(a.Body)
				a.Body.Close()
				if err != nil || a.StatusCode != tt.status || tt.status == 502 && !strings.Contains(string(body), "No mirror of Alpine can be fetched: closed.example") {
					t.Errorf("%d %q, %v", a.StatusCode, body, err)
				}
			}
			if got := strings.ReplaceAll(strings.Join(w.asked, " "), "GET ", ""); got != tt.asked {
				t.Errorf("asked was\n%s, want\n%s", got, tt.asked)
			}
		})
	}
}

// TestRefused: what is not fetched is refused, by name or when it is dialled.
func TestRefused(t *testing.T) {
	g := gate(t, Config{Fetcher: &world{}, HTTPS: []string{"tls.example"}})
	for _, name := range []string{
		"localhost", "router", "x.localhost", "printer.local", "db.internal", "x.home.arpa", "1.0.18.198.in-addr.arpa", "127.0.0.1", "127.1", "a.0x7f", "a.0x", "a.09", "",
		"a..example", ".example", "example.", "a b.example", "a/b.example", "ä.example", strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 130) + "example",
	} {
		if err := g.Lookup(name); err == nil {
			t.Errorf("%q is looked up", name)
		}
	}
	for _, name := range []string{"a.example", "xn--bcher-kva.example", "_x.a-b.example", "4.example", "a.b0x1"} {
		if err := g.Lookup(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	known, err := g.Addrs(context.Background(), "a.example")
	if err != nil {
		t.Fatal(err)
	}
	tls, err := g.Addrs(context.Background(), "tls.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		network string
		at      netip.Addr
		port    uint16
		ok      bool
	}{
		{"tcp", known[0], 80, true}, {"tcp", known[0], 443, false}, {"tcp", known[0], 22, false}, {"udp", known[0], 80, false}, {"icmp", known[0], 0, false},
		{"tcp", tls[0], 443, true}, {"tcp", tls[0].Next(), 80, false}, {"tcp", netip.MustParseAddr("10.0.2.2"), 80, false}, {"tcp", netip.MustParseAddr("192.0.2.1"), 80, false}, {"tcp", netip.MustParseAddr("::1"), 80, false},
	} {
		at := netip.AddrPortFrom(tt.at, tt.port)
		c, err := g.DialContext(context.Background(), tt.network, at.String())
		if (err == nil) != tt.ok || (g.Connect(tt.network, at) == nil) != tt.ok {
			t.Errorf("%s %v: %v", tt.network, at, err)
		}
		if err == nil {
			c.Close()
		}
	}
	for _, cfg := range []Config{{Mirrors: []string{"ftp://a.example"}}, {Mirrors: []string{"/packages"}}, {Mirrors: []string{"https://u@a.example/"}}, {HTTPS: []string{"localhost"}}, {HTTPS: []string{"https://a.example"}}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// TestBytes: what is no request that can be fetched is answered in a line.
func TestBytes(t *testing.T) {
	g := gate(t, Config{Fetcher: &world{hosts: map[string]http.HandlerFunc{"http://a.example/": say(200, "it"), "https://tls.example/": say(200, "it")}}, HTTPS: []string{"tls.example"}})
	for _, tt := range []struct {
		host        string
		port        uint16
		bytes, want string // what the answer begins with
	}{
		{"a.example", 80, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Said\r\n"},
		{"a.example", 80, "GET http://A.example/x HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Said\r\n"},
		{"a.example", 80, "GET http://b.example/x HTTP/1.1\r\n\r\n", "HTTP/1.1 400 the address in the request"},
		{"a.example", 80, "OPTIONS * HTTP/1.1\r\n\r\n", "HTTP/1.1 400 the address in the request"},
		{"a.example", 80, "CONNECT b.example:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 the address in the request"},
		{"a.example", 80, "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 400 a page cannot fetch by GET with a body"},
		{"a.example", 80, "SSH-2.0-x\r\n", "HTTP/1.1 400 that is not HTTP/1.1"},
		{"a.example", 80, "", ""},
		{"tls.example", 443, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Said\r\n"},
		{"tls.example", 443, "\x16\x03\x01\x02\x00\x01", "\x15\x03\x03\x00\x02\x02\x28"},
	} {
		c, err := dial(g, tt.host, tt.port)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			io.WriteString(c, tt.bytes)
			c.(*end).CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(got), tt.want) || tt.want == "" && len(got) > 0 {
			t.Errorf("%q: %q, %v", tt.bytes, got, err)
		}
		c.Close()
	}
}

// TestBounds: connections are bounded, those that end make room, and a guest that goes
// away ends what is being fetched for it.
func TestBounds(t *testing.T) {
	gone := make(chan struct{}, 1)
	w := &world{hosts: map[string]http.HandlerFunc{"http://a.example/": func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
				break
			}
		}
		gone <- struct{}{}
	}}}
	g := gate(t, Config{Fetcher: w})
	c, err := dial(g, "a.example", 80)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
	if a, err := http1.ReadResponse(bufio.NewReader(c), "GET"); err != nil || a.Status != 200 {
		t.Fatal(a, err)
	}
	c.Close()
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("what nobody waits for is fetched on")
	}
	var open []net.Conn
	for range maxConns + 1 {
		c, err := dial(g, "a.example", 80)
		if err != nil {
			break
		}
		open = append(open, c)
	}
	if n := len(open); n > maxConns || n < maxConns-1 { // the one before may still be ending
		t.Errorf("%d connections at a time, want %d", n, maxConns)
	}
	for _, c := range open {
		c.Close()
	}
	for end := time.Now().Add(patience); len(g.conns) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are left", len(g.conns))
		}
	}
}
