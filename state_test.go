package alpinevm

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm/devices/virtio"
	"alpinevm/internal/guesttest"
	"alpinevm/internal/statetest"
)

// restorePoints is at how many places a guest is saved and restored.
const restorePoints = 50

// busyScript uses every device: files that are open, locked, mapped or without a
// name, pipes, processes, random numbers, both consoles and the clock.
const busyScript = `part() { echo "== $1"; }
part files; mkdir -p /srv/a/b; for i in 1 2 3 4 5 6 7 8 9; do echo $i >/srv/a/b/$i; ln -s b/$i /srv/a/$i; done
exec 7>/srv/unnamed 8</srv/a/b/5; rm /srv/unnamed /srv/a/b/5; mv /srv/a /srv/c
for i in 1 2 3 4 5 6 7 8 9; do echo line $i >&7; cat /srv/c/b/$i 2>/dev/null; done; cat <&8; ls -lR /srv | md5sum
part lock; flock /srv/c/b/1 sh -c 'echo locked; sleep 1; echo unlocked'
part random; modprobe virtio-rng && head -c 64 /dev/hwrng | md5sum; head -c 64 /dev/urandom | md5sum
part serial; echo by the serial port >/dev/ttyS0
part pipe; seq 1 5000 | sort -r | md5sum
part input; tty -s || { for i in 1 2 3 4 5 6 7 8 9; do read line; echo $line; seq 1 100 | md5sum; done; md5sum; }
part float; awk 'BEGIN { for (i = 1; i < 5000; i++) s += sin(i) / i; printf "%.17g\n", s }'
part interrupts; cat /proc/interrupts; part date; date; cat /proc/uptime; part log; dmesg; part mounts; cat /proc/mounts
part terminal; tty && stty size; sleep 3 & wait
part end; echo error text >&2; exit 42
`

// TestRestore runs guests to the end of a session, once without and once with a
// new machine at each of many places, which goes on from the state of the one
// before: both do the same, to the byte and to the instruction.
func TestRestore(t *testing.T) {
	for _, tt := range []struct {
		flavour  string
		terminal bool
		engine   Engine
	}{{"686-pae", false, EngineAuto}, {"686", true, EngineInterpreter}} {
		t.Run(tt.flavour, func(t *testing.T) {
			t.Parallel()
			fresh := func() Config {
				cfg := sessionConfig(t, tt.flavour, busyScript)
				cfg.Memory, cfg.Engine = MinMemory, tt.engine
				cfg.Session.Stdin = strings.NewReader(strings.Repeat("a line of the standard input\n", 4000))
				cfg.Boot.Modules = guesttest.Modules(t, tt.flavour, "virtio-rng")
				return cfg
			}
			first := newTraveller(t, fresh(), tt.terminal)
			if err := first.start(); err != nil {
				t.Fatal(err)
			}
			want := first.finish()

			cfg, places := fresh(), rand.New(rand.NewPCG(3, 4))
			points := map[uint64]bool{}
			for range restorePoints {
				points[places.Uint64N(want.retired-1)+1] = true
			}
			g := newTraveller(t, cfg, tt.terminal)
			if err := g.start(); err != nil {
				t.Fatal(err)
			}
			var before journey
			for _, n := range slices.Sorted(maps.Keys(points)) {
				g.runTo(n)
				before = before.plus(g.seen())
				next := newTraveller(t, cfg, tt.terminal)
				g.moveTo(next)
				g = next
			}
			got := before.plus(g.finish())
			if got.retired != want.retired || got.end != want.end {
				t.Errorf("%d instructions to %+v, without restores %d to %+v", got.retired, got.end, want.retired, want.end)
			}
			for _, x := range []struct{ name, got, want string }{
				{"log", got.serial, want.serial}, {"output", got.output, want.output}, {"errors", got.errors, want.errors},
			} {
				if x.got != x.want {
					t.Errorf("%s: %s", x.name, firstDifference(x.got, x.want))
				}
			}
		})
	}
}

// journey is what could be seen of a guest.
type journey struct {
	retired                uint64
	end                    End
	serial, output, errors string
}

// plus is a journey and what followed.
func (j journey) plus(next journey) journey {
	return journey{next.retired, next.end, j.serial + next.serial, j.output + next.output, j.errors + next.errors}
}

// traveller is a machine that has not started, or a part of a journey.
type traveller struct {
	*guest
	terminal buffer
}

// newTraveller makes the machine of cfg, for which nothing is loaded yet.
func newTraveller(t *testing.T, cfg Config, terminal bool) *traveller {
	t.Helper()
	return travellerOf(t, cfg, terminal, assemble)
}

// newTravellerFrom makes one that goes on from a snapshot.
func newTravellerFrom(t *testing.T, cfg Config, terminal bool, s *Snapshot) *traveller {
	t.Helper()
	return travellerOf(t, cfg, terminal, s.Clone)
}

