//go:build !js

package main

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cdpinput "github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"alpinevm/internal/apktest"
	"alpinevm/internal/guesttest"
	"alpinevm/internal/website"
	"alpinevm/web"
)

// browser gives a tab of Chromium, which says on the test's log what it complains of. All
// that a test does in it takes 2 * patience at most.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	return browserFor(t, 2*patience, more...)
}

// ownPages are features by which Chromium loads pages of its own behind each tab that is
// opened, for what drops down from its address bar: a third of a second of the processor.
const ownPages = "PreloadTopChromeWebUI,WebUIOmniboxPopup,WebUIOmniboxAimPopup"

// browserFor is browser for a test that may take so long.
func browserFor(t *testing.T, long time.Duration, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	name := ""
	for _, n := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(n); err == nil {
			name = found
			break
		}
	}
	if name == "" {
		lacks(t, "chromium")
	}
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(name), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1000, 700),
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,"+ownPages))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), append(o, more...)...)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, long)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	go func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			fmt.Fprintln(os.Stderr, "the page's console:", m)
		}
	}()
	return ctx
}

// lacks ends a test that cannot be without a program.
func lacks(t *testing.T, program string) {
	t.Helper()
	if os.Getenv("ALPINEVM_OFFLINE") == "1" {
		t.Skipf("not here: there is no %s, and ALPINEVM_OFFLINE=1 forbids to fetch it", program)
	}
	t.Fatalf("there is no %s: scripts/tools.sh installs it", program)
}

// tabPrompt is the shell's in a tab. Busybox takes the terminal's answer that the cursor
// is behind a prompt of four characters in the first line, ESC[1;5R, for the beginning
// of Ctrl with an arrow, and throws away what is typed within 50 ms after it.
const tabPrompt = "here: # "

// siteDir makes a site of Alpine's root, with the page; flags are more of web build's.
func siteDir(t *testing.T, flags ...string) website.Dir {
	t.Helper()
	if _, err := web.Files(); err != nil {
		t.Fatal(err, ": make web does")
	}
	dir := filepath.Join(t.TempDir(), "site")
	h := home{t: t, dir: t.TempDir()}
	cmd := h.command(slices.Concat([]string{
		"web", "build", "-o", dir, "-q", "-m", "128M", "--hostname", "tab", "-e", "PS1=" + tabPrompt, "--kernel", guesttest.File(t, "686-pae/vmlinuz"),
		"--modules", guesttest.File(t, "686-pae/modules"), "--rootfs", guesttest.RootFile(t),
	}, flags)...)
	if text, err := cmd.CombinedOutput(); err != nil || len(text) > 0 {
		t.Fatalf("web build: %v: %s", err, text)
	}
	return website.Dir(dir)
}

// screen is what the page's terminal shows.
const screen = `(() => { const b = document.querySelector("alpine-vm").terminal?.buffer.active; let s = "";
	for (let i = 0; i < (b?.length ?? 0); i++) s += b.getLine(i).translateToString(true) + "\n"; return s; })()`

// notice is what the page says over the terminal.
const notice = `return document.querySelector("alpine-vm").shadowRoot.querySelector(".overlay").textContent`

// saying is how long a page has to say what it shows.
const saying = 20 * time.Second

