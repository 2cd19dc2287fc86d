//go:build !(linux || darwin)

package main

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// inForeground is true: there are no jobs in the background of a terminal.
func inForeground(*os.File) bool { return true }

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
var endSignals = []os.Signal{syscall.SIGTERM, os.Interrupt}

// userSignals mean to a program what it likes: there are none.
var userSignals []os.Signal

// linuxSignals are the numbers that a guest knows signals by, of those that may be
// passed on.
var linuxSignals = map[os.Signal]int{os.Interrupt: 2, syscall.SIGTERM: 15}

// keepBrokenPipes has nothing to do: there is no SIGPIPE.
func keepBrokenPipes() {}

// sameFile cannot tell: os.SameFile takes any two pipes of Windows for the same.
func sameFile(_, _ *os.File) bool { return false }

// isBrokenPipe says that an error of a write means that nobody reads:
// ERROR_BROKEN_PIPE and ERROR_NO_DATA in Windows.
func isBrokenPipe(err error) bool {
	var n syscall.Errno
	return errors.As(err, &n) && (n == syscall.EPIPE || n == 109 || n == 232)
}
