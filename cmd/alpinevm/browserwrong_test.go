//go:build !js

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"alpinevm/internal/website"
	"alpinevm/web"
)

// faulty serves a site, and below other paths what is wrong with sites: /whole/ is it, all
// parts of /once/ are another page's when they are asked for first, those of /damaged/
// always, /parts/ has none, /none/ is not there, /page/ is a page whatever is asked for,
// /silent/ says nothing.
func faulty(t *testing.T, dir website.Dir) string {
	t.Helper()
	files, err := web.Files()
	if err != nil {
		t.Fatal(err)
	}
	site := http.FileServer(http.Dir(string(dir)))
	page := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>another page</title>")
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	first := func(name string) bool {
		mu.Lock()
		defer mu.Unlock()
		was := seen[name]
		seen[name] = true
		return !was
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(files))
	for _, kind := range []string{"whole", "once", "damaged", "parts"} {
		mux.Handle("/"+kind+"/", http.StripPrefix("/"+kind, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch part := strings.Contains(r.URL.Path, website.ChunkDir); {
			case part && (kind == "damaged" || kind == "once" && first(r.URL.Path)):
				page(w)
			case part && kind == "parts":
				http.NotFound(w, r)
			default:
				site.ServeHTTP(w, r)
			}
		})))
	}
	mux.HandleFunc("/none/", http.NotFound)
	mux.HandleFunc("/page/", func(w http.ResponseWriter, _ *http.Request) { page(w) })
	mux.HandleFunc("/silent/", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/blank", func(w http.ResponseWriter, _ *http.Request) { page(w) })
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// saysOf is what the page hears when it does something with a machine: the error of the
// call, or of the machine.
const saysOf = `const { AlpineVM } = await import("/alpinevm.js");
	const says = async (options, use = (vm) => vm.exec(["true"])) => {
		let vm;
		try {
			vm = await AlpineVM.create(options);
			const failed = new Promise((_, reject) => vm.on("error", reject));
			const got = await Promise.race([failed, use(vm)]);
			return "nothing: " + JSON.stringify(got);
		} catch (e) { return e.name + ": " + e.message; } finally { vm?.terminate(); }
	};`

// TestWrong: what cannot be is one sentence, which names it and what is wanted, and the
// machine goes on; nothing waits for ever.
func TestWrong(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots guests; the full run does")
	}
	at := faulty(t, siteDir(t))
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(at+"/blank")); err != nil {
		t.Fatal(err)
	}
	promised(ctx, t, saysOf+`window.silent = says({ image: "/silent/" }); return ""`) // takes a minute
	for _, tt := range []struct{ options, want string }{
		{`{ image: "alpine:3.20" }`, `image "alpine:3.20": want the address of a folder that alpinevm web build has made`},
		{`{ image: "/none/" }`, at + "/none/machine.json: the server says 404 Not Found; the option image"},
		{`{ image: "/page/" }`, at + "/page/machine.json: the server gives a page in its place; the option image"},
		{`{ image: "http://127.0.0.1:1/" }`, "http://127.0.0.1:1/machine.json, cannot be reached; look whether the server still runs"},
		{`{ image: "/whole/", base: "/none/" }`, at + "/none/worker.js is no worker that can be started: the files of the package"},
		{`{ image: "/whole/", base: "/page/" }`, at + "/page/worker.js is no worker that can be started"},
		{`{ image: "/whole/", base: "http://other.invalid/" }`, "http://other.invalid/worker.js is no worker that can be started"},
		{`{ image: "/parts/" }`, "the server says 404; the site is not whole, make it again"},
		{`{ image: "/damaged/" }`, "is damaged: "},
		{`{ image: "/damaged/" }`, "also when it was fetched again; the site is not whole, make it again"},
		{`{ picture: "/whole/" }`, `there is no option "picture"; there are image, base`},
		{`{ image: "/whole/", memory: 0 }`, "memory 0: want a whole number of MiB from 64 to 2048"},
		{`{ image: "/whole/", memory: 1e6 }`, "memory 1000000: want"},
		{`{ image: "/whole/", memory: "256" }`, `memory "256": want`},
		{`{ image: "/whole/", name: "a/b" }`, `name "a/b": want letters`},
		{`{ image: "/whole/", name: null }`, "name null: want letters"},
		{`{ image: "/whole/", network: "Fetch" }`, `network "Fetch": want "fetch", "none", or the address of a relay`},
		{`{ image: "/whole/", network: "ftp://example.org/" }`, `network "ftp://example.org/": want`},
		{`{ image: "/whole/", mirrors: "http://example.org/" }`, "mirrors \"http://example.org/\": want a list of addresses"},
		{`{ image: "/whole/", engine: "fast" }`, `engine "fast": want "interpreter"`},
		{`{ image: "/whole/", terminal: {} }`, "terminal Object: want an object with write"},
	} {
		if got := promised(ctx, t, saysOf+`return says(`+tt.options+`)`); !strings.HasPrefix(got, "AlpineVMError: ") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want an AlpineVMError with %q", tt.options, got, tt.want)
		}
	}
	if got := promised(ctx, t, saysOf+`return says({ image: "/once/" })`); !strings.HasPrefix(got, `nothing: {"code":0`) {
		t.Errorf("parts that were damaged the first time: %q", got)
	}
	wrongCalls(ctx, t)
	wrongRelay(ctx, t)
	if got := promised(ctx, t, `return window.silent`); !strings.Contains(got, "has not come: the server has said nothing for 60 s") {
		t.Errorf("a server that says nothing: %q", got)
	}
}

