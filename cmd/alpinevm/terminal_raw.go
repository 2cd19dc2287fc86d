package main

import (
	"os"

	"golang.org/x/term"
)

// rawTerm is standard input, which is a terminal, in raw mode.
type rawTerm struct {
	*os.File
	old *term.State
}

func openRaw() (rawMode, error) {
	old, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return nil, err
	}
	return rawTerm{os.Stdin, old}, nil
}

// Again implements rawMode.
func (t rawTerm) Again() error {
	_, err := term.MakeRaw(int(t.Fd()))
	return err
}

// Restore implements rawMode.
func (t rawTerm) Restore() error { return term.Restore(int(t.Fd()), t.old) }
