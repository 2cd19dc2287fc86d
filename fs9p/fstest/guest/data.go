//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"syscall"
)

var dataChecks = []check{
	{"truncate", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		return all(
			func() error { return put(path, "hello") },
			func() error { return os.Truncate(path, 3) },
			func() error { return os.Truncate(path, 6) },
			func() error { return holds(path, "hel\x00\x00\x00") },
			func() error { f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0); f.Close(); return err },
			func() error { return holds(path, "") },
			func() error { return fails(os.Truncate(dir, 0), syscall.EISDIR) },
		)
	}},
	{"O_APPEND from two descriptors", false, func(dir string) error {
		path := filepath.Join(dir, "log")
		var files [2]*os.File
		for i := range files {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
			if err != nil {
				return err
			}
			defer f.Close()
			files[i] = f
		}
		want := ""
		for i := range 100 {
			line := fmt.Sprintf("line %d\n", i)
			if _, err := files[i%2].WriteString(line); err != nil {
				return err
			}
			want += line
		}
		return holds(path, want)
	}},
	{"offsets beyond 4 GiB", false, func(dir string) error {
		f, err := os.Create(filepath.Join(dir, "f"))
		if err != nil {
			return err
		}
		defer f.Close()
		const far = 5<<30 + 77
		return all(
			func() error { _, err := f.WriteAt([]byte("far"), far); return err },
			func() error {
				st, err := fstat(f)
				return errors.Join(err, same("size", st.Size, far+3))
			},
			func() error {
				p := make([]byte, 5)
				_, err := f.ReadAt(p, far-2)
				return errors.Join(err, same("data", string(p), "\x00\x00far"))
			},
			func() error { at, err := f.Seek(-3, io.SeekEnd); return errors.Join(err, same("end", at, far)) },
		)
	}},
	{"blocks of a sparse file", false, func(dir string) error {
		f, err := os.Create(filepath.Join(dir, "f"))
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte("far"), 1<<30); err != nil {
			return err
		}
		st, err := fstat(f)
		if err == nil && st.Blocks > 1<<20/512 {
			err = fmt.Errorf("three bytes at 1 GiB fill %d blocks of 512 bytes", st.Blocks)
		}
		return err
	}},
	{"random writes", false, func(dir string) error {
		f, err := os.Create(filepath.Join(dir, "f"))
		if err != nil {
			return err
		}
		defer f.Close()
		rnd := rand.New(rand.NewSource(1))
		pool, model := make([]byte, 200_000), make([]byte, 2<<20)
		rnd.Read(pool)
		for range 100 {
			off := rnd.Intn(len(model))
			p := pool[rnd.Intn(100_000):][:rnd.Intn(min(100_000, len(model)-off)+1)]
			copy(model[off:], p)
			if _, err := f.WriteAt(p, int64(off)); err != nil {
				return err
			}
		}
		if err := errors.Join(f.Truncate(int64(len(model))), f.Sync()); err != nil {
			return err
		}
		b, err := os.ReadFile(f.Name())
		if err == nil && !bytes.Equal(b, model) {
			err = errors.New("the file differs from what was written")
		}
		return err
	}},
	{"copy of a large file", false, func(dir string) error {
		data := make([]byte, 1<<20+123)
		for i := range data {
			data[i] = byte(i >> 12 * i) // no two pages alike
		}
		if err := os.WriteFile(filepath.Join(dir, "a"), data, 0o644); err != nil {
			return err
		}
		from, err := os.Open(filepath.Join(dir, "a"))
		if err != nil {
			return err
		}
		defer from.Close()
		to, err := os.Create(filepath.Join(dir, "b"))
		if err != nil {
			return err
		}
		if _, err := io.Copy(to, from); err != nil { // copy_file_range, where there is one
			return err
		}
		if err := to.Close(); err != nil {
			return err
		}
		b, err := os.ReadFile(to.Name())
		if err == nil && !bytes.Equal(b, data) {
			err = errors.New("the copy differs")
		}
		return err
	}},
	{"fsync", false, func(dir string) error {
		f, err := os.Create(filepath.Join(dir, "f"))
		if err != nil {
			return err
		}
		defer f.Close()
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		_, err = f.WriteString("x")
		return errors.Join(err, f.Sync(), syscall.Fdatasync(int(f.Fd())), d.Sync())
	}},
	{"many open files", false, func(dir string) error {
		var files []*os.File
		defer func() {
			for _, f := range files {
				f.Close()
			}
		}()
		for i := range 100 {
			f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
			if err != nil {
				return err
			}
			files = append(files, f)
			fmt.Fprint(f, i)
		}
		for i, f := range files {
			if err := fileHolds(f, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	}},
}