// wrongCalls asks one machine for what cannot be. It does what can be afterwards, until it
// has ended, and says so then.
func wrongCalls(ctx context.Context, t *testing.T) {
	t.Helper()
	promised(ctx, t, saysOf+`window.vm = await AlpineVM.create({ image: "/whole/", network: "none" }); await window.vm.exec(["true"]); return ""`)
	said := func(script string) string {
		return promised(ctx, t, `const vm = window.vm; try { const v = await (async () => { `+script+` })(); return JSON.stringify(v) ?? "nothing"; } catch (e) { return e.name + ": " + e.message; }`)
	}
	for _, tt := range []struct{ script, want string }{
		{`return vm.exec("ls -l")`, `exec "ls -l": want the program and its arguments in a list`},
		{`return vm.exec([])`, "exec []: want a program"},
		{`return vm.exec(["true"], { stdin: 5 })`, "stdin 5: want a string"},
		{`return vm.exec(["cat"], { stdin: new ReadableStream({ pull(c) { c.error(new Error("it broke")); } }) })`, "stdin: it broke"},
		{`return vm.exec(["cat"], { stdin: new ReadableStream({ start(c) { c.enqueue("text"); } }) })`, "stdin: the stream has given something that is no Uint8Array"},
		{`return vm.exec(["true"], { env: ["A"] })`, `env "A": want NAME=value`},
		{`return vm.exec(["true"], { user: "nosuch" })`, `"nosuch" is not in the image's /etc/passwd`},
		{`return vm.exec(["sleep", "60"], { signal: AbortSignal.abort() })`, "exec sleep: its signal was aborted"},
		{`return vm.readFile("/none")`, "/none: file does not exist"},
		{`return vm.readFile("/etc")`, "/etc is a folder"},
		{`return vm.readFile()`, "readFile undefined: want the name of a file"},
		{`return vm.writeFile("/root/n", 5)`, "writeFile /root/n 5: want a string or a Uint8Array"},
		{`return vm.writeFile("/none/n", "x")`, "/none/n: file does not exist"},
		{`for await (const e of vm.readDir("/etc/passwd")) return e`, "/etc/passwd: a part of the path is no folder"},
		{`return vm.remove("/etc")`, "/etc: the folder is not empty"},
		{`return vm.fetch(81, "/")`, "nothing in the guest answers at port 81"},
		{`return vm.fetch(70000, "/")`, "port 70000: want a whole number from 1 to 65535"},
		{`return vm.fetch(80, "x")`, `fetch "x": want a path`},
		{`return vm.fetch(80, "/", { headers: { "a b": "c" } })`, "headers: "},
		{`return vm.url("80")`, `port "80": want`},
		{`return vm.url(80)`, "there is no service worker for this page: copy alpinevm-ports.js"},
		{`return vm.resize(0, 0)`, "resize 0: want whole numbers"},
		{`return vm.on("nosuch", () => 0)`, "there is no event nosuch; there are exit, error"},
	} {
		if got := said(tt.script); !strings.HasPrefix(got, "AlpineVMError: ") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want an AlpineVMError with %q", tt.script, got, tt.want)
		}
	}
	if got := said(`return (await vm.readFile("/../etc//passwd")).length > 0 && (await vm.exec(["nosuch"])).code`); got != "127" {
		t.Errorf("what can be: %s", got)
	}
	if got := said(`await navigator.serviceWorker.register("/alpinevm-ports.js"); const r = await fetch(await vm.url(81)); return r.status + await r.text()`); !strings.HasPrefix(got, `"502nothing in the guest answers at port 81`) {
		t.Errorf("by the package's service worker: %s", got)
	}
	if got := said(`setTimeout(() => vm.terminate(), 10); await vm.shutdown(); const errors = [];
		for (const f of [() => vm.exec(["true"]), () => vm.readFile("/etc/passwd"), () => vm.fetch(80, "/"), () => vm.url(80), () => vm.export(), () => vm.snapshot()]) errors.push(await f().then(() => "nothing", e => e.message));
		return [...new Set(errors)]`); got != `["The machine was switched off."]` {
		t.Errorf("calls after the end: %s", got)
	}
}

