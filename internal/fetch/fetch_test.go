package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// slept makes c remember pauses and make none.
func slept(c *Client) *[]time.Duration {
	var list []time.Duration
	c.sleep = func(_ context.Context, d time.Duration) error {
		list = append(list, d)
		return nil
	}
	return &list
}

func TestRetryAfter(t *testing.T) {
	date := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC).Format(http.TimeFormat)
	for _, tt := range []struct {
		value, date string
		want        time.Duration
		ok          bool
	}{
		{"0", "", 0, true}, {"7", "", 7 * time.Second, true}, {" 120 ", "", 2 * time.Minute, true},
		{"Thu, 26 Nov 2026 12:00:20 GMT", date, 20 * time.Second, true}, {"Thu, 26 Nov 2026 11:00:00 GMT", date, 0, true},
		{"Thursday, 26-Nov-26 12:00:20 GMT", date, 20 * time.Second, true},
		{"", "", 0, false}, {"-1", "", 0, false}, {"soon", "", 0, false}, {"1.5", "", 0, false}, {"99999999999999999999", "", 0, false},
	} {
		got, ok := RetryAfter(http.Header{"Retry-After": {tt.value}, "Date": {tt.date}})
		if got != tt.want || ok != tt.ok {
			t.Errorf("%q: %v, %v", tt.value, got, ok)
		}
	}
	at := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if d, ok := RetryAfter(http.Header{"Retry-After": {at}}); !ok || d < 50*time.Minute || d > time.Hour {
		t.Errorf("without the server's date: %v, %v", d, ok)
	}
}

// TestBusy has servers that have too much to do for a while.
func TestBusy(t *testing.T) {
	for _, tt := range []struct {
		name    string
		status  int
		answers []string // Retry-After of one after the other; "" is none
		waits   []time.Duration
		left    int // of the answers, when we give up
		later   time.Duration
	}{
		{"too many requests", 429, []string{"2"}, []time.Duration{2 * time.Second}, 0, 0},
		{"unavailable", 503, []string{"2", "3"}, []time.Duration{2 * time.Second, 3 * time.Second}, 0, 0},
		{"a date", 429, []string{"DATE+20"}, []time.Duration{20 * time.Second}, 0, 0},
		{"at once", 503, []string{"0", "0"}, []time.Duration{0, 0}, 0, 0},
		{"as long as is bearable", 429, []string{"30"}, []time.Duration{30 * time.Second}, 0, 0},
		{"too long", 429, []string{"31"}, nil, 1, 31 * time.Second},
		{"too long together", 429, []string{"20", "20"}, []time.Duration{20 * time.Second}, 1, 20 * time.Second},
		{"again and again", 503, []string{"0", "0", "0", "0", "0", "0", "0"}, make([]time.Duration, maxWaits), 2, 0},
		{"without a word", 429, []string{""}, nil, 1, 0},
		{"of another kind", 500, []string{"2"}, nil, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			left := slices.Clone(tt.answers)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if len(left) == 0 {
					io.WriteString(w, "good")
					return
				}
				now := time.Now().UTC()
				w.Header().Set("Date", now.Format(http.TimeFormat))
				if after, ok := strings.CutPrefix(left[0], "DATE+"); ok {
					d, _ := time.ParseDuration(after + "s")
					w.Header().Set("Retry-After", now.Add(d).Format(http.TimeFormat))
				} else if left[0] != "" {
					w.Header().Set("Retry-After", left[0])
				}
				if len(left) > tt.left {
					left = left[1:]
				}
				w.WriteHeader(tt.status)
			}))
			defer srv.Close()
			var told []time.Duration
			c := New(Config{Host: hostPort(srv), Waiting: func(_ string, d time.Duration) { told = append(told, d) }})
			waits := slept(c)
			got, err := get(c, srv.URL)
			if (got == "good") != (tt.left == 0) || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			if !slices.Equal(*waits, tt.waits) || !slices.Equal(told, tt.waits) || c.Later() != tt.later {
				t.Errorf("waited %v, told %v, later %v", *waits, told, c.Later())
			}
		})
	}
}

