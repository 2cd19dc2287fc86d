//go:build linux

package main

import (
	"bufio"
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSignals sends signals to alpinevm, each when the guest's command has said
// what it says before: they are the command's, and so is the exit code.
func TestSignals(t *testing.T) {
	const wait = "; echo up; while :; do sleep 0.1; done"
	term, interrupt, hangup := syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP
	type step struct {
		said   string // "": the signal is sent again and again, as two that nobody has looked at are one (signal(7))
		signal syscall.Signal
	}
	for _, tt := range []struct {
		name   string
		flags  []string
		script string
		steps  []step
		rest   string // what is said after the last signal
		code   int
	}{
		{"answered", nil, "trap 'echo told; exit 7' TERM" + wait, []step{{"up", term}}, "told\n", 7},
		{"answered by success", nil, "trap 'exit 0' TERM" + wait, []step{{"up", term}}, "", 0},
		{"takes its time", nil, "trap 'sleep 4; echo told; exit 5' TERM" + wait, []step{{"up", term}}, "told\n", 5},
		{"not answered", nil, "echo up; exec sleep 1000", []step{{"up", term}}, "", 128 + 15},
		{"interrupted", nil, "echo up; exec sleep 1000", []step{{"up", interrupt}}, "", 128 + 2},
		{"hung up", nil, "echo up; exec sleep 1000", []step{{"up", hangup}}, "", 128 + 1},
		{"user signal", nil, "echo up; exec sleep 1000", []step{{"up", syscall.SIGUSR2}}, "", 128 + 12},
		{"goes on", nil, "for s in HUP INT USR1 USR2; do trap \"echo $s\" $s; done; trap 'exit 3' TERM" + wait,
			[]step{{"up", hangup}, {"HUP", interrupt}, {"INT", syscall.SIGUSR1}, {"USR1", syscall.SIGUSR2}, {"USR2", term}}, "", 3},
		{"three interrupts", nil, "trap '' INT" + wait, []step{{"up", interrupt}, {"", interrupt}}, "", 128 + 2},
		{"two interrupts", nil, "trap 'echo INT' INT; trap 'exit 3' TERM" + wait, []step{{"up", interrupt}, {"INT", interrupt}, {"INT", term}}, "", 3},
		{"second request", nil, "trap 'sleep 1; echo told' TERM" + wait, []step{{"up", term}, {"told", term}}, "", 128 + 15},
		{"deaf", nil, "trap '' TERM HUP" + wait, []step{{"up", term}}, "", 128 + 15},
		{"quit", nil, "trap 'echo told; exit 7' TERM" + wait, []step{{"up", syscall.SIGQUIT}}, "told\n", 7},
		{"no proxy", []string{"--sig-proxy=false"}, "trap 'echo told; exit 7' TERM; trap 'echo wrong' INT" + wait, []step{{"up", interrupt}}, "told\n", 7},
		{"no proxy, not answered", []string{"--sig-proxy=false"}, "echo up; exec sleep 1000", []step{{"up", interrupt}}, "", 128 + 2},
		{"terminal", []string{"-t"}, "trap 'echo USR1' USR1; trap 'exit 7' TERM" + wait, []step{{"up", syscall.SIGUSR1}, {"USR1", term}}, "", 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("alpinevm", append(runArgs(t, tt.flags...), "--", "sh", "-c", tt.script)...)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
			r := bufio.NewReader(out)
			for _, s := range tt.steps {
				if s.said == "" {
					go func() {
						for t.Context().Err() == nil {
							cmd.Process.Signal(s.signal)
							time.Sleep(50 * time.Millisecond)
						}
					}()
				} else if line, err := r.ReadString('\n'); strings.TrimSpace(line) != s.said {
					t.Fatalf("said %q, %v; want %q; %s", line, err, s.said, &errs)
				}
				cmd.Process.Signal(s.signal)
			}
			var rest bytes.Buffer
			r.WriteTo(&rest)
			said := strings.ReplaceAll(strings.ReplaceAll(rest.String(), "\r", ""), "Terminated\n", "") // a shell says so of its child
			if code := codeOf(t, cmd.Wait()); code != tt.code || said != tt.rest {
				t.Errorf("exit code %d, want %d; then said %q, want %q; stderr %q", code, tt.code, rest.String(), tt.rest, errs.String())
			}
		})
	}
}
