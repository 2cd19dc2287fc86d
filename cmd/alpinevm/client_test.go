package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestDetachKeys(t *testing.T) {
	for _, tt := range []struct {
		keys, typed, read string
		detached          bool
	}{
		{"ctrl-p,ctrl-q", "ls\n\x10\x11more", "ls\n", true},
		{"ctrl-p,ctrl-q", "a\x10b\x11\x10\x10\x11", "a\x10b\x11\x10", true},
		{"ctrl-p,ctrl-q", "a\x10", "a", false},
		{"x", "ax", "a", true},
		{"ctrl-@,ctrl-[", "\x00\x1b", "", true},
		{"", "\x10\x11", "\x10\x11", false},
	} {
		keys, err := parseDetachKeys(tt.keys)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []io.Reader{strings.NewReader(tt.typed), iotest.OneByteReader(strings.NewReader(tt.typed))} {
			var out bytes.Buffer
			_, err := io.Copy(&out, &detachReader{r: r, keys: keys})
			if out.String() != tt.read || errors.Is(err, errDetached) != tt.detached {
				t.Errorf("%s: %q, %v", tt.keys, out.String(), err)
			}
		}
	}
	for _, bad := range []string{"ctrl-", "ctrl-1", "ab", "a,", ","} {
		if _, err := parseDetachKeys(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestParseSignal(t *testing.T) {
	for s, want := range map[string]int{"KILL": 9, "sigterm": 15, "hup": 1, "USR1": 10, "SIGSYS": 31, "9": 9, "64": 64, "": 0, "0": 0, "65": 0, "SIG": 0, "X": 0} {
		if n, err := parseSignal(s); n != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v", s, n, err)
		}
	}
}
