//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// bench prints a line for each thing that it measures, in Go's benchmark
// format. Between writing and reading it asks the kernel to forget what it has
// cached, for which it must be root.
func bench(dir string) error {
	const cycles, small, large = 10_000, 2500, 200 << 20
	for _, b := range []struct {
		name string
		n    int // operations or bytes
		run  func(n int) error
	}{
		{"CreateRenameUnlink", cycles, func(n int) error {
			for range n {
				f, err := os.OpenFile(filepath.Join(dir, "tmp"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
				if err != nil {
					return err
				}
				f.Close()
				if err := os.Rename(filepath.Join(dir, "tmp"), filepath.Join(dir, "final")); err != nil {
					return err
				}
				if err := os.Remove(filepath.Join(dir, "final")); err != nil {
					return err
				}
			}
			return nil
		}},
		{"WriteSmall", small, func(n int) error {
			for i := range n {
				if err := put(filepath.Join(dir, fmt.Sprint("s", i)), fmt.Sprintf("%2000d", i)); err != nil {
					return err
				}
			}
			return nil
		}},
		{"ReadSmall", small, func(n int) error {
			for i := range n {
				if err := holds(filepath.Join(dir, fmt.Sprint("s", i)), fmt.Sprintf("%2000d", i)); err != nil {
					return err
				}
			}
			return nil
		}},
		{"RemoveSmall", small, func(n int) error {
			for i := range n {
				if err := os.Remove(filepath.Join(dir, fmt.Sprint("s", i))); err != nil {
					return err
				}
			}
			return nil
		}},
		{"WriteLarge", large, func(n int) error {
			f, err := os.Create(filepath.Join(dir, "large"))
			if err != nil {
				return err
			}
			p := make([]byte, 1<<20)
			for done := 0; done < n; done += len(p) {
				if _, err := f.Write(p); err != nil {
					return err
				}
			}
			return f.Close()
		}},
		{"SyncLarge", large, func(int) error { // what WriteLarge leaves to be written back
			f, err := os.Open(filepath.Join(dir, "large"))
			if err != nil {
				return err
			}
			defer f.Close()
			return f.Sync()
		}},
		{"ReadLarge", large, func(n int) error {
			f, err := os.Open(filepath.Join(dir, "large"))
			if err != nil {
				return err
			}
			defer f.Close()
			got, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
			if err == nil && got != int64(n) {
				err = fmt.Errorf("%d bytes", got)
			}
			return err
		}},
	} {
		os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
		start := time.Now()
		if err := b.run(b.n); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		took := time.Since(start)
		if b.n == large {
			fmt.Printf("Benchmark%s 1 %d ns/op %.2f MB/s\n", b.name, took.Nanoseconds(), large/1e6/took.Seconds())
		} else {
			fmt.Printf("Benchmark%s %d %d ns/op %.2f s\n", b.name, b.n, took.Nanoseconds()/int64(b.n), took.Seconds())
		}
	}
	return os.Remove(filepath.Join(dir, "large"))
}
