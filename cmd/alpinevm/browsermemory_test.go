//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// process is what /proc tells of one (proc_pid_stat(5)).
type process struct {
	parent int
	ticks  int // of the processor's time
}

// started are the programs that we have started, and those that these have, where the
// host has /proc.
func started(t *testing.T) map[int]process {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	all := map[int]process{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		pid, _, _ := strings.Cut(string(text), " ")
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		number := func(s string) int { n, _ := strconv.Atoi(s); return n }
		all[number(pid)] = process{number(f[1]), number(f[11]) + number(f[12])}
	}
	ours := map[int]process{}
	for pid, p := range all {
		for at := pid; at > 1; at = all[at].parent {
			if all[at].parent == os.Getpid() {
				ours[pid] = p
				break
			}
		}
	}
	return ours
}

// largest is the memory of the largest tab that we have opened (PSS), in bytes; 0: the
// host does not tell.
func largest(t *testing.T) (n int64) {
	t.Helper()
	for pid := range started(t) {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		text, _ := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		if f := strings.Fields(rest); len(f) > 0 && strings.Contains(string(command), "--type=renderer") {
			kib, _ := strconv.ParseInt(f[0], 10, 64)
			n = max(n, kib<<10)
		}
	}
	return n
}
