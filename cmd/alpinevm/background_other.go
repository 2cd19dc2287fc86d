//go:build !(unix || windows)

package main

import "syscall"

func detachedProcess() *syscall.SysProcAttr { return nil }
