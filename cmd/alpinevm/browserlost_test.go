//go:build !js

package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRelayLost has the way to the relay break and come back: the page is told of both, and the
// guest's next connection is as good as the first.
func TestRelayLost(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots a guest; the full run does")
	}
	key, _ := testPackage(t)
	to, err := url.Parse(served(t, key))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	gone := false
	conns := []net.Conn{}
	proxy := httputil.NewSingleHostReverseProxy(to)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		refused := gone && r.Header.Get("Upgrade") != ""
		mu.Unlock()
		if refused {
			http.Error(w, "not now", http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateHijacked {
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, c)
		}
	}
	s.Start()
	defer s.Close()
	hello := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	defer hello.Close()
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(s.URL)); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, "# ")
	get := func() string {
		return call[string](ctx, t, fmt.Sprintf(`const r = await vm.exec(["wget", "-q", "-O", "-", %q]); return r.code + r.stdout`, fromGuest(hello)))
	}
	light := func(want string) {
		t.Helper()
		until(ctx, t, `document.querySelector("#network").dataset.state`, "the light of the network to be "+want, func(s string) bool { return s == want })
	}
	if got := get(); got != "0hello" {
		t.Fatalf("through the relay: %q", got)
	}
	light("connected")
	mu.Lock()
	gone = true
	for _, c := range conns {
		c.Close()
	}
	mu.Unlock()
	light("lost")
	if got := get(); got != "1" {
		t.Errorf("without the relay: %q", got)
	}
	mu.Lock()
	gone = false
	mu.Unlock()
	if got := get(); got != "0hello" {
		t.Errorf("through the relay that is back: %q", got)
	}
	light("connected")
}
