//go:build !js

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"alpinevm/net/usernet"
	"alpinevm/net/wisp"
)

// TestRelay: who comes without the token, or from another page, is not served; a client
// that is reaches what the rules allow, by address and by whatever a name leads to.
func TestRelay(t *testing.T) {
	t.Parallel()
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	_, port, _ := net.SplitHostPort(echo.Addr().String())
	deny, err := usernet.ParseRule("denied.example")
	if err != nil {
		t.Fatal(err)
	}
	serve := func(loopback bool) (*httptest.Server, *relay) {
		r := newRelay(&usernet.Rules{HostLoopback: loopback, Deny: []usernet.Rule{deny}}, nil)
		r.resolve = func(_ context.Context, name string) ([]netip.Addr, error) {
			a, ok := map[string]string{
				"loop.example": "127.0.0.1", "private.example": "10.1.2.3", "mapped.example": "::ffff:127.0.0.1", "cloud.example": "169.254.169.254",
				"denied.example": "192.0.9.1",
			}[name]
			if !ok {
				return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
			}
			return []netip.Addr{netip.MustParseAddr(a)}, nil
		}
		s := httptest.NewServer(siteHandler("", http.NotFoundHandler(), r))
		t.Cleanup(s.Close)
		return s, r
	}
	closed, r := serve(false)
	url := "ws" + strings.TrimPrefix(closed.URL, "http") + "/"
	ctx := context.Background()
	for _, tt := range []struct {
		what, url, origin string
		code              int
	}{
		{"no token", url + "relay/", "", 404},
		{"another token", url + "relay/AAAAAAAAAAAAAAAAAAAAAAAAAA/", "", 404},
		{"another page", url + r.path(), "http://evil.example", 403},
		{"the page's port, another host", url + r.path(), "http://localhost.evil.example", 403},
	} {
		_, resp, err := websocket.Dial(ctx, tt.url, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {tt.origin}}})
		if err == nil || resp == nil || resp.StatusCode != tt.code {
			t.Errorf("%s: %v, %v", tt.what, resp, err)
		}
	}
	client := func(s *httptest.Server, r *relay) *wisp.Client {
		c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.URL, "http")+"/"+r.path(), &websocket.DialOptions{Subprotocols: []string{wisp.Protocol}, HTTPHeader: http.Header{"Origin": {s.URL}}})
		if err != nil {
			t.Fatal(err)
		}
		w, err := wisp.NewClient(ctx, socketPipe{c}, c.Subprotocol() == wisp.Protocol)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		return w
	}
	why := func(c *wisp.Client, address string) wisp.Reason {
		conn, err := c.DialContext(ctx, "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
		var e *wisp.Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: %v", address, err)
		}
		return e.Reason
	}
	c := client(closed, r)
	for address, want := range map[string]wisp.Reason{
		"127.0.0.1:" + port: wisp.ReasonBlocked, "[::1]:" + port: wisp.ReasonBlocked, "[::ffff:127.0.0.1]:" + port: wisp.ReasonBlocked,
		"10.1.2.3:80": wisp.ReasonBlocked, "169.254.169.254:80": wisp.ReasonBlocked, "0.0.0.0:" + port: wisp.ReasonBlocked,
		"private.example:80": wisp.ReasonBlocked, "cloud.example:80": wisp.ReasonBlocked, "denied.example:80": wisp.ReasonBlocked,
		"loop.example:" + port: wisp.ReasonUnreachable, "mapped.example:" + port: wisp.ReasonUnreachable, "none.example:80": wisp.ReasonUnreachable,
	} {
		if got := why(c, address); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	open, r := serve(true)
	conn, err := client(open, r).DialContext(ctx, "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("hello"))
	if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
		t.Error(err)
	}
}
