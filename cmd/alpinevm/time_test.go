//go:build linux

package main

import (
	"bufio"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTime compares a guest's clock with the host's, while the guest is idle and
// while it is busy: it asks the guest, and takes its own times before and after.
// A busy host lets answers come late, but not each time.
func TestTime(t *testing.T) {
	t.Parallel()
	const late, tries = 10 * time.Second, 5
	script := `busy() { while :; do :; done; }
		while read what; do case $what in
			date) date +%s;;
			nap) sleep 5; echo;;
			busy) busy & echo;;
			clock) cat /sys/devices/system/clocksource/clocksource0/current_clocksource;;
			unstable) dmesg | grep -c unstable;;
		esac; done; kill %1`
	cmd := exec.Command("alpinevm", runArgs(t, "--", "sh", "-c", script)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	defer cmd.Wait()
	defer in.Close()
	lines := bufio.NewScanner(out)
	ask := func(what string) (answer string, from, to time.Time) {
		t.Helper()
		from = time.Now()
		if _, err := io.WriteString(in, what+"\n"); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() {
			t.Fatal("the guest says no more: ", lines.Err())
		}
		return lines.Text(), from, time.Now()
	}
	date := func() {
		t.Helper()
		text, from, to := ask("date")
		s, err := strconv.ParseInt(text, 10, 64) // cut off to a second
		if at := time.Unix(s, 0); err != nil || at.Before(from.Add(-2*time.Second)) || at.After(to.Add(time.Second)) {
			t.Errorf("the guest's date is %q between %d and %d: %v", text, from.Unix(), to.Unix(), err)
		}
	}
	date()
	for _, load := range []string{"idle", "busy"} {
		if load == "busy" {
			ask("busy")
		}
		shortest := time.Hour
		for try := 0; try < tries && shortest > 5*time.Second+late; try++ {
			_, from, to := ask("nap")
			shortest = min(shortest, to.Sub(from))
		}
		if shortest < 4*time.Second || shortest > 5*time.Second+late {
			t.Errorf("%s: sleep 5 took %v", load, shortest)
		}
	}
	if clock, _, _ := ask("clock"); clock != "tsc" {
		t.Errorf("clock source %q", clock)
	}
	if unstable, _, _ := ask("unstable"); strings.TrimSpace(unstable) != "0" {
		t.Errorf("%s complaints about the clock source", unstable)
	}
	date()
}