// TestBusyInterrupted ends the waiting.
func TestBusyInterrupted(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "29")
		w.WriteHeader(429)
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	c := New(Config{Host: hostPort(srv), Waiting: func(string, time.Duration) { cancel() }})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.RoundTrip(r); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestSlow has answers that stop, or nearly, in the middle: over HTTP/1 and
// HTTP/2, whose connections go on.
func TestSlow(t *testing.T) {
	for _, tt := range []struct {
		name  string
		http2 bool
		serve func(w http.ResponseWriter, tick func())
	}{
		{"nothing", false, func(w http.ResponseWriter, tick func()) { tick() }},
		{"a stop", false, func(w http.ResponseWriter, tick func()) { w.Write(make([]byte, 100)); tick() }},
		{"a stop, HTTP/2", true, func(w http.ResponseWriter, tick func()) { w.Write(make([]byte, 100)); tick() }},
		{"drops", false, func(w http.ResponseWriter, tick func()) {
			for range 1000 {
				w.Write([]byte{1})
				tick()
			}
		}},
		{"drops, HTTP/2", true, func(w http.ResponseWriter, tick func()) {
			for range 1000 {
				w.Write([]byte{1})
				tick()
			}
		}},
		{"drops behind a gush", false, func(w http.ResponseWriter, tick func()) {
			w.Write(make([]byte, 50_000))
			for range 1000 {
				w.Write([]byte{1})
				tick()
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			drops := tt.name != "nothing" && !strings.HasPrefix(tt.name, "a stop")
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.(http.Flusher).Flush()
				tt.serve(w, func() {
					w.(http.Flusher).Flush()
					if !drops {
						<-r.Context().Done()
						return
					}
					select {
					case <-r.Context().Done():
					case <-time.After(5 * time.Millisecond):
					}
				})
			}))
			cfg := Config{Host: hostPort(srv)}
			if tt.http2 {
				srv.EnableHTTP2 = true
				srv.StartTLS()
				cfg.Transport = srv.Client().Transport
			} else {
				srv.Start()
			}
			defer srv.Close()
			c := New(cfg)
			c.window, c.minBytes = 100*time.Millisecond, 1000
			_, err := get(c, srv.URL)
			var e *Error
			if !errors.Is(err, ErrSlow) || !errors.As(err, &e) || e.Host != hostPort(srv) || !Passing(err) {
				t.Error(err)
			}
		})
	}
}

// TestSlowReader reads more slowly than the bytes come, which is no fault of
// theirs.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	_, cancel := context.WithCancelCause(t.Context())
	m := &moving{
		body: io.NopCloser(strings.NewReader(strings.Repeat("x", 2000))), ctx: t.Context(), cancel: cancel,
		window: 2 * time.Second, least: 1 << 20, left: 2 * time.Second, failed: func(err error) error { return err },
	}
	for range 3 {
		if _, err := io.ReadFull(m, make([]byte, 500)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(800 * time.Millisecond)
	}
	if b, err := io.ReadAll(m); len(b) != 500 || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestProxy has proxies that fail; none of it is the server's fault.
func TestProxy(t *testing.T) {
	refusing := func(status int) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for _, tt := range []struct{ name, proxy, url, want string }{
		{"403", refusing(403), "https://registry.example/", "refuses to connect us to registry.example (403 Forbidden); check HTTPS_PROXY"},
		{"407", refusing(407), "https://registry.example/", "refuses to connect us to registry.example (407 Proxy Authentication Required)"},
		{"502", refusing(502), "https://registry.example/", "refuses to connect us to registry.example (502 Bad Gateway)"},
		{"503", refusing(503), "https://registry.example/", "(503 Service Unavailable)"},
		{"407 without TLS", refusing(407), "http://registry.example/", "refuses to connect us to registry.example (407"},
		{"refused", "http://" + closed.Addr().String(), "https://registry.example/", "refuses connections; check HTTPS_PROXY"},
		{"refused without TLS", "http://" + closed.Addr().String(), "http://registry.example/", "refuses connections; check HTTPS_PROXY"},
		{"refused SOCKS", "socks5://" + closed.Addr().String(), "https://registry.example/", "refuses connections; check HTTPS_PROXY"},
		{"no SOCKS", "socks5://" + silent.Addr().String(), "https://registry.example/", "fails ("},
		{"hangs up", "http://" + silent.Addr().String(), "https://registry.example/", "fails ("},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, v := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
				t.Setenv(v, tt.proxy)
			}
			t.Setenv("NO_PROXY", "")
			t.Setenv("no_proxy", "")
			c := New(Config{Host: "registry.example", Plain: true})
			_, err := get(c, tt.url)
			_, proxy, _ := strings.Cut(tt.proxy, "://")
			why, next := Words{Host: "registry.example", Name: "registry.example", Kind: "registry"}.Explain(err)
			if got := why + "; " + next; !strings.HasPrefix(got, "the proxy "+proxy) || !strings.Contains(got, tt.want) {
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
}

// TestThroughProxy has a proxy on this machine that works, and a server that
// the guard would refuse by its name, whose address the proxy chooses.
func TestThroughProxy(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
			return
		}
		fmt.Fprint(w, "by proxy")
	}))
	defer proxy.Close()
	for _, v := range []string{"HTTP_PROXY", "http_proxy"} {
		t.Setenv(v, proxy.URL)
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	c := New(Config{Host: "mirror.example", Plain: true})
	if got, err := get(c, "http://mirror.example/x"); got != "by proxy" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	_, err := get(c, "http://mirror.example/away")
	proxy.Close() // and its handlers have ended
	var addr *AddressError
	if !errors.As(err, &addr) || len(asked) != 2 {
		t.Errorf("%v, asked for %q", err, asked)
	}
}
