//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// fill makes n files in dir.
func fill(dir string, n int) error {
	for i := range n {
		if err := put(filepath.Join(dir, fmt.Sprintf("f%04d", i)), ""); err != nil {
			return err
		}
	}
	return nil
}

var dirChecks = []check{
	{"readdir while deleting", false, func(dir string) error {
		const files = 150
		if err := fill(dir, files); err != nil {
			return err
		}
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		deleted := 0
		for {
			list, err := d.Readdirnames(17)
			if len(list) == 0 {
				break
			}
			if err != nil {
				return err
			}
			for _, name := range list {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					return err
				}
				deleted++
			}
		}
		list, err := names(dir)
		return errors.Join(err, same("deleted", deleted, files), same("left", list, ""))
	}},
	{"large directories", false, func(dir string) error {
		if err := fill(dir, 200); err != nil {
			return err
		}
		list, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for i, e := range list {
			if want := fmt.Sprintf("f%04d", i); e.Name() != want || !e.Type().IsRegular() {
				return fmt.Errorf("entry %d is %v", i, e)
			}
		}
		return same("entries", len(list), 200)
	}},
	{"types in directories", true, func(dir string) error {
		at := func(name string) string { return filepath.Join(dir, name) }
		return all(
			func() error {
				return errors.Join(put(at("file"), ""), os.Mkdir(at("dir"), 0o755), os.Symlink("x", at("link")), syscall.Mkfifo(at("fifo"), 0o600))
			},
			func() error {
				list, err := os.ReadDir(dir)
				got := ""
				for _, e := range list {
					got += e.Type().String()[:1]
				}
				return errors.Join(err, same("types", got, "dp-L"))
			},
		)
	}},
	{"a removed working directory", false, func(dir string) error {
		sub := filepath.Join(dir, "gone")
		if err := os.Mkdir(sub, 0o755); err != nil {
			return err
		}
		d, err := os.Open(sub)
		if err != nil {
			return err
		}
		defer d.Close()
		if err := os.Remove(sub); err != nil {
			return err
		}
		_, err = syscall.Openat(int(d.Fd()), "x", syscall.O_CREAT|syscall.O_RDWR, 0o644)
		if err := fails(err, syscall.ENOENT); err != nil {
			return err
		}
		// Linux says that there is no such directory; others that it is empty.
		list, err := d.Readdirnames(-1)
		if errors.Is(err, syscall.ENOENT) {
			err = nil
		}
		return errors.Join(err, same("entries", len(list), 0))
	}},
	{"many at once in one directory", false, func(dir string) error {
		var group sync.WaitGroup
		errs := make([]error, 8)
		for w := range errs {
			group.Go(func() {
				for i := range 20 {
					tmp := filepath.Join(dir, fmt.Sprintf("tmp%d", w))
					final := filepath.Join(dir, fmt.Sprintf("final%d.%d", w, i%5))
					text := fmt.Sprint(w, i)
					if err := errors.Join(put(tmp, text), os.Rename(tmp, final), holds(final, text)); err != nil {
						errs[w] = err
						return
					}
					if i%3 == 0 {
						if err := os.Remove(final); err != nil {
							errs[w] = err
							return
						}
					}
				}
			})
		}
		group.Wait()
		return errors.Join(errs...)
	}},
	{"deep directories", false, func(dir string) error {
		path := dir
		for range 40 {
			path = filepath.Join(path, "deeper")
			if err := os.Mkdir(path, 0o755); err != nil {
				return err
			}
		}
		moved := filepath.Join(dir, "moved")
		return all(
			func() error { return put(filepath.Join(path, "f"), "deep") },
			func() error { return os.Rename(filepath.Join(dir, "deeper"), moved) },
			func() error { return holds(filepath.Join(moved, path[len(dir)+len("/deeper"):], "f"), "deep") },
			func() error { return os.RemoveAll(moved) },
		)
	}},
}
