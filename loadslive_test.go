package alpinevm

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p/memfs"
	"alpinevm/internal/guesttest"
)

// liveScript does all at a time, and fetches a file of $2 bytes from $1, as often as
// the connection is reset.
const liveScript = `set -e; cd /root
load faults fsync locks mappings nameless rep sse transfer x87 >/tmp/load & load=$!
(` + addScript + `) >/tmp/packages & packages=$!
awk 'BEGIN { for (i = 1; i < 20000; i++) s += sin(i) / i; printf "%.17g\n", s }' >/tmp/awk & awk=$!
while [ "$(stat -c %s fetched 2>/dev/null)" != $2 ]; do wget -q -c -O fetched $1 2>/dev/null || sleep 0.1; done
wait $load; wait $packages; wait $awk
cat /tmp/load /tmp/packages /tmp/awk; md5sum fetched; dmesg | grep -iE 'stalls|hung|lockup|BUG:|WARNING:' || echo quiet`

// TestSnapshotLive is TestSnapshot of a guest on the host's clock, which does all at
// a time and has a network: what it computes, writes, installs and fetches is what
// it is in one that nobody saves.
func TestSnapshotLive(t *testing.T) {
	const size = 4 << 20
	content, _ := pattern(size)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(slowly{w}, r, "data", time.Time{}, bytes.NewReader(content))
	}))
	defer web.Close()
	packages := packagesLoad()
	fresh := func() Config {
		cfg := networkConfig(t, "")
		from := packages.config(t)
		root := from.Session.Root.(*memfs.FS)
		addProgram(t, root)
		cfg.Memory, cfg.Boot.Modules = 2*MinMemory, guesttest.Modules(t, "686-pae", "virtio_net")
		cfg.Session.Args = []string{"/bin/sh", "-c", liveScript, "sh", hostURL(web) + "/data", fmt.Sprint(size)}
		return fileConfig(cfg, root)
	}
	first := newTraveller(t, fresh(), false)
	if err := first.start(); err != nil {
		t.Fatal(err)
	}
	first.want(first.live(), Exited, 0)
	want, whole := first.stdout.String(), first.Instructions()
	if !strings.Contains(want, "quiet") {
		t.Fatal(want)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	g := newTraveller(t, fresh(), false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	places, gap, saved := rand.New(rand.NewPCG(9, 10)), whole/uint64(max(1, *snapshotPoints/3)), 0
	var output string
	for {
		s := g.captureLive(g.Instructions() + gap/2 + places.Uint64N(gap))
		if s == nil {
			break
		}
		output += g.stdout.String()
		s = throughFile(t, s, saved%2 == 0)
		next := newTravellerFrom(t, fileConfig(g.cfg, savedRoot(t, s)), false, s)
		if err := errors.Join(s.Close(), g.Close()); err != nil {
			t.Fatal(err)
		}
		g = next
		saved++
	}
	e, _ := g.End()
	g.want(e, Exited, 0)
	if got := output + g.stdout.String(); got != want {
		t.Errorf("saved %d times: %s", saved, firstDifference(got, want))
	}
	if saved == 0 {
		t.Error("it was not saved")
	}
	t.Logf("saved %d times", saved)
}

// captureLive runs a machine on the host's clock to that count of instructions, or
// somewhat further, and gives a snapshot; nil: it has ended.
func (g *traveller) captureLive(n uint64) *Snapshot {
	g.t.Helper()
	for late := time.Now().Add(liveTime); time.Now().Before(late); {
		status, _ := g.Step()
		if status != Running {
			time.Sleep(20 * time.Microsecond)
		}
		switch {
		case !g.board.Drained():
		case status == Ended:
			return nil
		case g.Instructions() >= n:
			s, err := g.Capture()
			if err == nil {
				return s
			}
			if !errors.Is(err, ErrNotQuiet) {
				g.t.Fatal(err)
			}
		}
	}
	g.t.Fatalf("%d instructions, and not at %d; %s", g.Instructions(), n, g.describe())
	return nil
}

// slowly is a connection over which a file takes a while.
type slowly struct{ http.ResponseWriter }

// Write is part of http.ResponseWriter.
func (s slowly) Write(p []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return s.ResponseWriter.Write(p)
}
