//go:build unix

package main

import (
	"os"
	"strconv"
	"syscall"
)

// detachedProcess is in a session of its own, with no terminal.
func detachedProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// keepFiles has no file that whoever started us has left open go on to a process of
// ours: one in the background would hold somebody's lock or pipe for as long as it
// lives. Go opens its own that way.
func keepFiles() {
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return
	}
	for _, e := range open {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}
