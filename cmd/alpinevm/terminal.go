package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// terminal is the host's terminal. Before raw is called it is not touched, and
// reads wait.
type terminal struct {
	io.Writer
	input bool // it is typed at

	ready    chan struct{} // closed by raw
	mu       sync.Mutex
	mode     rawMode // nil before raw
	restored bool
}

// rawMode is a terminal in raw mode: every key comes as it was typed.
type rawMode interface {
	io.Reader
	Again() error // sets the mode once more
	Restore() error
}

func newTerminal(input bool) *terminal {
	return &terminal{Writer: os.Stdout, input: input, ready: make(chan struct{})}
}

// raw puts the terminal into raw mode if it is typed at.
func (t *terminal) raw() error {
	if !t.input {
		return nil
	}
	mode, err := openRaw()
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	t.mu.Lock()
	t.mode = mode
	t.mu.Unlock()
	close(t.ready)
	return nil
}

// keys is what is typed for the guest; nil where nobody types.
func (t *terminal) keys(e escapes) io.Reader {
	if t == nil || !t.input {
		return nil
	}
	return newKeys(t, t, e)
}

// Read reads what is typed.
func (t *terminal) Read(p []byte) (int, error) {
	<-t.ready
	return t.mode.Read(p)
}

// again puts the terminal into raw mode once more, as a shell that had stopped
// us may have left it otherwise.
func (t *terminal) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mode != nil && !t.restored && inForeground(os.Stdin) {
		t.mode.Again() // if it fails the terminal is gone, which the next read tells
	}
}

// restore puts the terminal back to what it was before raw; further calls do
// nothing.
func (t *terminal) restore() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mode != nil && !t.restored && inForeground(os.Stdin) { // else it is a shell's by now
		t.restored = true
		if err := t.mode.Restore(); err != nil {
			fmt.Fprintf(os.Stderr, "alpinevm: terminal: %v\r\n", err)
		}
	}
}

// inputIsTerminal says whether standard input is a terminal.
func inputIsTerminal() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// outputIsTerminal says whether standard output is a terminal.
func outputIsTerminal() bool { return term.IsTerminal(int(os.Stdout.Fd())) }

// interactive says whether standard input and output are a terminal that is ours
// to use.
func interactive() bool {
	return inputIsTerminal() && term.IsTerminal(int(os.Stdout.Fd())) && inForeground(os.Stdin)
}

// input is standard input, or nothing where reading from it would stop us: we are
// a job in the background of a terminal.
func input() io.Reader {
	if inputIsTerminal() && !inForeground(os.Stdin) {
		return strings.NewReader("")
	}
	return os.Stdin
}

// windowSize is the size of the terminal in characters, 80 by 24 if there is
// none or it does not say.
func windowSize() (cols, rows uint16) {
	for _, f := range []*os.File{os.Stdout, os.Stdin} {
		c, r, err := term.GetSize(int(f.Fd()))
		if err == nil && c > 0 && r > 0 && c <= 0xffff && r <= 0xffff {
			return uint16(c), uint16(r)
		}
	}
	return 80, 24
}
