//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// much is how many bytes go through the relay at a time.
const much = 32 << 20

// downloads measures how fast bytes come to the guest through the relay: those that it throws
// away, which is what the network can do, and those that it does something with. busybox's
// wc looks at each byte, which takes it 37 instructions; wget knows how many are to come.
func downloads(ctx context.Context, t *testing.T) {
	t.Helper()
	large := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(much))
		w.Write(make([]byte, much))
	}))
	defer large.Close()
	for _, tt := range []struct{ what, command, want string }{
		{"a download", "wget -q -O /dev/null URL/ && echo whole", "whole"},
		{"a download into a file", "wget -q -O /root/large URL/ && stat -c %s /root/large; rm /root/large", strconv.Itoa(much)},
		{"a download that is counted", "wget -q -O - URL/ | wc -c", strconv.Itoa(much)},
	} {
		took := timed(t, tt.what, func() {
			script := fmt.Sprintf(`const r = await vm.exec(["sh", "-c", %q]); return r.stdout + r.stderr`, strings.ReplaceAll(tt.command, "URL", fromGuest(large)))
			if got := strings.TrimSpace(call[string](ctx, t, script)); got != tt.want {
				t.Fatalf("%s: %q", tt.what, got)
			}
		})
		t.Logf("%s: %.1f MB/s through the relay", tt.what, much/1e6/took.Seconds())
	}
}

// upload measures how fast bytes go from the guest through the relay. Nobody in the guest
// makes them: it sends zeros.
func upload(ctx context.Context, t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	came := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		came <- n
	}()
	script := fmt.Sprintf(`const r = await vm.exec(["sh", "-c", "dd if=/dev/zero bs=64k count=%d 2>/dev/null | nc 10.0.2.2 %d"]); return r.code + r.stderr`, much>>16, l.Addr().(*net.TCPAddr).Port)
	took := timed(t, "an upload", func() {
		if got := call[string](ctx, t, script); got != "0" {
			t.Fatalf("nc: %q", got)
		}
		select {
		case n := <-came:
			if n != much {
				t.Fatalf("%d bytes have come, want %d", n, much)
			}
		case <-time.After(patience):
			t.Fatalf("the upload has not ended in %v", patience)
		}
	})
	t.Logf("an upload: %.1f MB/s through the relay", much/1e6/took.Seconds())
}

// atWork measures a page of alpinevm serve: how long it takes to add a package, how fast
// bytes come and go through the relay, and when a key's letter is there while the guest
// computes. The seconds are those that pass, with the processor's beside them.
func atWork(t *testing.T) {
	key, repo := testPackage(t)
	mirror := packages(t, repo, "/", "")
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(served(t, key))); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, "# ")
	timed(t, "apk add", func() {
		if got := call[string](ctx, t, addHello(mirror)); !strings.Contains(got, "hello from a package") {
			t.Fatal(got)
		}
	})
	downloads(ctx, t)
	upload(ctx, t)
	for _, tt := range []struct{ what, script string }{
		{"a guest with nothing to do", ""}, {"a busy guest", `vm.exec(["sh", "-c", "while :; do :; done"]).catch(() => 0);`},
	} {
		echo := call[[]float64](ctx, t, tt.script+keysToEcho)
		slices.Sort(echo)
		t.Logf("key to echo, %s, %d keys: median %.1f ms, 90th percentile %.1f ms, longest %.1f ms", tt.what, len(echo), echo[len(echo)/2], echo[len(echo)*9/10], echo[len(echo)-1])
	}
}

// timed says what it took to do something.
func timed(t *testing.T, what string, do func()) time.Duration {
	t.Helper()
	began, before := time.Now(), started(t)
	do()
	took := time.Since(began)
	t.Logf("%s: %.1f s, %.1f s of processor", what, took.Seconds(), spent(t, before).Seconds())
	return took
}

// keysToEcho types 100 letters at the shell, each some time after the last one is there,
// and gives the milliseconds until the terminal had each.
const keysToEcho = `
	const term = document.querySelector("alpine-vm").terminal, b = () => term.buffer.active;
	const times = [], at = () => b().baseY * 1e6 + b().cursorY * 1e3 + b().cursorX;
	for (let i = 0; i < 100; i++) {
		await new Promise(r => setTimeout(r, 20 + (i * 37) % 60));
		if (i % 20 === 0) { term.input("\x15"); await new Promise(r => setTimeout(r, 1000)); }
		const from = at(), begin = performance.now();
		const there = new Promise((resolve, reject) => {
			const late = setTimeout(() => reject(new Error("key " + i + " has no echo after a minute")), 60_000);
			const l = term.onWriteParsed(() => { if (at() !== from) { l.dispose(); clearTimeout(late); resolve(); } });
		});
		term.input("x");
		await there;
		times.push(performance.now() - begin);
	}
	term.input("\x15");
	return times;`
