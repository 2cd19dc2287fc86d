package board

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"alpinevm/internal/baretest"
	"alpinevm/kernel"
)

// minMemory is enough for every program of a bare board.
const minMemory = 64 << 20

// rig is a board under test with all that it prints.
type rig struct {
	*Board
	t             testing.TB
	serial, debug baretest.Buffer
	end           string // "" while the board is on
}

// flat is the image of a program for a 32-bit segment.
func flat(t testing.TB, program string) Image {
	t.Helper()
	k, err := kernel.Parse(baretest.Flat(program))
	if err != nil {
		t.Fatal(err)
	}
	return Image{Kernel: k}
}

// newRig makes a board that has booted the image.
func newRig(t testing.TB, cfg Config, image Image) *rig {
	t.Helper()
	r := assemble(t, cfg)
	if err := r.Boot(image); err != nil {
		t.Fatal(err)
	}
	return r
}

// assemble makes a board with the debug exit at port F4h.
func assemble(t testing.TB, cfg Config) *rig {
	t.Helper()
	r := &rig{t: t}
	if cfg.Memory == 0 {
		cfg.Memory = minMemory
	}
	if cfg.Serial == nil {
		cfg.Serial = &r.serial
	}
	cfg.Debug, cfg.DebugExit = &r.debug, 0xf4
	cfg.Hooks = Hooks{
		PowerOff:    func() { r.end = "power off" },
		TripleFault: func() { r.end = "triple fault" },
		DebugExit:   func(v uint32) { r.end = fmt.Sprintf("debug exit %d", v) },
		Failed:      func(err error) { r.end = err.Error() },
	}
	var err error
	if r.Board, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// stepUntil steps the board until it is off, done says so, or it has executed
// budget instructions, which is an error.
func (r *rig) stepUntil(budget uint64, done func() bool) {
	r.t.Helper()
	for last := r.Instructions() + budget; r.Instructions() < last; {
		switch s, _ := r.Step(); s {
		case Ended:
			if r.Drained() {
				return
			}
			time.Sleep(20 * time.Microsecond)
		case Idle, Blocked:
			time.Sleep(20 * time.Microsecond)
		}
		if done != nil && done() {
			return
		}
	}
	r.t.Fatalf("no end after %d million instructions; serial:\n%s\n%s", budget/1e6, r.serial.String(), r.Registers())
}

// lines are the lines of text without carriage returns.
func lines(text string) []string {
	return strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r", ""), "\n"), "\n")
}
