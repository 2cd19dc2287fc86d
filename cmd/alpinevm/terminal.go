package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// terminal is the host's terminal in raw mode.
type terminal struct {
	io.Reader
	io.Writer
	restore func() error
}

// interactive says whether standard input and output are a terminal.
func interactive() bool {
	return term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
}

// windowSize is the size of the terminal in characters, 80 by 24 if it does not
// say.
func windowSize() (cols, rows uint16) {
	c, r, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || c <= 0 || r <= 0 || c > 0xffff || r > 0xffff {
		return 80, 24
	}
	return uint16(c), uint16(r)
}
