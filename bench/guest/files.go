//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// How much the file system has to do.
const (
	cycles      = 10_000 // of create, rename and unlink
	smallN      = 2500   // files
	smallSize   = 2000   // bytes each
	largeChunks = 200
	chunk       = 1 << 20 // bytes
)

// files measures the file system that dir is on, in a new folder there. Before
// it reads it asks the kernel to forget what it has cached, for which it must be
// root. Of each thing it does one part-th.
func files(dir string, part int) error {
	dir, err := os.MkdirTemp(dir, "bench")
	if err != nil {
		return failed("folder", err)
	}
	defer os.RemoveAll(dir)
	n, chunks := smallN/part, largeChunks/part
	small := make([]string, n)
	for i := range small {
		small[i] = filepath.Join(dir, fmt.Sprintf("small%04d", i))
	}
	name := filepath.Join(dir, "large")
	for _, s := range []struct {
		name  string
		n     int
		bytes int64
		work  func() error
	}{
		{"write-small", n, int64(n) * smallSize, func() error { return writeSmall(small) }},
		{"cat-small", n, int64(n) * smallSize, func() error { return catSmall(small) }},
		{"write-large", 1, int64(chunks) * chunk, func() error { return writeLarge(name, chunks) }},
		{"read-large", 1, int64(chunks) * chunk, func() error { return readLarge(name, chunks) }},
		{"create-rename-unlink", cycles / part, 0, func() error { return cycle(dir, cycles/part) }},
	} {
		forget()
		if err := step(s.name, s.n, s.bytes, s.work); err != nil {
			return err
		}
	}
	return nil
}

// forget has the kernel drop its caches, where it lets us (proc(5),
// /proc/sys/vm/drop_caches).
func forget() { os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0) }

func smallData(i int) []byte { return fmt.Appendf(nil, "%*d", smallSize, i) }

func writeSmall(names []string) error {
	for i, name := range names {
		if err := os.WriteFile(name, smallData(i), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// catSmall has cat read all the files, or reads them itself where there is no
// cat.
func catSmall(names []string) error {
	var all bytes.Buffer
	cat, err := exec.LookPath("cat")
	if err != nil {
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			all.Write(data)
		}
	} else {
		c := exec.Command(cat, names...)
		c.Stdout, c.Stderr = &all, os.Stderr
		if err := c.Run(); err != nil {
			return err
		}
	}
	for i := range names {
		if got := all.Next(smallSize); !bytes.Equal(got, smallData(i)) {
			return fmt.Errorf("%s holds %.40q", names[i], got)
		}
	}
	return nil
}

func writeLarge(name string, chunks int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	p := make([]byte, chunk)
	for i := range chunks {
		p[0], p[chunk-1] = byte(i), byte(i+1)
		if _, err := f.Write(p); err != nil {
			return err
		}
	}
	return f.Sync()
}

func readLarge(name string, chunks int) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	p := make([]byte, chunk)
	for i := range chunks {
		if _, err := io.ReadFull(f, p); err != nil {
			return err
		}
		if p[0] != byte(i) || p[chunk-1] != byte(i+1) || p[chunk/2] != 0 {
			return fmt.Errorf("wrong bytes in megabyte %d", i)
		}
	}
	return nil
}

func cycle(dir string, n int) error {
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for range n {
		f, err := os.OpenFile(a, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		f.Close()
		if err := os.Rename(a, b); err != nil {
			return err
		}
		if err := os.Remove(b); err != nil {
			return err
		}
	}
	return nil
}
