//go:build linux && !386

package main

// assembly is what is written for the 386 alone.
func assembly() []workload { return nil }
