package alpinevm

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/internal/guesttest"
)

// booted gives a config of a session, and a snapshot of its kernel as it has booted.
func booted(t *testing.T, script string) (Config, []byte) {
	t.Helper()
	cfg := sessionConfig(t, "686-pae", script)
	cfg.Deterministic, cfg.Memory = false, MinMemory
	kept := &shelf{t: t, kept: map[string][]byte{}}
	first := cfg
	first.Boot.Warm = kept
	m, err := New(first)
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, Machine: m}
	g.stepUntil(bootBudget, func() bool { return kept.stored > 0 })
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	return cfg, slices.Collect(maps.Values(kept.kept))[0]
}

func stream(t *testing.T, data []byte) *Snapshot {
	t.Helper()
	s, err := StreamSnapshot(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestBegin: machines go on from a booted kernel with a root, a program and random numbers
// of their own. The kernel and the tools are asked for when the guest starts again, and no
// sooner, also where it has gone on from a snapshot of its own meanwhile.
func TestBegin(t *testing.T) {
	cfg, data := booted(t, `head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; echo; cat /root/own; ls /lib/modules/*/modules.dep; echo ready
		if ! test -e /root/again; then touch /root/again; sync; read line; reboot -f; fi; exit 7`)
	kernel, asked := cfg.Boot.Kernel, 0
	cfg.Boot.Kernel, cfg.Boot.Later = nil, func() ([]byte, []byte, error) {
		asked++
		return kernel, nil, nil
	}
	drawn := map[string]bool{}
	for _, own := range []string{"one", "two"} {
		root := guesttest.Root(t, guesttest.Epoch)
		if err := fs9p.WriteFile(root, "root/own", []byte(own+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		g := travellerOf(t, fileConfig(cfg, root), false, stream(t, data).Begin)
		g.stepUntil(runBudget, func() bool { return strings.Contains(g.stdout.String(), "ready") })
		got := lines(g.stdout.String())
		if len(got) < 3 || drawn[got[0]] || got[1] != own || !strings.HasSuffix(got[2], "modules.dep") {
			t.Fatalf("%s says %q", own, got)
		}
		drawn[got[0]] = true
		if asked != 0 {
			t.Fatal("the kernel was asked for before the guest has started again")
		}
		var packed bytes.Buffer
		for err := g.Snapshot(&packed); err != nil; err = g.Snapshot(&packed) {
			if !errors.Is(err, ErrNotQuiet) && !errors.Is(err, ErrBusy) {
				t.Fatal(err)
			}
			g.Step()
		}
		s := stream(t, packed.Bytes())
		c := travellerOf(t, fileConfig(cfg, savedRoot(t, s)), false, s.Clone)
		c.want(*c.stepUntil(bootBudget+runBudget, nil), Exited, 7)
		if got := lines(c.stdout.String()); len(got) < 3 || drawn[got[0]] || got[1] != own || asked != 1 {
			t.Errorf("%s says %q when it has started again; the kernel was asked for %d times", own, got, asked)
		}
		asked = 0
	}
}

// TestBeginRefuses: a machine that is another one than the kernel has booted in is
// refused, and so is a snapshot of another kind.
func TestBeginRefuses(t *testing.T) {
	cfg, data := booted(t, "true")
	for _, tt := range []struct {
		name, want string
		change     func(*Config)
	}{
		{"memory", "64 MiB", func(c *Config) { c.Memory = 2 * MinMemory }},
		{"terminal", `"console"`, func(c *Config) { c.Consoles.Terminal = &Terminal{} }},
		{"network", `"network"`, func(c *Config) { c.Network = &Network{} }},
		{"no session", "just booted", func(c *Config) { c.Session = nil }},
		{"deterministic", "deterministic", func(c *Config) { c.Deterministic = true }},
		{"host's name", "hyphens", func(c *Config) { c.Hostname = "no name" }},
	} {
		other := cfg
		tt.change(&other)
		if m, err := stream(t, data).Begin(other); err == nil {
			m.Close()
			t.Errorf("%s: it begins", tt.name)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	if m, err := stream(t, data).Clone(cfg); !errors.Is(err, errBegins) {
		t.Errorf("Clone of a booted kernel: %v, %v", m, err)
	}
	g := travellerOf(t, cfg, false, stream(t, data).Begin)
	g.stepUntil(runBudget, func() bool { return g.session.up })
	s, err := g.Capture()
	for ; errors.Is(err, ErrNotQuiet); s, err = g.Capture() {
		g.Step()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if m, err := s.Begin(cfg); !errors.Is(err, ErrSnapshot) {
		t.Errorf("Begin of a machine that has begun: %v, %v", m, err)
	}
}
