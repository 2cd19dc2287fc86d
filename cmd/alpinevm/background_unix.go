//go:build unix

package main

import "syscall"

// detachedProcess is in a session of its own, with no terminal.
func detachedProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
