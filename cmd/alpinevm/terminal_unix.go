//go:build linux || darwin

package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// inForeground tells whether we may use a terminal: a job in the background is
// stopped when it reads from one or sets its mode (termios(3), tcsetpgrp(3)).
func inForeground(f *os.File) bool {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err != nil || group == ownGroup
}

// ownGroup is our process group, which a confined process cannot ask for.
var ownGroup = syscall.Getpgrp()

// onResize calls f whenever the window changes its size, and when we go on
// after a stop.
func onResize(f func()) (stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH, syscall.SIGCONT)
	go func() {
		for range c {
			f()
		}
	}()
	return func() { signal.Stop(c); close(c) }
}

// endSignals ask for an orderly end.
var endSignals = []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, os.Interrupt}

// userSignals mean to a program what it likes.
var userSignals = []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2}

// linuxSignals are the numbers that a guest knows signals by, of those that may be
// passed on.
var linuxSignals = map[os.Signal]int{syscall.SIGHUP: 1, os.Interrupt: 2, syscall.SIGUSR1: 10, syscall.SIGUSR2: 12, syscall.SIGTERM: 15}

// keepBrokenPipes has a write to a pipe that nobody reads fail, in place of
// ending us by SIGPIPE: it is the guest's program that is to end by that.
func keepBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// sameFile says that what is written to one appears in the other.
func sameFile(a, b *os.File) bool {
	x, err := a.Stat()
	if err != nil {
		return false
	}
	y, err := b.Stat()
	return err == nil && os.SameFile(x, y)
}

// isBrokenPipe says that an error of a write means that nobody reads.
func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