func travellerOf(t *testing.T, cfg Config, terminal bool, make func(Config) (*Machine, error)) *traveller {
	t.Helper()
	g := &traveller{guest: &guest{t: t}}
	session := *cfg.Session // whose input goes on where the machine before has read to
	cfg.Session = &session
	if terminal {
		cfg.Consoles.Terminal = &Terminal{Out: &g.terminal, Cols: 132, Rows: 43, Term: "xterm"}
	} else {
		session.Stdout, session.Stderr = &g.stdout, &g.stderr
	}
	cfg.Consoles.Serial = &g.serial
	var err error
	if g.Machine, err = make(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func (g *traveller) seen() journey {
	return journey{retired: g.Instructions(), serial: g.serial.String(), output: g.stdout.String() + g.terminal.String(), errors: g.stderr.String()}
}

func (g *traveller) finish() journey {
	g.t.Helper()
	end := g.run()
	j := g.seen()
	j.end = end
	return j
}

// runTo runs the machine to that count of instructions, and what it has printed
// to the host.
func (g *traveller) runTo(n uint64) {
	g.t.Helper()
	for g.Instructions() < n {
		if s, _ := g.board.StepTo(n); s == Ended {
			g.t.Fatalf("ended before %d instructions: %s", n, g.describe())
		}
	}
	for !g.board.Drained() {
		time.Sleep(20 * time.Microsecond)
		if _, err := g.save(); err != nil && err != ErrNotQuiet { // does what was kicked
			g.t.Fatal(err)
		}
	}
}

// moveTo has another machine go on.
func (g *traveller) moveTo(next *traveller) {
	g.t.Helper()
	s, err := g.save()
	if err != nil {
		g.t.Fatal(err)
	}
	const page = 4096
	from, to := g.board.RAM(), next.board.RAM()
	p, zero := make([]byte, page), make([]byte, page)
	for at := int64(0); at < int64(from.Size()); at += page {
		if from.ReadAt(p, at); !bytes.Equal(p, zero) {
			to.WriteAt(p, at)
		}
	}
	copied := statetest.Copy(g.t, *s)
	if err := next.restore(&copied); err != nil {
		g.t.Fatal(err)
	}
	if err := g.Close(); err != nil { // its files are in the next one's hands
		g.t.Fatal(err)
	}
}

// TestRestoreRefuses has a machine refuse the state of another one.
func TestRestoreRefuses(t *testing.T) {
	cfg := guestConfig(t, "686", "")
	cfg.Memory = MinMemory
	g := newTraveller(t, cfg, false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*state)
		ok     bool
	}{
		{"as it was", func(*state) {}, true},
		{"a volume less", func(s *state) { s.Servers = s.Servers[1:] }, false},
		{"another volume", func(s *state) { s.Servers[0].Tag = "another" }, false},
		{"no session", func(s *state) { s.Session = nil }, false},
		{"two sessions", func(s *state) { s.Session = append(s.Session, s.Session...) }, false},
		{"another control file", func(s *state) { s.Session[0].Control.Files[0].Name = "another" }, false},
		{"a job that cannot be", func(s *state) { s.Session[0].Jobs = []jobState{{Folder: "../x", File: 1 << 20}} }, false},
		{"a job in the place of a file", func(s *state) { s.Session[0].Jobs = []jobState{{Folder: "x00000001", File: 1}} }, false},
		{"too many jobs", func(s *state) { s.Session[0].Jobs = make([]jobState, maxJobs+1) }, false},
		{"a session of 9P that cannot be", func(s *state) { s.Servers[1].Msize = 1 }, false},
		{"another device", func(s *state) { s.Board.Files[0].Tag = "another" }, false},
		{"no network", func(s *state) { s.Board.Cards = make([]virtio.NetState, 1) }, false},
		{"a console", func(s *state) { s.Board.Consoles = make([]virtio.ConsoleState, 1) }, false},
	} {
		s, err := g.save()
		if err != nil {
			t.Fatal(err)
		}
		copied := statetest.Copy(t, *s)
		tt.change(&copied)
		if err := newTraveller(t, cfg, false).restore(&copied); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestRestoreJob: a program beside the session's goes on in another machine. Its
// output there is nobody's.
func TestRestoreJob(t *testing.T) {
	cfg := sessionConfig(t, "686-pae", "while ! [ -e /go ]; do sleep 0.1; done; cat /go; exit 4")
	g, next := newTraveller(t, cfg, false), newTraveller(t, cfg, false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	var out buffer
	script := "echo begun; read line; echo $line; sleep 1; echo written >/new; mv /new /go; exec sleep 100"
	if _, err := g.session.jobs.exec(&Process{Args: []string{"sh", "-c", script}, Stdin: strings.NewReader(""), Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	g.stepUntil(runBudget, func() bool { return strings.HasPrefix(out.String(), "begun") })
	g.runTo(g.Instructions() + 1)
	g.moveTo(next)
	if n := len(next.session.jobs.list); n != 1 {
		t.Fatalf("%d jobs", n)
	}
	j := next.session.jobs.list[0]
	next.want(next.run(), Exited, 4)
	if next.stdout.String() != "written\n" {
		t.Errorf("the session has read %q", next.stdout.String())
	}
	if code, err := j.Wait(); err != ErrEnded && (code != 128+15 || err != nil) {
		t.Errorf("job: code %d, %v", code, err)
	}
}

// TestRestoreBehindJob: a guest whose command has just ended, and which may have yet to
// forget its folder, is given another one where it goes on, in a folder of another name.
func TestRestoreBehindJob(t *testing.T) {
	cfg := sessionConfig(t, "686-pae", "sleep 1000")
	g := newTraveller(t, cfg, false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	g.stepUntil(runBudget, func() bool { return g.session.up })
	had := map[string]bool{}
	for i := range uint64(8) {
		var out buffer
		j, err := g.session.jobs.exec(&Process{Args: []string{"echo", "done"}, Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		g.stepUntil(runBudget, func() bool { return len(g.session.jobs.list) == 0 })
		if code, err := j.Wait(); code != 0 || err != nil || out.String() != "done\n" {
			t.Fatalf("command %d: code %d, %v, output %q", i, code, err, out.String())
		}
		if had[j.folder] {
			t.Fatalf("the folder %s has been another command's", j.folder)
		}
		had[j.folder] = true
		next := newTraveller(t, cfg, false)
		g.runTo(g.Instructions() + 1 + 20_000*i)
		g.moveTo(next)
		g = next
	}
}
