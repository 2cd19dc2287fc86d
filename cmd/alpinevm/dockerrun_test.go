package main

import (
	"strings"
	"testing"
	"time"
)

// TestDockerRunFlags gives flags values that mean nothing.
func TestDockerRunFlags(t *testing.T) {
	for _, tt := range []struct{ flags, want string }{
		{"--restart always", "--restart always: leave it out: "}, {"--stop-signal NOSUCH", `--stop-signal: signal "NOSUCH": `},
		{"--sysctl a", `--sysctl "a": want NAME=VALUE`}, {"--sysctl a=b\tc", `--sysctl "a=b\tc": want`}, {"--storage 5k", "--storage 5k: want 1M or more"}, {"--label =x", `--label "=x": want`}, {"--shm-size x", `--shm-size "x": want a size`},
		{"--network host", "--network host: a guest has a network of its own: "}, {"--network mine", `network "mine": want user or none; `},
		{"--name x --rm --salvage", "--salvage mends a machine that is kept"},
	} {
		_, err := answer(append(append([]string{"run"}, strings.Split(tt.flags, " ")...), "--rootfs", "nosuch", "--kernel", "nosuch")...)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("run %s: %v; want %s", tt.flags, err, tt.want)
		}
	}
	for _, tt := range []struct {
		flag, image string
		want        int
	}{{"", "", 15}, {"", "SIGQUIT", 3}, {"INT", "SIGQUIT", 2}, {"10", "", 10}, {"", "SIGRTMIN+3", 15}} {
		if n, err := (&dockerFlags{stopSignal: tt.flag}).signal(tt.image); err != nil || n != tt.want {
			t.Errorf("--stop-signal %q, image's %q: %d, %v; want %d", tt.flag, tt.image, n, err, tt.want)
		}
	}
}

// TestFilters finds machines.
func TestFilters(t *testing.T) {
	box := shown{Names: "box", Image: "alpine:3.20", State: "exited", exitCode: 3, Mounts: "/a,/b", Ports: "0.0.0.0:8080->80/tcp", labels: map[string]string{"a": "1", "b": ""}}
	for flags, want := range map[string]bool{
		"": true, "name=bo": true, "name=/box": true, "name=web": false, "name=web name=box": true, "status=exited": true, "status=running": false, "label=a": true, "label=a=1": true, "label=a=2": false,
		"label=a label=b": true, "label=a label=c": false, "ancestor=alpine": true, "ancestor=alpine:3.20": true, "ancestor=alp": false, "exited=3": true, "exited=0": false, "volume=/b": true,
		"publish=8080": true, "publish=80": false, "name=box status=running": false, "id=box": true,
	} {
		f, err := parseFilters(strings.Fields(flags))
		if err != nil || f.match(box) != want {
			t.Errorf("%q: %v, %v; want %v", flags, f.match(box), err, want)
		}
	}
}

// TestTimes reads what docker logs takes.
func TestTimes(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"10m": now.Add(-10 * time.Minute), "2026-01-02T15:04:05Z": time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC), "1700000000.5": time.UnixMilli(1700000000500),
		"2026-01-02": time.Date(2026, 1, 2, 0, 0, 0, 0, time.Local), "2026-01-02T15:04": time.Date(2026, 1, 2, 15, 4, 0, 0, time.Local), "": {},
	} {
		if got, err := parseTime("--since", s, now, time.Time{}); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s, %v; want %s", s, got, err, want)
		}
	}
	if _, err := parseTime("--since", "soon", now, now); err == nil {
		t.Error("soon is a time")
	}
}
