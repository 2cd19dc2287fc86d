//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// errands are what this program does as another process: the first argument
// names it.
var errands = map[string]func(args []string) error{
	"make": func(args []string) error {
		syscall.Umask(0o022)
		at := func(name string) string { return filepath.Join(args[0], name) }
		return errors.Join(put(at("file"), "x"), os.Mkdir(at("dir"), 0o755), os.Symlink("x", at("link")), syscall.Mkfifo(at("fifo"), 0o600))
	},
	"write": func(args []string) error {
		f, err := os.OpenFile(args[0], os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString("y")
		return errors.Join(err, f.Close())
	},
	"truncate": func(args []string) error { return os.Truncate(args[0], 0) },
	"flock": func(args []string) error {
		f, err := os.OpenFile(args[0], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	},
	"lock": func(args []string) error {
		f, err := os.OpenFile(args[0], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		start, _ := strconv.ParseInt(args[1], 10, 64)
		return posixLock(f, syscall.F_WRLCK, start, 10)
	},
	"append": func(args []string) error {
		for i := range 100 {
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(f, "%s %d\n", args[1], i)
			if err = errors.Join(err, f.Close()); err != nil {
				return err
			}
		}
		return nil
	},
}

func posixLock(f *os.File, kind int16, start, n int64) error {
	return syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: kind, Whence: io.SeekStart, Start: start, Len: n})
}

// another runs an errand in a process of its own. Its error is the errand's,
// of which only the text is left; errno finds the number again.
func another(cred *syscall.Credential, args ...string) error {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	text := strings.TrimSpace(string(out))
	for _, e := range []syscall.Errno{syscall.EACCES, syscall.EAGAIN, syscall.EPERM} {
		if strings.Contains(text, e.Error()) {
			return fmt.Errorf("%s: %w", args[0], e)
		}
	}
	return fmt.Errorf("%s: %v: %s", args[0], err, text)
}

func asNobody(args ...string) error {
	return another(&syscall.Credential{Uid: nobody, Gid: nobody}, args...)
}

var processChecks = []check{
	{"flock among processes", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		g, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer g.Close()
		return all(
			func() error { return another(nil, "flock", path) },
			func() error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX) },
			func() error { return fails(another(nil, "flock", path), syscall.EAGAIN) },
			func() error {
				return fails(syscall.Flock(int(g.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EAGAIN)
			},
			func() error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) },
			func() error { return another(nil, "flock", path) },
			func() error { return syscall.Flock(int(f.Fd()), syscall.LOCK_SH) },
			func() error { return syscall.Flock(int(g.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) },
			func() error { return f.Close() },
			func() error { return syscall.Flock(int(g.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) },
		)
	}},
	{"POSIX locks among processes", false, func(dir string) error {
		path := filepath.Join(dir, "f")
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return all(
			func() error { return posixLock(f, syscall.F_WRLCK, 100, 50) },
			func() error { return another(nil, "lock", path, "0") },
			func() error { return another(nil, "lock", path, "150") },
			func() error { return fails(another(nil, "lock", path, "145"), syscall.EAGAIN) },
			func() error { return posixLock(f, syscall.F_UNLCK, 120, 10) },
			func() error { return another(nil, "lock", path, "120") },
			func() error { return fails(another(nil, "lock", path, "115"), syscall.EAGAIN) },
			func() error { return posixLock(f, syscall.F_UNLCK, 0, 0) },
			func() error { return another(nil, "lock", path, "100") },
		)
	}},
	{"O_APPEND from two processes", false, func(dir string) error {
		path := filepath.Join(dir, "log")
		if err := put(path, ""); err != nil {
			return err
		}
		failed := make(chan error, 2)
		for _, who := range []string{"one", "two"} {
			go func() { failed <- another(nil, "append", path, who) }()
		}
		if err := errors.Join(<-failed, <-failed); err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		return errors.Join(err, same("lines", strings.Count(string(b), "\n"), 200))
	}},
	{"running programs", false, func(dir string) error {
		self, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			return err
		}
		prog := filepath.Join(dir, "prog")
		run := func() error {
			out, err := exec.Command(prog, "-list").CombinedOutput()
			if err == nil && !strings.Contains(string(out), "running programs") {
				err = fmt.Errorf("it said %q", out)
			}
			return err
		}
		return all(
			func() error { return os.WriteFile(prog, self, 0o755) },
			run,
			func() error {
				// A new program takes the place of one that runs.
				fifo := filepath.Join(dir, "fifo")
				if err := syscall.Mkfifo(fifo, 0o600); err != nil {
					return err
				}
				cmd := exec.Command(prog, "write", fifo)
				if err := cmd.Start(); err != nil {
					return err
				}
				defer cmd.Wait()
				err := all(
					func() error { return os.WriteFile(prog+".new", self, 0o755) },
					func() error { return os.Rename(prog+".new", prog) },
					run,
				)
				return errors.Join(err, holds(fifo, "y"))
			},
		)
	}},
}
