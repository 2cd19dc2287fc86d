package alpinevm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"alpinevm/internal/baretest"
	"alpinevm/internal/guesttest"
)

// bootBudget is how many instructions a guest has from the kernel's entry to
// the start of its program, runBudget how many to the end of its session.
const (
	bootBudget = 800e6
	runBudget  = 3000e6
)

// buffer is what a machine's outlet writes and a test reads.
type buffer = baretest.Buffer

// guest is a machine under test with all that it prints.
type guest struct {
	*Machine
	t                             testing.TB
	stdout, stderr, serial, debug buffer
}

// sessionConfig is the configuration of a repeatable guest that runs a shell
// script. Booting takes too long for a short test.
func sessionConfig(t testing.TB, flavour, script string) Config {
	t.Helper()
	if testing.Short() {
		t.Skip("boots a guest")
	}
	return guestConfig(t, flavour, script)
}

func guestConfig(t testing.TB, flavour, script string) Config {
	t.Helper()
	return Config{
		Memory: 256 << 20, Deterministic: true,
		Boot:    Boot{Kernel: guesttest.Kernel(t, flavour), Cache: guesttest.Cache(t), Modules: guesttest.Modules(t, flavour)},
		Session: &Session{Root: guesttest.Root(t, guesttest.Epoch), Args: []string{"/bin/sh", "-c", script}},
	}
}

// newGuest makes the machine of cfg.
func newGuest(t testing.TB, cfg Config) *guest {
	t.Helper()
	g := &guest{t: t}
	if cfg.Session != nil && cfg.Consoles.Terminal == nil {
		cfg.Session.Stdout, cfg.Session.Stderr = &g.stdout, &g.stderr
	}
	cfg.Consoles.Serial, cfg.Debug.Console = &g.serial, &g.debug
	var err error
	if g.Machine, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// stepUntil steps the machine until it has ended, done says so, or it has
// executed budget instructions. It gives the end, nil if there is none.
func (g *guest) stepUntil(budget uint64, done func() bool) *End {
	g.t.Helper()
	for last := g.Instructions() + budget; g.Instructions() < last; {
		switch s, _ := g.Step(); s {
		case Ended:
			if g.board.Drained() {
				e, ok := g.End()
				if !ok {
					g.t.Fatal("Step says that the machine has ended, End that it has not")
				}
				return &e
			}
			time.Sleep(20 * time.Microsecond)
		case Idle, Blocked:
			time.Sleep(20 * time.Microsecond)
		}
		if done != nil && done() {
			return nil
		}
	}
	g.t.Fatalf("no end after %d million instructions; %s", budget/1e6, g.describe())
	return nil
}

// run steps the machine to its end.
func (g *guest) run() End {
	g.t.Helper()
	return *g.stepUntil(runBudget, nil)
}

// describe is what a failed test shows of its guest.
func (g *guest) describe() string {
	return fmt.Sprintf("stdout %q\nstderr %q\nserial:\n%s\n%s", g.stdout.String(), g.stderr.String(), g.serial.String(), g.crash())
}

// want checks an end by the program's exit.
func (g *guest) want(e End, c Cause, code int) {
	g.t.Helper()
	if e.Cause != c || e.Code != code {
		g.t.Errorf("ended by %s with %d, want %s with %d; %s\n%s", e.Cause, e.Code, c, code, e.Detail, g.describe())
	}
}

// lines are the lines of text without carriage returns.
func lines(text string) []string {
	return strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r", ""), "\n"), "\n")
}
