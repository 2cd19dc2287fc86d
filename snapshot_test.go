package alpinevm

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p/memfs"
	"alpinevm/internal/guesttest"
)

var snapshotPoints = flag.Int("snapshot.points", 20, "at how many places a guest under load is saved to a file and restored")

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

// TestSnapshot runs a guest under load to its end, once without interruption and
// once by way of files, raw and packed ones in turn, at many places: both do the
// same, to the byte and to the instruction.
func TestSnapshot(t *testing.T) {
	fresh := func() Config {
		cfg := sessionConfig(t, "686-pae", busyScript)
		cfg.Memory = MinMemory
		cfg.Session.Stdin = strings.NewReader(strings.Repeat("a line of the standard input\n", 4000))
		cfg.Boot.Modules = guesttest.Modules(t, "686-pae", "virtio-rng")
		return cfg
	}
	first := newTraveller(t, fresh(), false)
	if err := first.start(); err != nil {
		t.Fatal(err)
	}
	want := first.finish()

	cfg, places := fresh(), rand.New(rand.NewPCG(5, 6))
	points := map[uint64]bool{}
	for range *snapshotPoints {
		points[places.Uint64N(want.retired-1)+1] = true
	}
	cfg = fileConfig(cfg, guesttest.Root(t, guesttest.Epoch))
	g := newTraveller(t, cfg, false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	var before journey
	for i, n := range slices.Sorted(maps.Keys(points)) {
		g.runTo(n)
		before = before.plus(g.seen())
		s := throughFile(t, g, i%2 == 0)
		next := newTravellerFrom(t, fileConfig(cfg, savedRoot(t, s)), false, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		g = next
	}
	got := before.plus(g.finish())
	if got.retired != want.retired || got.end != want.end {
		t.Errorf("%d instructions to %+v, without snapshots %d to %+v", got.retired, got.end, want.retired, want.end)
	}
	for _, x := range []struct{ name, got, want string }{
		{"log", got.serial, want.serial}, {"output", got.output, want.output}, {"errors", got.errors, want.errors},
	} {
		if x.got != x.want {
			t.Errorf("%s: %s", x.name, firstDifference(x.got, x.want))
		}
	}
}

// throughFile saves a machine and reads it again.
func throughFile(t *testing.T, g *traveller, raw bool) *Snapshot {
	t.Helper()
	s, err := g.Capture()
	if err != nil {
		t.Fatal(err)
	}
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
