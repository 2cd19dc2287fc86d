//go:build !js

package main

import (
	"encoding/base64"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"alpinevm/internal/guesttest"
)

// TestOffline loads a page again whose server is gone: the machine starts and reads files
// that it had not read before. Then it is exported, and goes on under alpinevm run.
func TestOffline(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots guests; the full run does")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.FileServer(http.Dir(string(siteDir(t))))}
	go s.Serve(l)
	defer s.Close()
	ctx := browser(t)
	address := "http://" + l.Addr().String() + "/"
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, tabPrompt)
	until(ctx, t, `document.documentElement.dataset.offline ?? ""`, "the machine's files to be kept", func(s string) bool { return s == "ready" })
	s.Close()
	if err := chromedp.Do(ctx, chromedp.Navigate(address+"?again")); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, tabPrompt)
	if got := call[string](ctx, t, `const r = await vm.exec(["sh", "-c", "find / -xdev -type f -exec cat {} + | wc -c; echo from the tab >/root/f"]); return r.code + r.stderr`); got != "0" {
		t.Error(got)
	}
	picture(ctx, t, "offline")
	text := call[string](ctx, t, `const b = new Uint8Array(await (await vm.export()).arrayBuffer()); let s = ""; for (let i = 0; i < b.length; i += 3 << 12) s += btoa(String.fromCharCode(...b.subarray(i, i + (3 << 12)))); return s`)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "box.tar.gz")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	h := home{t: t, dir: t.TempDir()}
	if out, err := h.command("import", file, "box").CombinedOutput(); err != nil {
		t.Fatalf("import: %v: %s", err, out)
	}
	out, err := h.command("run", "-q", "-m", "128M", "--network", "none", "--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--modules", guesttest.File(t, "686-pae/modules"),
		"box", "cat", "/root/f").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "from the tab" {
		t.Errorf("run of what was exported: %v: %q", err, out)
	}
}
