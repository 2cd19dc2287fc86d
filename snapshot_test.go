package alpinevm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p/memfs"
	"alpinevm/internal/guesttest"
)

// fileConfig is a guest whose root's files are in its snapshot.
func fileConfig(cfg Config, root *memfs.FS) Config {
	session := *cfg.Session
	session.Root = root
	cfg.Session = &session
	cfg.Kept = []Kept{{Name: "root", Save: func() (any, error) { return root.Save(), nil }, Settle: root.Settle}}
	return cfg
}

// savedRoot is the root of a snapshot.
func savedRoot(t testing.TB, s *Snapshot) *memfs.FS {
	t.Helper()
	var state memfs.State
	if err := s.Decode("root", &state); err != nil {
		t.Fatal(err)
	}
	root, err := memfs.Restore(memfs.Config{Now: guesttest.Epoch}, state)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// throughFile writes a snapshot, closes it and reads it again.
func throughFile(t *testing.T, s *Snapshot, raw bool) *Snapshot {
	t.Helper()
	defer s.Close()
	f, err := os.Create(filepath.Join(t.TempDir(), "snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name()) // hundreds of them are much
	defer f.Close()
	if raw {
		err = s.WriteRaw(f)
	} else {
		err = s.Write(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenSnapshot(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// TestClones has several machines go on from one snapshot, in memory and from a
// stream, one after the other a step at a time: each comes to the end that the
// saved one comes to.
func TestClones(t *testing.T) {
	cfg := sessionConfig(t, "686-pae", `for i in 1 2 3 4 5; do echo $i >>/list; seq 1 100 | md5sum; done; md5sum /list`)
	cfg.Memory = MinMemory
	cfg = fileConfig(cfg, guesttest.Root(t, guesttest.Epoch))
	g := newTraveller(t, cfg, false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	g.stepUntil(bootBudget, func() bool { return strings.Contains(g.stdout.String(), "-") })
	g.runTo(g.Instructions() + 1000)
	s, err := g.Capture()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var packed bytes.Buffer
	if err := g.Snapshot(&packed); err != nil {
		t.Fatal(err)
	}
	before := g.seen()
	clones := []*traveller{g}
	for range 3 {
		clones = append(clones, newTravellerFrom(t, fileConfig(cfg, savedRoot(t, s)), false, s))
	}
	read, err := OpenSnapshot(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	clones = append(clones, newTravellerFrom(t, fileConfig(cfg, savedRoot(t, read)), false, read))
	stream, err := StreamSnapshot(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if err := stream.Write(io.Discard); err == nil {
		t.Error("a snapshot that is not kept was written")
	}
	clones = append(clones, newTravellerFrom(t, fileConfig(cfg, savedRoot(t, stream)), false, stream))
	for running := true; running; {
		running = false
		for _, c := range clones {
			if s, _ := c.Step(); s != Ended || !c.board.Drained() {
				running = true
			}
		}
	}
	want := clones[0].seen()
	for i, c := range clones[1:] {
		if got := before.plus(c.seen()); got.output != want.output || got.retired != want.retired || *c.end != *g.end {
			t.Errorf("clone %d: %+v after %d instructions, want %d; %s", i, *c.end, got.retired, want.retired, firstDifference(got.output, want.output))
		}
	}
}

// TestLaterKernel: a guest that goes on from a snapshot needs its kernel when it starts
// again, and no sooner; one that boots has to have it.
func TestLaterKernel(t *testing.T) {
	cfg := sessionConfig(t, "686-pae", `echo ready; read line; reboot -f`)
	cfg.Memory = MinMemory
	cfg = fileConfig(cfg, guesttest.Root(t, guesttest.Epoch))
	g := newTraveller(t, cfg, false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	g.stepUntil(bootBudget, func() bool { return strings.Contains(g.stdout.String(), "ready") })
	var packed bytes.Buffer
	if err := g.Snapshot(&packed); err != nil {
		t.Fatal(err)
	}
	s, err := StreamSnapshot(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kernel, asked := cfg.Boot.Kernel, 0
	cfg = fileConfig(cfg, savedRoot(t, s))
	cfg.Boot.Kernel, cfg.Boot.Later = nil, func() ([]byte, []byte, error) {
		asked++
		return kernel, nil, nil
	}
	if m, err := New(cfg); err == nil {
		m.Close()
		t.Error("a machine without a kernel boots")
	}
	c := newTravellerFrom(t, cfg, false, s)
	if asked != 0 {
		t.Error("the kernel was asked for before the guest has started again")
	}
	c.stepUntil(2*bootBudget, func() bool { return strings.Contains(c.stdout.String(), "ready") })
	if asked != 1 {
		t.Errorf("the kernel was asked for %d times", asked)
	}
}

// TestSnapshotRefuses: a snapshot goes on only in a machine as the saved one was.
func TestSnapshotRefuses(t *testing.T) {
	cfg := guestConfig(t, "686", "")
	cfg.Memory = MinMemory
	cfg = fileConfig(cfg, guesttest.Root(t, guesttest.Epoch))
	g := newTraveller(t, cfg, false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	s, err := g.Capture()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var packed bytes.Buffer
	if err := s.Write(&packed); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		change func(*Config)
		names  string
	}{
		{func(c *Config) { c.Memory = 2 * MinMemory }, "64 MiB"},
		{func(c *Config) { c.Consoles.Terminal = &Terminal{} }, `"console"`},
		{func(c *Config) { c.Volumes = []Volume{{FS: memfs.New(memfs.Config{}), Target: "/v"}} }, `"files volume0"`},
		{func(c *Config) { c.Session = nil }, `"files ctl"`},
		{func(c *Config) { c.Deterministic = false }, "deterministic"},
		{func(c *Config) { c.Hostname = "no name" }, "hyphens"},
	} {
		other := cfg
		tt.change(&other)
		m, err := s.Clone(other)
		if err == nil {
			m.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.names) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %s: %v", tt.names, err)
		}
	}
	if _, err := Restore(bytes.NewReader(packed.Bytes()[:packed.Len()/2]), cfg); !errors.Is(err, ErrSnapshot) {
		t.Error(err)
	}
	m, err := Restore(&packed, cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}

// TestClonesDiffer: what must not be alike in two clones is not, and their date is
// that of the host.
func TestClonesDiffer(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	const clones = 20
	cfg := guestConfig(t, "686-pae", `echo ready; read line; head -c 32 /dev/urandom | md5sum; date +%s; hostname; dmesg | grep -c 'virtual machine fork'`)
	cfg.Deterministic, cfg.Memory = false, MinMemory
	cfg.Boot.Modules = guesttest.Modules(t, "686-pae", "vmgenid")
	root := guesttest.Root(t, guesttest.Epoch)
	cfg = fileConfig(cfg, root)
	in, out := io.Pipe()
	defer out.Close()
	cfg.Session.Stdin = in
	g := newTraveller(t, cfg, false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	g.stepUntil(bootBudget, func() bool { return strings.Contains(g.stdout.String(), "ready") })
	var s *Snapshot
	g.stepUntil(bootBudget, func() (done bool) { // it waits for its input
		status, _ := g.Step()
		if status != Idle {
			return false
		}
		var err error
		if s, err = g.Capture(); err != nil && !errors.Is(err, ErrNotQuiet) {
			t.Fatal(err)
		}
		return err == nil
	})
	defer s.Close()
	drawn := map[string]bool{}
	for i := range clones {
		cfg := fileConfig(cfg, savedRoot(t, s))
		cfg.Session.Stdin, cfg.Hostname = strings.NewReader("go on\n"), fmt.Sprint("clone", i)
		begun := time.Now()
		c := newTravellerFrom(t, cfg, false, s)
		c.want(c.run(), Exited, 0)
		got := lines(c.stdout.String())
		if len(got) != 4 || drawn[got[0]] {
			t.Fatalf("clone %d printed %q; what it has drawn others have drawn: %v", i, got, drawn)
		}
		drawn[got[0]] = true
		if date, err := strconv.ParseInt(got[1], 10, 64); err != nil || date < begun.Unix()-1 || date > time.Now().Unix()+1 {
			t.Errorf("clone %d: its date is %s, and ours %d", i, got[1], time.Now().Unix())
		}
		if got[2] != cfg.Hostname || got[3] != "1" {
			t.Errorf("clone %d is called %s, and was told %s times that it is a copy", i, got[2], got[3])
		}
		c.Close()
	}
}
