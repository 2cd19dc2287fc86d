package main

import "syscall"

// detachedProcess has no console, and is not of the group that Ctrl-C ends.
func detachedProcess() *syscall.SysProcAttr {
	const detached = 0x8 // DETACHED_PROCESS
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | detached}
}

// keepFiles: files that are left open do not go on to a process by themselves.
func keepFiles() {}
