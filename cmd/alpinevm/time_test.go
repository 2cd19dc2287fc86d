//go:build linux

package main

import (
	"bufio"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTime compares a guest's clock with the host's, while the guest is idle and
// while it is busy. A busy host lets the guest's lines come late, hence the
// bounds.
func TestTime(t *testing.T) {
	t.Parallel()
	const late = 10 * time.Second
	script := `date +%s; echo; sleep 5; echo; (while :; do :; done) & sleep 5; echo
		cat /sys/devices/system/clocksource/clocksource0/current_clocksource; dmesg | grep -c unstable; date +%s; kill %1`
	cmd := exec.Command("alpinevm", runArgs(t, "--", "sh", "-c", script)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	defer cmd.Wait()
	lines := bufio.NewScanner(out)
	next := func() (string, time.Time) {
		if !lines.Scan() {
			t.Fatal("the guest says no more: ", lines.Err())
		}
		return lines.Text(), time.Now()
	}
	date := func() {
		t.Helper()
		text, now := next()
		s, err := strconv.ParseInt(text, 10, 64)
		if d := now.Sub(time.Unix(s, 0)); err != nil || d < -time.Second || d > late {
			t.Errorf("the guest's date is %q at %d: %v, %v", text, now.Unix(), d, err)
		}
	}
	date()
	_, from := next()
	for _, load := range []string{"idle", "busy"} {
		_, to := next()
		if d := to.Sub(from); d < 4*time.Second || d > 5*time.Second+late {
			t.Errorf("%s: sleep 5 took %v", load, d)
		}
		from = to
	}
	clock, _ := next()
	unstable, _ := next()
	if clock != "tsc" || strings.TrimSpace(unstable) != "0" {
		t.Errorf("clock source %q, %s complaints", clock, unstable)
	}
	date()
}
