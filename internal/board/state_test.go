package board

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm/cpu/mem"
	"alpinevm/internal/baretest"
	"alpinevm/internal/guesttest"
	"alpinevm/internal/statetest"
	"alpinevm/kernel"
)

// restorePoints is at how many places a run is saved and restored.
const restorePoints = 50

// run is how a board's run went.
type run struct {
	end           string
	instructions  uint64
	now           time.Duration
	serial, debug string
}

// TestRestore runs boards to their end, once without and once with a new board at
// each of many places, which goes on from the state of the one before: both do
// the same, to the byte and to the instruction.
func TestRestore(t *testing.T) {
	for _, tt := range []struct {
		name   string
		image  func(t *testing.T) Image
		resets bool // the guest's reset starts it again; else it is its end
	}{
		{"ticks", func(t *testing.T) Image { return flat(t, baretest.Ticks) }, true},
		{"reset of firmware", func(*testing.T) Image {
			return Image{Firmware: baretest.ROM(baretest.Twice + "BAF90C B006 EE EBFE")}
		}, true},
		{"SeaBIOS", func(t *testing.T) Image {
			image, err := os.ReadFile(guesttest.File(t, "seabios/bios.bin"))
			if err != nil {
				t.Fatal(err)
			}
			return Image{Firmware: image}
		}, false},
		{"Linux without a root", func(t *testing.T) Image {
			if testing.Short() {
				t.Skip("boots a guest")
			}
			k, err := kernel.Parse(guesttest.Kernel(t, "686-pae"))
			if err != nil {
				t.Fatal(err)
			}
			return Image{Kernel: k, Cache: guesttest.Cache(t), Cmdline: "console=ttyS0 loglevel=7 mitigations=off tsc=reliable cryptomgr.notests panic=-1"}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			image := tt.image(t)
			fresh := func() *rig {
				r := assemble(t, Config{Deterministic: true, Console: &Console{Cols: 80, Rows: 25}})
				if !tt.resets {
					r.cfg.Hooks.Reset = func() bool { r.end = "reset"; return false }
				}
				return r
			}
			first := fresh()
			if err := first.Boot(image); err != nil {
				t.Fatal(err)
			}
			want := first.finish()

			places := rand.New(rand.NewPCG(1, 2))
			points := map[uint64]bool{}
			for range restorePoints {
				points[places.Uint64N(want.instructions-1)+1] = true
			}
			r := fresh()
			if err := r.Boot(image); err != nil {
				t.Fatal(err)
			}
			var serial, debug string
			for _, n := range slices.Sorted(maps.Keys(points)) {
				r.runTo(n)
				next := fresh()
				r.moveTo(next, image)
				serial, debug = serial+r.serial.String(), debug+r.debug.String()
				r = next
			}
			got := r.finish()
			got.serial, got.debug = serial+got.serial, debug+got.debug
			if got != want {
				t.Errorf("%d instructions in %v to %q, without restores %d in %v to %q",
					got.instructions, got.now, got.end, want.instructions, want.now, want.end)
				t.Errorf("serial %q\nwant %q\ndebug %q\nwant %q", got.serial, want.serial, got.debug, want.debug)
			}
		})
	}
}

// finish runs the board to its end.
func (r *rig) finish() run {
	r.t.Helper()
	r.stepUntil(2000e6, nil)
	return run{r.end, r.Instructions(), r.clock.Now(), r.serial.String(), r.debug.String()}
}

// runTo runs the board to that count of instructions, and what it has printed to
// the host.
func (r *rig) runTo(n uint64) {
	r.t.Helper()
	for r.Instructions() < n {
		if s, _ := r.StepTo(n); s == Ended {
			r.t.Fatalf("ended by %s before %d instructions", r.end, n)
		}
	}
	for !r.Drained() {
		r.kicks.bell.wait(time.Millisecond)
		r.kicks.drain()
	}
}

// moveTo has another board go on.
func (r *rig) moveTo(next *rig, image Image) {
	r.t.Helper()
	s, err := r.Save()
	if err != nil {
		r.t.Fatal(err)
	}
	page, zero := make([]byte, mem.PageSize), make([]byte, mem.PageSize)
	for at := int64(0); at < int64(r.mem.Size()); at += mem.PageSize {
		if r.mem.ReadAt(page, at); !bytes.Equal(page, zero) {
			next.mem.WriteAt(page, at)
		}
	}
	if err := r.Close(); err != nil {
		r.t.Fatal(err)
	}
	copied := statetest.Copy(r.t, *s)
	if err := next.Restore(image, &copied); err != nil {
		r.t.Fatal(err)
	}
}

