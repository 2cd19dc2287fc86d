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
	"unsafe"
)

func msync(m []byte) error {
	const sync = 4 // MS_SYNC
	// SAFETY: m is a whole mapping, which its caller keeps.
	if _, _, e := syscall.Syscall(syscall.SYS_MSYNC, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), sync); e != 0 {
		return e
	}
	return nil
}

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
	{"random writes", false, func(dir string) error {
		f, err := os.Create(filepath.Join(dir, "f"))
		if err != nil {
			return err
		}
		defer f.Close()
		rnd := rand.New(rand.NewSource(1))
		model := make([]byte, 2<<20)
		for range 200 {
			off := rnd.Intn(len(model))
			p := make([]byte, rnd.Intn(min(100_000, len(model)-off)+1))
			rnd.Read(p)
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
		data := make([]byte, 9<<20+123)
		rand.New(rand.NewSource(2)).Read(data)
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
	{"shared mappings", false, func(dir string) error {
		const size = 64 << 10
		f, err := os.Create(filepath.Join(dir, "f"))
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.Write(bytes.Repeat([]byte("a"), size)); err != nil {
			return err
		}
		m, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		if err != nil {
			return fmt.Errorf("a writable shared mapping: %w", err)
		}
		copy(m[10_000:], "through the mapping")
		if err := all(
			// POSIX promises it after msync only, and v9fs with cache=mmap does no more.
			func() error { return msync(m) },
			func() error {
				p := make([]byte, 19)
				_, err := f.ReadAt(p, 10_000)
				return errors.Join(err, same("read", string(p), "through the mapping"))
			},
			func() error {
				_, err := f.WriteAt([]byte("by a write"), 20_000)
				return errors.Join(err, same("mapped", string(m[20_000:20_010]), "by a write"))
			},
			func() error { m[size-1] = 'z'; return syscall.Munmap(m) },
		); err != nil {
			return err
		}
		b, err := os.ReadFile(f.Name())
		if err == nil && (string(b[10_000:10_019]) != "through the mapping" || b[size-1] != 'z' || len(b) != size) {
			err = errors.New("what was mapped has not arrived")
		}
		return err
	}},
	{"mappings of many files", false, func(dir string) error {
		for i := range 40 {
			path := filepath.Join(dir, fmt.Sprint(i))
			if err := os.WriteFile(path, make([]byte, 20_000), 0o644); err != nil {
				return err
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			m, err := syscall.Mmap(int(f.Fd()), 0, 20_000, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
			f.Close() // the mapping holds it
			if err != nil {
				return err
			}
			for at := 0; at < len(m); at += 1000 {
				m[at] = byte(i)
			}
			if i%2 == 0 {
				err = os.Remove(path)
			}
			if err := errors.Join(err, syscall.Munmap(m)); err != nil {
				return err
			}
			if i%2 == 0 {
				continue
			}
			b, err := os.ReadFile(path)
			if err != nil || len(b) != 20_000 || b[19_000] != byte(i) {
				return fmt.Errorf("file %d: %d bytes, %v", i, len(b), err)
			}
		}
		return nil
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
		for i := range 300 {
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
