//go:build linux

package main

import (
	"errors"
	"os"
	"testing"
)

// TestMain lets the test binary be the other process of a check.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		if do := errands[os.Args[1]]; do != nil {
			exit(do(os.Args[2:]))
		}
	}
	if len(os.Args) == 2 && os.Args[1] == "-list" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestOnHost holds the checks to a file system of Linux's own: what fails here
// is a wrong check.
func TestOnHost(t *testing.T) {
	dir := t.TempDir()
	// Another user must be able to reach it.
	for _, d := range []string{dir, dir + "/.."} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	runAll(dir, func(name string, err error) {
		t.Run(name, func(t *testing.T) {
			var skip skipped
			if errors.As(err, &skip) {
				t.Skip(err)
			} else if err != nil {
				t.Error(err)
			}
		})
	})
}