// TestStateIsPlain: a State can be written to a file as it is.
func TestStateIsPlain(t *testing.T) { statetest.Plain(t, State{}) }

// TestRestoreRefuses has a board refuse what another could not have saved.
func TestRestoreRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*State)
		ok     bool
	}{
		{"as it was", func(*State) {}, true},
		{"before the machine was made", func(s *State) { s.Now = -1 }, false},
		{"the end of time", func(s *State) { s.Now = never }, false},
		{"other random numbers", func(s *State) { s.RDRAND = 0 }, false},
		{"a line of the log that begins behind its end", func(s *State) { s.Log.Start = s.Log.N + 1 }, false},
		{"a log of nothing", func(s *State) { s.Log.N = -1 }, false},
		{"an endless log", func(s *State) { s.Log.N = 1<<63 - 1 }, false},
	} {
		image := flat(t, baretest.Ticks)
		r := newRig(t, Config{Deterministic: true}, image)
		r.runTo(100)
		s, err := r.Save()
		if err != nil {
			t.Fatal(err)
		}
		tt.change(s)
		if err := assemble(t, Config{Deterministic: true}).Restore(image, s); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	r := newRig(t, Config{}, flat(t, baretest.Exit))
	r.finish()
	if _, err := r.Save(); err == nil {
		t.Error("the state of a machine that is off was saved")
	}
}

// TestRestoreStreams: what was on its way between guest and host arrives, once.
func TestRestoreStreams(t *testing.T) {
	stuckAt := make(chan struct{})
	defer close(stuckAt)
	image := flat(t, baretest.Flood)
	r := newRig(t, Config{Serial: stuck(stuckAt), Console: &Console{Out: stuck(stuckAt)}}, image)
	for len(r.Board.serial.waiting) < 1000 {
		r.Step()
	}
	r.terminal.put([]byte("in the writer's hands"))
	r.terminal.put([]byte("waiting"))
	s, err := r.Save()
	if err != nil {
		t.Fatal(err)
	}
	if string(s.Terminal) != "waiting" || len(s.Serial) < 1000 {
		t.Errorf("%q and %d bytes wait", s.Terminal, len(s.Serial))
	}
	var out baretest.Buffer
	s.Keys = []byte("typed")
	next := assemble(t, Config{Console: &Console{Out: &out, In: strings.NewReader(" more")}})
	room := next.console.InputRoom()
	if err := next.Restore(image, s); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		next.kicks.drain()
		next.pump()
		if next.console.InputRoom() == room-len("typed more") && out.String() == "waiting" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q printed, %d bytes of room for keys", out.String(), next.console.InputRoom())
		}
	}
}

// TestDateAnew: a board that was at rest goes on with the date that it is now, and
// with time where it was.
func TestDateAnew(t *testing.T) {
	image := flat(t, "FA F4") // cli, hlt: it never runs
	before := newRig(t, Config{}, image)
	s, err := before.Save()
	if err != nil {
		t.Fatal(err)
	}
	const rest = 3*24*time.Hour + 5*time.Hour
	s.Start -= int64(rest) // as if it had been saved then
	s.RTC.Seconds -= int64(rest / time.Second)
	after := assemble(t, Config{})
	from := time.Now()
	if err := after.Restore(image, s); err != nil {
		t.Fatal(err)
	}
	// within says that a time is between from and now, but for what it is off by.
	within := func(at time.Time, off time.Duration) bool { return at.Sub(from) >= -off && time.Since(at) >= -off }
	if date := after.Date(); !within(date, time.Second) {
		t.Errorf("its date is %v, not between %v and now", date, from)
	}
	if now := after.clock.Now(); now < s.Now || now > s.Now+time.Minute {
		t.Errorf("its time was %v and is %v", s.Now, now)
	}
	restored := time.Unix(after.rtc.Save().Seconds, 0)
	if !within(restored, 2*time.Second) {
		t.Errorf("its calendar says %v, not between %v and now", restored, from)
	}
}

// TestFromImage: a board's memory can begin as another's was.
func TestFromImage(t *testing.T) {
	before := newRig(t, Config{}, flat(t, "FA F4"))
	ram, err := before.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	defer ram.Close()
	after := assemble(t, Config{RAM: ram})
	want, got := make([]byte, minMemory), make([]byte, minMemory)
	before.RAM().ReadAt(want, 0)
	if after.RAM().ReadAt(got, 0); !bytes.Equal(got, want) {
		t.Error("the memory differs")
	}
	if _, err := New(Config{Memory: 2 * minMemory, RAM: ram}); err == nil {
		t.Error("a memory of another size was taken")
	}
}
