//go:build linux || darwin || freebsd || netbsd || openbsd

package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	pkgterm "github.com/pkg/term"
)

// openTerminal puts the controlling terminal into raw mode.
func openTerminal() (*terminal, error) {
	t, err := pkgterm.Open("/dev/tty", pkgterm.RawMode)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	return &terminal{Reader: t, Writer: os.Stdout, restore: t.Restore}, nil
}

// onResize calls f whenever the window changes its size.
func onResize(f func()) (stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	go func() {
		for range c {
			f()
		}
	}()
	return func() { signal.Stop(c); close(c) }
}

// endSignals ask for an orderly end.
var endSignals = []os.Signal{syscall.SIGTERM, syscall.SIGHUP, os.Interrupt}