// stuck ends a test that has waited for too long, and says what the page shows.
func stuck(ctx context.Context, t *testing.T, what string, err error) {
	t.Helper()
	ctx, stop := context.WithTimeout(ctx, saying) // a page that hangs says nothing
	defer stop()
	terminal, _ := chromedp.Run(ctx, chromedp.Evaluate[string](screen))
	page, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText + document.querySelector("alpine-vm").shadowRoot.querySelector(".overlay").innerText`))
	t.Fatalf("%s: %v; the terminal shows %q, the page %q", what, err, strings.TrimSpace(terminal), page)
}

// shows waits until the page's terminal has a text.
func shows(ctx context.Context, t *testing.T, want string) {
	t.Helper()
	end := time.Now().Add(patience)
	late, stop := context.WithDeadline(ctx, end)
	defer stop()
	for ; ; time.Sleep(200 * time.Millisecond) {
		text, err := chromedp.Run(late, chromedp.Evaluate[string](screen))
		if err != nil {
			stuck(ctx, t, fmt.Sprintf("waiting for %q", want), err)
		}
		if strings.Contains(text, want) {
			return
		}
		said, _ := chromedp.Run(late, chromedp.Evaluate[string](`document.querySelector("alpine-vm").shadowRoot?.querySelector(".overlay:not([hidden]) button:not([hidden])")?.parentElement.textContent ?? ""`))
		if said != "" {
			t.Fatalf("waiting for %q: the page says %q", want, said)
		}
		if time.Now().After(end) {
			stuck(ctx, t, fmt.Sprintf("waiting for %q", want), context.DeadlineExceeded)
		}
	}
}

// picture keeps what the page looks like where ALPINEVM_PICTURES names a folder.
func picture(ctx context.Context, t *testing.T, name string) {
	dir := os.Getenv("ALPINEVM_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// types types a text, key by key. What chromedp.KeyEvent sends for a key is typed twice.
func types(ctx context.Context, t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		down := cdpinput.DispatchKeyEventParams{Type: cdpinput.DispatchKeyEventTypeKeyDown, Text: string(r), Key: string(r)}
		if r == '\r' {
			down.Key, down.WindowsVirtualKeyCode = "Enter", 13
		}
		up := cdpinput.DispatchKeyEventParams{Type: cdpinput.DispatchKeyEventTypeKeyUp, Key: down.Key, WindowsVirtualKeyCode: down.WindowsVirtualKeyCode}
		for _, k := range []cdpinput.DispatchKeyEventParams{down, up} {
			if _, err := chromedp.Call(ctx, cdpinput.DispatchKeyEvent, k); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// call runs what is a promise in the page, where vm is the machine.
func call[T any](ctx context.Context, t *testing.T, script string) T {
	t.Helper()
	late, stop := context.WithTimeout(ctx, patience)
	defer stop()
	v, err := chromedp.Run(late, chromedp.Evaluate[T](`(async () => { const vm = document.querySelector("alpine-vm").vm; `+script+` })()`, chromedp.EvalAwaitPromise))
	if err != nil {
		stuck(ctx, t, script, err)
	}
	return v
}

// TestBrowser boots a guest in a browser's tab from a folder that a host of files
// serves, types at its shell, and uses the page's interface.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots a guest; the full run does")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.FileServer(http.Dir(siteDir(t, "--cold")))}
	go s.Serve(l)
	defer s.Close()
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(fmt.Sprintf("http://%s/", l.Addr()))); err != nil {
		t.Fatal(err)
	}
	picture(ctx, t, "start")
	shows(ctx, t, tabPrompt)
	types(ctx, t, "uname -nm\r")
	shows(ctx, t, "tab i686")
	moves(ctx, t)
	if got := call[string](ctx, t, `const r = await vm.exec(["sh", "-c", "cat; pwd; echo $A >&2; exit 3"], {stdin: "in ", cwd: "/tmp", env: {A: "b"}}); return JSON.stringify(r)`); got != `{"code":3,"stdout":"in /tmp\n","stderr":"b\n"}` {
		t.Error(got)
	}
	if got := call[string](ctx, t, `await vm.writeFile("/root/f", "text"); const names = []; for await (const e of vm.readDir("/root")) if (!e.name.startsWith(".")) names.push(e.name + e.size);
		return names.join() + new TextDecoder().decode(await vm.readFile("/root/f")) + (await vm.readFile("/none").catch(e => e.message))`); !strings.HasPrefix(got, "f4text") || !strings.Contains(got, "none") {
		t.Error(got)
	}
	if err := chromedp.Do(ctx, chromedp.Click("#show")); err != nil {
		t.Fatal(err)
	}
	call[any](ctx, t, `while (!document.querySelector("#files").textContent.includes("f")) await new Promise(r => setTimeout(r, 50))`)
	dropped(ctx, t)
	picture(ctx, t, "files")
	until(ctx, t, `document.querySelector("#memory").textContent`, "the guest's memory and the tab's", func(s string) bool {
		var guest, tab int
		_, err := fmt.Sscanf(s, "%d of %d MiB", &guest, &tab)
		return err == nil && guest == 128 && tab > guest && tab < 4*guest
	})
	if got := call[int](ctx, t, `return document.querySelector("alpine-vm").shadowRoot.getAnimations().length`); got != 0 {
		t.Errorf("%d styles have the page drawn all the time", got)
	}
	controlKey(ctx, t)
	looks(ctx, t)
	call[any](ctx, t, `await vm.shutdown(120_000)`)
	if got := call[string](ctx, t, notice); strings.Contains(got, "switched off") {
		t.Errorf("the guest was asked to end, and the page says %q", got)
	}
	picture(ctx, t, "end")
}

// mostMoved is what a page that boots may move, in bytes.
const mostMoved = 20_000_000

// moves counts what a page has moved: its own files, and parts of the machine's.
func moves(ctx context.Context, t *testing.T) {
	t.Helper()
	moved := call[int64](ctx, t, `return new Promise(done => vm.on("stat", s => done(s.fetched)))`)
	parts := moved
	files, err := web.Files()
	if err != nil {
		t.Fatal(err)
	}
	list, err := fs.ReadDir(files, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		moved += info.Size()
	}
	t.Logf("the page has %d bytes, and has fetched %d of the machine's files", moved-parts, parts)
	if moved > mostMoved || parts == 0 {
		t.Errorf("the page has moved %d bytes, of which %d are the machine's; %d are the most", moved, parts, mostMoved)
	}
}

// dropped drops two files onto the page: they are in the folder that its panel shows.
func dropped(ctx context.Context, t *testing.T) {
	t.Helper()
	if got := call[string](ctx, t, `const data = new DataTransfer(); data.items.add(new File(["dropped"], "one.txt")); data.items.add(new File([new Uint8Array(300000)], "two.bin"));
		const event = kind => new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
		return [document.body.dispatchEvent(event("dragover")), document.body.dispatchEvent(event("drop"))].join()`); got != "false,false" {
		t.Errorf("the browser would open what is dropped: %s", got)
	}
	until(ctx, t, `document.querySelector("#files").textContent + document.querySelector("#said").textContent`, "the dropped files to be shown", func(s string) bool {
		return strings.Contains(s, "one.txt") && strings.Contains(s, "two.bin")
	})
	if got := call[string](ctx, t, `return new TextDecoder().decode(await vm.readFile("/root/one.txt")) + (await vm.readFile("/root/two.bin")).length`); got != "dropped300000" {
		t.Errorf("the guest has %q", got)
	}
}

// testPackage is a repository with a package hello, and the key that has signed it.
func testPackage(t *testing.T) (*apktest.Key, apktest.Repository) {
	t.Helper()
	key := apktest.NewKey(t, "test.rsa.pub")
	return key, apktest.NewRepository(key, &apktest.Package{Name: "hello", Version: "1.0-r0", Files: []apktest.File{{Name: "usr/bin/hello", Mode: 0o755, Data: []byte("#!/bin/sh\necho hello from a package\n")}}})
}

// packages serves a repository below a path. Its answers may be read by pages of origin,
// "" for none.
func packages(t *testing.T, repo apktest.Repository, below, origin string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.StripPrefix(below, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin != "" {
			w.Header().Set("Access-Control-Allow-Origin", origin)
		}
		data, ok := repo[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(data)
	})))
	t.Cleanup(s.Close)
	return s
}

// served is the address of alpinevm serve, whose guests reach the host's servers and have a
// key in $KEY.
func served(t *testing.T, key *apktest.Key) string {
	t.Helper()
	if _, err := web.Files(); err != nil {
		t.Fatal(err, ": make web does")
	}
	h := home{t: t, dir: t.TempDir()}
	cmd := h.command("serve", "--address", "localhost:0", "--host-loopback", "-q", "-m", "128M", "-e", "KEY="+string(key.Public()),
		"--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--modules", guesttest.File(t, "686-pae/modules"), "--rootfs", guesttest.RootFile(t))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer late.Stop()
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("serve has not said its address in %v: %v", patience, err)
	}
	return strings.TrimSpace(address)
}

// fromGuest is the address of a server of the host's, in a guest of served's.
func fromGuest(s *httptest.Server) string {
	return fmt.Sprintf("http://10.0.2.2:%d", s.Listener.Addr().(*net.TCPAddr).Port)
}

// addHello is the script that adds testPackage's package in a guest of served's.
func addHello(mirror *httptest.Server) string {
	return `const r = await vm.exec(["sh", "-c", ` + "`" + `printf %s "$KEY" >/etc/apk/keys/test.rsa.pub; echo ` + fromGuest(mirror) + ` >/etc/apk/repositories; apk add --no-cache hello && hello` + "`" + `]); return JSON.stringify(r)`
}

// TestServe boots a guest in a tab from alpinevm serve, and adds a package to it through
// the relay.
func TestServe(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots a guest; the full run does")
	}
	key, repo := testPackage(t)
	mirror := packages(t, repo, "/", "")
	address := served(t, key)
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, "# ")
	got := call[string](ctx, t, addHello(mirror))
	if !strings.Contains(got, "hello from a package") || !strings.Contains(got, `"code":0`) {
		t.Error(got)
	}
	picture(ctx, t, "network")
	call[any](ctx, t, `await vm.shutdown(1)`) // no guest is as fast
	if got := call[string](ctx, t, notice); !strings.Contains(got, "switched off") {
		t.Errorf("the page says %q", got)
	}
}
