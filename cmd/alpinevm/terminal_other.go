//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// openTerminal puts standard input into raw mode; github.com/pkg/term does not
// build here.
func openTerminal() (*terminal, error) {
	fd := int(os.Stdin.Fd())
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return &terminal{Reader: os.Stdin, Writer: os.Stdout, restore: func() error { return term.Restore(fd, old) }}, nil
}

// onResize looks at the window's size twice a second, as there is no signal.
func onResize(f func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		t := time.NewTicker(500 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// endSignals ask for an orderly end.
var endSignals = []os.Signal{os.Interrupt}
