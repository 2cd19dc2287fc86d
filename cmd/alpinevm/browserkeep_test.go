//go:build !js

package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"alpinevm/internal/website"
)

var tabKills = flag.Int("tabkills", 2, "how often TestKept closes the tab while its guest writes")

// hosted serves a folder, and gives its address.
func hosted(t *testing.T, dir string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.FileServer(http.Dir(dir))}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return fmt.Sprintf("http://%s/", l.Addr())
}

// tab opens another tab of a browser at an address; what it gives closes the tab, as a
// user does.
func tab(ctx context.Context, t *testing.T, address string) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, stop := chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	return ctx, stop
}

// until waits until a script gives something that is wanted.
func until(ctx context.Context, t *testing.T, script, what string, want func(string) bool) string {
	t.Helper()
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	seen := ""
	for {
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if ctx.Err() != nil {
			t.Fatalf("waiting for %s: %v; it was %q", what, ctx.Err(), seen)
		}
		if err != nil { // the page is on its way to another one, perhaps
			text = err.Error()
		} else if want(text) {
			return text
		}
		seen = text
		time.Sleep(100 * time.Millisecond)
	}
}

// overText is what the page says over its terminal.
const overText = `(() => { const o = document.querySelector("alpine-vm").shadowRoot?.querySelector(".overlay"); return !o || o.hidden ? "" : o.textContent; })()`

// TestKept keeps a machine in the browser. What was synced is there in the next tab, also
// what a guest had synced when its tab was closed in the middle of writing; a second tab
// is told that the machine is in use. No start reads the kernel: the first one is from the
// snapshot at the prompt, the others are from the booted kernel, with random numbers of
// their own and the host's date.
func TestKept(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots guests; the full run does")
	}
	dir := siteDir(t)
	for _, name := range siteMachine(t, dir).Kernel.Chunks {
		if err := os.Remove(dir.Name(filepath.Join(website.ChunkDir, name))); err != nil {
			t.Fatal(err)
		}
	}
	address := hosted(t, string(dir)) + "?name=box"
	first := browserFor(t, 2*patience+time.Duration(*tabKills)*time.Minute)
	ctx, closeTab := tab(first, t, address)
	shows(ctx, t, tabPrompt)
	drawn := map[string]bool{drawnNow(ctx, t): true}
	if got := call[string](ctx, t, `const r = await vm.exec(["sh", "-c", "echo text >/root/f && mkdir /root/d && mv /root/f /root/d/g && rm /etc/motd && sync"]); return r.code + r.stderr`); got != "0" {
		t.Fatal(got)
	}
	other, closeOther := tab(first, t, address)
	until(other, t, overText, "the second tab to be refused", func(s string) bool { return strings.Contains(s, "box is in use in another tab") })
	picture(other, t, "second tab")
	closeOther()
	last := 0 // what the guest has said is synced
	for i := range *tabKills {
		script := fmt.Sprintf(`i=%d; while :; do i=$((i+1)); head -c $((i*300)) /dev/zero >/root/d/k$i && fsync /root/d/k$i && echo $i; done`, last)
		call[any](ctx, t, `window.acked = ""; vm.exec(["sh", "-c", "`+script+`"], {onStdout: d => window.acked += new TextDecoder().decode(d)}).catch(() => 0)`)
		acked := until(ctx, t, `window.acked`, "the guest to sync some files", func(s string) bool { return strings.Count(s, "\n") >= 5 })
		lines := strings.Fields(acked)
		fmt.Sscan(lines[len(lines)-1], &last)
		closeTab()
		ctx, closeTab = tab(first, t, address)
		shows(ctx, t, tabPrompt)
		got := call[string](ctx, t, fmt.Sprintf(`const r = await vm.exec(["sh", "-c", "cat /root/d/g; test -e /etc/motd && echo motd; for i in $(seq %d); do test $(stat -c %%s /root/d/k$i) = $((i*300)) || echo $i is not there; done"]); return r.stdout + r.stderr`, last))
		if got != "text\n" {
			t.Errorf("after kill %d: %d files were synced, and the next tab has %q", i+1, last, got)
		}
		if n := drawnNow(ctx, t); drawn[n] {
			t.Errorf("two starts have drawn %s", n)
		} else {
			drawn[n] = true
		}
		t.Logf("kill %d: %d files were synced", i+1, last)
	}
	picture(ctx, t, "kept")
}
