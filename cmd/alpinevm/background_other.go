//go:build !(unix || windows)

package main

import "syscall"

func detachedProcess() *syscall.SysProcAttr { return nil }

// keepFiles: files that are left open do not go on to a process by themselves.
func keepFiles() {}
