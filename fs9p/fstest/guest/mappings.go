//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
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

// mapped is a file of size bytes, all "a", mapped for reading and writing and
// shared.
func mapped(dir string, size int) (f *os.File, m []byte, err error) {
	if f, err = os.Create(filepath.Join(dir, "f")); err != nil {
		return nil, nil, err
	}
	if _, err = f.Write(bytes.Repeat([]byte("a"), size)); err == nil {
		m, err = syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("a writable shared mapping: %w", err)
	}
	return f, m, nil
}

// reads checks what a file has at an offset.
func reads(f *os.File, off int64, want string) error {
	p := make([]byte, len(want))
	_, err := f.ReadAt(p, off)
	return errors.Join(err, same(fmt.Sprint("read at ", off), string(p), want))
}

// uncached has the kernel write a file back and forget what it has cached of
// it but for pages that are mapped, so that what is read next comes from the
// server.
func uncached(f *os.File) error {
	const dontNeed = 4                            // POSIX_FADV_DONTNEED
	args := [5]uintptr{f.Fd(), 0, 0, 0, dontNeed} // the offset is two words,
	if strconv.IntSize == 64 {                    // or one
		args[3], args[4] = dontNeed, 0
	}
	err := f.Sync()
	if _, _, e := syscall.Syscall6(syscall.SYS_FADVISE64, args[0], args[1], args[2], args[3], args[4], 0); e != 0 {
		err = errors.Join(err, e)
	}
	return err
}

var mappingChecks = []check{
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
			// POSIX promises it after msync only; see "reads without msync".
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
		for i := range 30 {
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
	{"reads without msync", false, func(dir string) error {
		f, m, err := mapped(dir, 8192)
		if err != nil {
			return err
		}
		defer f.Close()
		copy(m[5000:], "through the mapping")
		return errors.Join(reads(f, 5000, "through the mapping"), syscall.Munmap(m))
	}},
	{"writes beside mapped ones", false, func(dir string) error {
		f, m, err := mapped(dir, 8192)
		if err != nil {
			return err
		}
		defer f.Close()
		copy(m[5000:], "mapped")
		_, err = f.WriteAt([]byte("written"), 6000)
		err = errors.Join(err, same("mapped", string(m[6000:6007]), "written"), msync(m), syscall.Munmap(m), uncached(f))
		return errors.Join(err, reads(f, 5000, "mapped"), reads(f, 6000, "written"))
	}},
	{"private mappings", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		if err := put(path, "0123456789"); err != nil {
			return err
		}
		f, err := os.Open(path) // for reading is enough
		if err != nil {
			return err
		}
		defer f.Close()
		m, err := syscall.Mmap(int(f.Fd()), 0, 10, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE)
		if err != nil {
			return err
		}
		m[3] = 'x'
		err = errors.Join(same("mapped", string(m), "012x456789"), holds(path, "0123456789"), syscall.Munmap(m))
		_, e := syscall.Mmap(int(f.Fd()), 0, 10, syscall.PROT_WRITE, syscall.MAP_SHARED)
		return errors.Join(err, fails(e, syscall.EACCES))
	}},
	{"mappings past the end", false, func(dir string) error {
		f, m, err := mapped(dir, 3*4096)
		if err != nil {
			return err
		}
		defer f.Close()
		defer syscall.Munmap(m)
		touch := func(at int) (fault bool) {
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
			defer func() { fault = recover() != nil }()
			m[at]++
			return false
		}
		return all(
			func() error { return same("a fault inside", touch(2*4096), false) },
			func() error { return f.Truncate(4096 + 10) },
			func() error { return same("a fault behind the end", touch(2*4096), true) },
			func() error { return same("a fault in the last page", touch(4096+5), false) },
			func() error { return same("behind the end", string(m[4096+10:4096+14]), "\x00\x00\x00\x00") },
			func() error { return f.Truncate(3 * 4096) },
			func() error { return same("a fault in the new end", touch(2*4096), false) },
			func() error { return same("new end", m[2*4096], 1) },
		)
	}},
	{"stores at random through two mappings", false, func(dir string) error {
		const size = 2 << 20
		f, m, err := mapped(dir, size)
		if err != nil {
			return err
		}
		defer f.Close()
		other, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		if err != nil {
			return err
		}
		maps := [2][]byte{m, other}
		model := bytes.Repeat([]byte("a"), size)
		rnd := rand.New(rand.NewSource(3))
		for i := range 1000 {
			at := rnd.Intn(size - 8)
			copy(maps[i%2][at:], model[at:at+8]) // stores that change nothing make pages dirty too
			model[at] = byte(i)
			maps[i%2][at] = byte(i)
			if maps[(i+1)%2][at] != byte(i) {
				return fmt.Errorf("the other mapping does not have store %d", i)
			}
			if i%100 != 0 {
				continue
			}
			if err := msync(m); err != nil {
				return err
			}
			// A write into pages that are clean, or the client may lose it (see above).
			_, err := f.WriteAt([]byte("written"), int64(at))
			copy(model[at:], "written")
			if err := errors.Join(err, same("mapped", string(other[at:at+7]), "written")); err != nil {
				return err
			}
			if i%200 == 0 {
				if err := uncached(f); err != nil {
					return err
				}
			}
		}
		if err := errors.Join(syscall.Munmap(m), syscall.Munmap(other), uncached(f)); err != nil {
			return err
		}
		b, err := os.ReadFile(f.Name())
		if err == nil && !bytes.Equal(b, model) {
			err = errors.New("the file differs from what was stored")
		}
		return err
	}},
}
