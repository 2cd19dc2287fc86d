//go:build linux

package main

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"alpinevm/web"
)

var browserFigures = flag.Bool("browserfigures", false, "have TestBrowserFigures measure what starts of a page cost; nothing else is to run in a browser")

// ticksPerSecond is in what /proc counts a process's time (proc_pid_stat(5), sysconf(3)).
const ticksPerSecond = 100

// spent is the processor's time that the programs that we have started have had since
// before, and those that these have; not that of those that have ended.
func spent(t *testing.T, before map[int]process) (sum time.Duration) {
	t.Helper()
	for pid, p := range started(t) {
		sum += time.Duration(p.ticks-before[pid].ticks) * time.Second / ticksPerSecond
	}
	return sum
}

// servedBytes counts the bytes that it serves.
type servedBytes struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (m servedBytes) Write(p []byte) (int, error) {
	m.n.Add(int64(len(p)))
	return m.ResponseWriter.Write(p)
}

// TestBrowserFigures measures what it costs until a page's prompt is there, and how much
// is moved: of a boot, from a snapshot, of a machine that is kept; and what a page costs
// whose guest has nothing to do. It is for people to read.
func TestBrowserFigures(t *testing.T) {
	if !*browserFigures {
		t.Skip("not here: it measures, with -browserfigures")
	}
	if _, err := web.Files(); err != nil {
		t.Fatal(err)
	}
	dir := siteDir(t)
	var moved atomic.Int64
	files := http.FileServer(http.Dir(string(dir)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { files.ServeHTTP(servedBytes{w, &moved}, r) }))
	defer s.Close()
	cold := siteDir(t, "--cold")
	plain := http.FileServer(http.Dir(string(cold)))
	b := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { plain.ServeHTTP(servedBytes{w, &moved}, r) }))
	defer b.Close()
	for _, tt := range []struct{ what, address string }{
		{"a boot", b.URL}, {"from the snapshot", s.URL}, {"kept, for the first time", s.URL + "/?name=box"}, {"kept, again", s.URL + "/?name=box"}, {"from the snapshot, again", s.URL},
	} {
		t.Run(tt.what, func(t *testing.T) {
			ctx := browser(t)
			if strings.Contains(tt.what, "again") { // in the same browser
				_, _, closeTab := startPage(ctx, t, tt.address, &moved)
				closeTab()
			}
			took, n, _ := startPage(ctx, t, tt.address, &moved)
			begun := started(t)
			time.Sleep(20 * time.Second)
			idle := spent(t, begun).Seconds() / 20
			t.Logf("%.1f s of processor, %.1f MB; then %.1f %% of a core, and %.0f MiB of memory", took.Seconds(), float64(n)/1e6, 100*idle, float64(largest(t))/(1<<20))
		})
	}
	t.Run("at work", atWork)
}

// startPage opens a tab and tells what it took to its prompt.
func startPage(b context.Context, t *testing.T, address string, moved *atomic.Int64) (cpu time.Duration, bytes int64, closeTab context.CancelFunc) {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(b)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	before, from := started(t), moved.Load()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	shows(ctx, t, tabPrompt)
	cpu, bytes = spent(t, before), moved.Load()-from
	until(ctx, t, `document.documentElement.dataset.offline ?? ""`, "the machine's files to be kept", func(s string) bool { return s == "ready" })
	return cpu, bytes, closeTab
}
