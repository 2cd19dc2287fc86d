//go:build linux

// Command guest is the form of fstest that runs inside a guest: system calls on
// a folder of a mounted file system, checked against what Linux promises. It
// is one static program without arguments but the folder:
//
//	guest DIR           check; the exit code is 1 if anything is wrong
//	guest -bench DIR    measure: cycles of create, rename and unlink, small files, a large file
//	guest -list         name the checks
//
// It says `ok NAME`, `skip NAME: why` or `FAIL NAME: why`, a line each. Some checks need root.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

// A check looks at one promise in a folder of its own, which is empty.
type check struct {
	name string
	root bool // it needs to be root
	run  func(dir string) error
}

var checks = [][]check{nameChecks, dataChecks, mappingChecks, attrChecks, aclChecks, dirChecks, processChecks}

// skipped is the error of a check that this kernel or file system gives no occasion for.
type skipped string

func (s skipped) Error() string { return string(s) }

func main() {
	if len(os.Args) > 2 {
		if do := errands[os.Args[1]]; do != nil {
			exit(do(os.Args[2:]))
		}
	}
	switch {
	case len(os.Args) == 2 && os.Args[1] == "-list":
		for _, list := range checks {
			for _, c := range list {
				fmt.Println(c.name)
			}
		}
	case len(os.Args) == 3 && os.Args[1] == "-bench":
		exit(bench(os.Args[2]))
	case len(os.Args) == 2 && !strings.HasPrefix(os.Args[1], "-"):
		if n := runAll(os.Args[1], report); n > 0 {
			exit(fmt.Errorf("%d checks failed", n))
		}
		fmt.Println("PASS")
	default:
		exit(errors.New("usage: guest [-bench] DIR | -list"))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func report(name string, err error) {
	var skip skipped
	switch {
	case err == nil:
		fmt.Println("ok", name)
	case errors.As(err, &skip):
		fmt.Printf("skip %s: %v\n", name, err)
	default:
		fmt.Printf("FAIL %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

// runAll runs the checks in new folders below dir, tells the outcome of each,
// and counts those that failed.
func runAll(dir string, tell func(name string, err error)) (failed int) {
	syscall.Umask(0o022)
	var skip skipped
	for _, list := range checks {
		for _, c := range list {
			err := runOne(dir, c)
			if err != nil && !errors.As(err, &skip) {
				failed++
			}
			tell(c.name, err)
		}
	}
	return failed
}

func runOne(dir string, c check) error {
	if c.root && os.Getuid() != 0 {
		return skipped("needs root")
	}
	sub, err := os.MkdirTemp(dir, "check")
	if err != nil {
		return err
	}
	if err := os.Chmod(sub, 0o755); err != nil {
		return err
	}
	err = c.run(sub)
	if e := os.RemoveAll(sub); err == nil {
		err = e
	}
	return err
}

// all runs steps until one fails.
func all(steps ...func() error) error {
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// fails says so unless err is what is wanted.
func fails(err error, want syscall.Errno) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("got %v, want %v", err, want)
	}
	return nil
}

// same says so unless a result is what is wanted.
func same[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: got %.100s, want %.100s", what, fmt.Sprint(got), fmt.Sprint(want))
	}
	return nil
}

// put makes or replaces a file.
func put(path, content string) error { return os.WriteFile(path, []byte(content), 0o644) }

// holds checks the content of a file.
func holds(path, want string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return same(filepath.Base(path), string(b), want)
}

// fileHolds checks the content of an open file.
func fileHolds(f *os.File, want string) error {
	b := make([]byte, len(want)+10)
	n, _ := f.ReadAt(b, 0)
	return same("open "+filepath.Base(f.Name()), string(b[:n]), want)
}

func stat(path string) (syscall.Stat_t, error) {
	var st syscall.Stat_t
	err := syscall.Lstat(path, &st)
	return st, err
}

func fstat(f *os.File) (syscall.Stat_t, error) {
	var st syscall.Stat_t
	err := syscall.Fstat(int(f.Fd()), &st)
	return st, err
}

// names lists a folder, sorted.
func names(dir string) (string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return "", err
	}
	defer f.Close()
	list, err := f.Readdirnames(-1)
	sort.Strings(list)
	return strings.Join(list, " "), err
}