// wrongRelay has relays that do not answer, and that refuse: the guest's connections fail, the
// page is told why, and the machine goes on.
func wrongRelay(ctx context.Context, t *testing.T) {
	t.Helper()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	refusing := httptest.NewServer(http.NotFoundHandler())
	defer refusing.Close()
	for address, want := range map[string]string{
		"ws://" + silent.Addr().String() + "/": "it has not answered", strings.Replace(refusing.URL, "http", "ws", 1) + "/": "it cannot be reached, or refuses this page",
	} {
		got := promised(ctx, t, fmt.Sprintf(saysOf+`return says({ image: "/whole/", network: %q }, async (vm) => {
			const why = []; vm.on("network", n => n.why && why.push(n.why));
			const r = await vm.exec(["wget", "-q", "-O", "-", "http://name.invalid.example/"]); await vm.exec(["true"]); return [r.code, why[0]]; })`, address))
		if !strings.HasPrefix(got, "nothing: [1,") || !strings.Contains(got, "The relay "+address+" is not there: "+want) {
			t.Errorf("%s: %s, want a wget that fails, because %q", address, got, want)
		}
	}
}

// TestNoMemory has a browser that gives a program little memory: a page hears it in a sentence.
func TestNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots a guest; the full run does")
	}
	at := faulty(t, siteDir(t, "--cold"))
	ctx := browser(t, chromedp.Flag("js-flags", "--wasm-max-mem-pages=2600")) // 162 MiB
	if err := chromedp.Do(ctx, chromedp.Navigate(at+"/blank")); err != nil {
		t.Fatal(err)
	}
	got := promised(ctx, t, saysOf+`return says({ image: "/whole/" })`)
	if !strings.HasPrefix(got, "AlpineVMError: The machine has stopped: ") || !strings.Contains(got, "Close other tabs, or give the guest less.") {
		t.Errorf("without memory the page hears %q", got)
	}
}

// TestDamagedCopy: a part of a file that the service worker keeps is damaged; it is
// fetched again, once.
func TestDamagedCopy(t *testing.T) {
	if testing.Short() {
		t.Skip("not here: boots guests; the full run does")
	}
	dir := siteDir(t)
	address := hosted(t, string(dir))
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, tabPrompt)
	until(ctx, t, `document.documentElement.dataset.offline ?? ""`, "the machine's files to be kept", func(s string) bool { return s == "ready" })
	if got := call[int](ctx, t, `const c = await caches.open("alpinevm-machine /"); let n = 0;
		for (const r of await c.keys()) if (r.url.includes("/chunks/")) { await c.put(r, new Response("<!doctype html>", { headers: { "Content-Type": "text/html" } })); n++; } return n`); got < 10 {
		t.Fatalf("%d parts are kept", got)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(address+"?again")); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, tabPrompt)
	if got := call[int](ctx, t, `const c = await caches.open("alpinevm-machine /"); let n = 0; for (const r of await c.keys()) if (r.url.includes("/chunks/") && (await (await c.match(r)).text()) !== "<!doctype html>") n++; return n`); got == 0 {
		t.Error("no part that was read was kept anew")
	}
}
