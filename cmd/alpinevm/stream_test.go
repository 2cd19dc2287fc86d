//go:build linux

package main

import (
	"io"
	"os"
	"testing"
)

// TestLostOutput: a full disk is an error, a reader that has enough is none.
func TestLostOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	for _, tt := range []struct {
		f    *os.File
		want string
	}{
		{full, "standard output: no space left on device; output of the command is lost"},
		{w, ""},
	} {
		s := &stream{f: tt.f, name: "standard output", what: "output of the command"}
		for range 2 {
			if _, err := io.WriteString(s, "x"); err == nil {
				t.Errorf("%s takes output", tt.f.Name())
			}
		}
		got := ""
		if err := s.lost(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.f.Name(), got, tt.want)
		}
	}
}
