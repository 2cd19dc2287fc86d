//go:build !js

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"alpinevm/internal/website"
	"alpinevm/web"
)

// parts are names of parts of files, from number first on.
func parts(first, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%032x", first+i))
	}
	return list
}

// TestKeepsParts has the service worker keep the files of a machine, of one of which there
// are too many, and of the next build: first what starts read, no more than 1,024 parts,
// and nothing of a build that is gone. Pages of other folders keep what they have.
func TestKeepsParts(t *testing.T) {
	files, err := web.Files()
	if err != nil {
		t.Fatal(err, ": make web does")
	}
	var mu sync.Mutex
	machine, asked := "", 0
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(files))
	mux.HandleFunc("/blank", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html><title>blank</title>") })
	mux.HandleFunc("/"+website.MachineFile, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprint(w, machine)
	})
	mux.HandleFunc("/"+website.ChunkDir+"/", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		fmt.Fprint(w, "part")
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	ctx, _ := tab(browser(t), t, s.URL+"/blank")
	list := func(names []string) string { return `["` + strings.Join(names, `","`) + `"]` }
	for _, tt := range []struct {
		name, machine, want string
		asked               int
	}{
		{"few", fmt.Sprintf(`{"root":{"archive":{"chunks":%s}},"modules":{"archive":{"chunks":%s}}}`, list(parts(0, 3)), list(parts(100, 4))), "true 7", 7},
		{"the next build", fmt.Sprintf(`{"root":{"archive":{"chunks":%s}},"modules":{"archive":{"chunks":%s}}}`, list(parts(1, 3)), list(parts(100, 2))), "true 5", 1},
		{"many", fmt.Sprintf(`{"modules":{"archive":{"chunks":%s}},"root":{"archive":{"chunks":%s}},"ahead":{"boot":%s}}`, list(parts(2000, 1500)), list(parts(500, 4)), list(parts(600, 5))),
			fmt.Sprintf("false 1024 %032x %032x", 503, 604), 1024},
	} {
		mu.Lock()
		machine, asked = tt.machine, 0
		mu.Unlock()
		got := promised(ctx, t, `const other = await caches.open("alpinevm-machine /other/"); await other.put("/other/chunks/`+parts(9, 1)[0]+`", new Response("other"));
			const r = await navigator.serviceWorker.register("sw.js"); await navigator.serviceWorker.ready;
			const kept = new Promise(done => navigator.serviceWorker.addEventListener("message", e => done(e.data.all), { once: true })); navigator.serviceWorker.startMessages();
			r.active.postMessage({ type: "keep" }); const all = await kept;
			const names = (await (await caches.open("alpinevm-machine /")).keys()).map(r => r.url).filter(u => u.includes("/chunks/")).map(u => u.slice(-32));
			const first = all ? [] : [names.find(n => n === "`+parts(503, 1)[0]+`"), names.find(n => n === "`+parts(604, 1)[0]+`")];
			if (!(await other.keys()).length) return "the other folder's are gone"; return [all, names.length, ...first].join(" ")`)
		mu.Lock()
		if got != tt.want || asked != tt.asked {
			t.Errorf("%s: %q, want %q; %d parts were asked for, want %d", tt.name, got, tt.want, asked, tt.asked)
		}
		mu.Unlock()
	}
}

// promised runs what is a promise in a page that has no machine.
func promised(ctx context.Context, t *testing.T, script string) string {
	t.Helper()
	late, stop := context.WithTimeout(ctx, patience)
	defer stop()
	v, err := chromedp.Run(late, chromedp.Evaluate[string](`(async () => { `+script+` })()`, chromedp.EvalAwaitPromise))
	if err != nil {
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + " " + navigator.serviceWorker.controller?.state + " " + document.body.innerText`))
		t.Fatalf("%s: %v; the page is %q", script, err, text)
	}
	return v
}
