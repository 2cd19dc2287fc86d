package bench

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/internal/guesttest"
)

// TestPhases follows a log with lines that are missing, come twice, or look like
// others.
func TestPhases(t *testing.T) {
	r := &Result{}
	n := uint64(0)
	p := &phases{where: Guest, r: r, report: func(string) {}, count: func() uint64 { n += 100; return n }, left: bootPhases()}
	p.begin(time.Now().Add(-time.Second))
	for _, l := range []string{
		"BIOS", "[    0.000000] Linux version 6.1.0", "[ 0.1] Linux version again", "[ 0.2] Memory: 500000K/523832K available\r",
		"[ 0.3] Zone ranges:", "[ 0.4] say @ready", "[ 0.5] Run /init as init process", "@ready",
	} {
		if n, err := p.Write([]byte(l + "\n")); err != nil || n != len(l)+1 {
			t.Fatal(n, err)
		}
	}
	var names []string
	for _, s := range r.Steps {
		names = append(names, s.Name)
	}
	if want := []string{"loader", "memory", "to-init", "program", "total"}; !slices.Equal(names, want) || !p.done {
		t.Errorf("phases %v, want %v", names, want)
	}
	if s := r.Steps[len(r.Steps)-1]; s.Time < time.Second || s.Instructions != 400 {
		t.Errorf("total %+v", s)
	}
}

// TestBoot boots to a prompt: the phases are all there and add up.
func TestBoot(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	b := Boot{Machine: func() (alpinevm.Config, func(), error) {
		return alpinevm.Config{
			Memory: 128 << 20, Session: &alpinevm.Session{Root: guesttest.Root(t, nil)},
			Boot: alpinevm.Boot{Kernel: guesttest.Kernel(t, "686-pae"), Cache: guesttest.Cache(t), Modules: guesttest.Modules(t, "686-pae")},
		}, func() {}, nil
	}, Report: func(s string) { t.Log(s) }}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	r, err := b.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"files", "machine"}
	for _, p := range bootPhases() {
		want = append(want, p.name)
	}
	var names []string
	var d time.Duration
	var n uint64
	for _, s := range r.Steps {
		names = append(names, s.Name)
		if s.Name != "total" {
			d, n = d+s.Time, n+s.Instructions
			continue
		}
		if d != s.Time || n != s.Instructions || n < 1e8 {
			t.Errorf("the phases take %v and %d instructions, the whole %v and %d", d, n, s.Time, s.Instructions)
		}
	}
	if want = append(want, "total"); !slices.Equal(names, want) {
		t.Errorf("phases %v, want %v", names, want)
	}
}

// TestBootFails has the kernel find no init: its log is shown.
func TestBootFails(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	image, cache := guesttest.Kernel(t, "686-pae"), guesttest.Cache(t)
	b := Boot{Machine: func() (alpinevm.Config, func(), error) {
		return alpinevm.Config{
			Memory: 128 << 20, Boot: alpinevm.Boot{Kernel: image, Cache: cache, Append: "rdinit=/nosuch", Initrd: []byte("none")},
		}, func() {}, nil
	}, Report: func(s string) { t.Log(s) }}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	r, err := b.Run(ctx)
	if err == nil || !strings.Contains(err.Error(), "kernel panic") || !strings.Contains(err.Error(), "VFS: Unable to mount root fs") {
		t.Errorf("%v", err)
	}
	if slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Name == "total" }) {
		t.Error("a boot that failed has a total")
	}
}
