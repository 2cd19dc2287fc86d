//go:build !js

package main

import (
	"context"
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

// TestOffline asks a server in the guest, by its address. Then it loads a page again whose server is gone: the machine starts and reads files
// that it had not read before. Then it is exported, and goes on under alpinevm run.
func TestOffline(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots guests; the full run does")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := siteDir(t)
	busybox, err := os.ReadFile(guesttest.File(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir.Name("busybox"), busybox, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.FileServer(http.Dir(string(dir)))}
	go s.Serve(l)
	defer s.Close()
	ctx := browser(t)
	address := "http://" + l.Addr().String() + "/"
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, tabPrompt)
	until(ctx, t, `document.documentElement.dataset.offline ?? ""`, "the machine's files to be kept", func(s string) bool { return s == "ready" })
	guestServer(ctx, t)
	s.Close()
	if err := chromedp.Do(ctx, chromedp.Navigate(address+"?again")); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, tabPrompt)
	programKept(ctx, t)
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

// programKept says that the service worker gives the program unpacked and as what it is:
// a browser keeps the code that it has made of such an answer for the next start.
func programKept(ctx context.Context, t *testing.T) {
	t.Helper()
	got := call[string](ctx, t, `const kept = [];
		for (const name of await caches.keys()) kept.push(...(await (await caches.open(name)).keys()).map(k => k.url).filter(u => /\/alpinevm\.wasm\.gz\?[0-9a-f]{16}$/.test(u)));
		const r = await fetch(kept[0]); return [r.headers.get("Content-Type"), WebAssembly.validate((await r.arrayBuffer()).slice(0, 8)), kept.length].join()`)
	if want := "application/wasm,true,1"; got != want {
		t.Errorf("type, whether it is a program, copies that are kept: %s, want %s", got, want)
	}
}

// guestServer has busybox's httpd in the guest answer at its address: a page's script, and
// a frame.
func guestServer(ctx context.Context, t *testing.T) {
	t.Helper()
	if got := call[string](ctx, t, `await vm.writeFile("/root/busybox", new Uint8Array(await (await fetch("busybox")).arrayBuffer()));
		const r = await vm.exec(["sh", "-c", "chmod 755 /root/busybox && mkdir /www && echo page of the guest >/www/index.html && head -c 300000 /dev/zero >/www/zeros && /root/busybox httpd -h /www -p 80"]); return r.code + r.stderr`); got != "0" {
		t.Fatal(got)
	}
	for _, tt := range []struct{ script, want string }{
		{`const r = await vm.fetch(80, "/index.html"); return r.status + await r.text()`, "200page of the guest\n"},
		{`return (await vm.fetch(80, "/none")).status + ""`, "404"},
		{`return (await (await vm.fetch(80, "/zeros")).arrayBuffer()).byteLength + ""`, "300000"},
		{`return await vm.fetch(81, "/").then(() => "an answer", e => e.message.includes("port 81") ? "none" : e.message)`, "none"},
		{`const f = document.createElement("iframe"); f.src = await vm.url(80); const loaded = new Promise(r => f.onload = r); document.body.append(f); await loaded;
			const text = f.contentDocument.body.innerText.trim(); f.remove(); return text`, "page of the guest"},
		{`return (await (await fetch(await vm.url(80) + "zeros")).arrayBuffer()).byteLength + ""`, "300000"},
		{`const r = await fetch(await vm.url(81)); return r.status + ""`, "502"},
	} {
		if got := call[string](ctx, t, tt.script); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.script, got, tt.want)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Click("#show")); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, `document.querySelector("#servers").textContent`, "the link to the server", func(s string) bool { return strings.Contains(s, "port 80") })
	picture(ctx, t, "servers")
}
