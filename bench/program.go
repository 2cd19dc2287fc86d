package bench

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"alpinevm/kernel"
)

// guestSource is the program that runs in the guest and on its peers.
//
//go:embed guest/*.go guest/*.s
var guestSource embed.FS

// guestModule makes a module of the source.
const guestModule = "module guest\n\ngo 1.24\n"

// Program builds the guest's program with the host's Go for linux/386, or finds
// it in a folder below cache, and gives the file's name.
func Program(ctx context.Context, cache string, report func(string)) (string, error) {
	version, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return "", noGo(err)
	}
	sum := sha256.New()
	sum.Write(version)
	sources := map[string][]byte{"go.mod": []byte(guestModule)}
	err = fs.WalkDir(guestSource, "guest", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		data, err := guestSource.ReadFile(name)
		sources[d.Name()] = data
		fmt.Fprintf(sum, "%s %d\n%s", name, len(data), data)
		return err
	})
	if err != nil {
		return "", err
	}
	file := filepath.Join(cache, "guest-"+hex.EncodeToString(sum.Sum(nil)[:16]))
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	report("build the guest's program for linux/386")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(cache, ".build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	for name, data := range sources {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return "", err
		}
	}
	built := filepath.Join(dir, "guest.out")
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", built, ".")
	c.Dir = dir
	c.Env = append(os.Environ(), "GOOS=linux", "GOARCH=386", "GO386=sse2", "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOTOOLCHAIN=local", "GOWORK=off")
	if msg, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the guest's program for linux/386: %w\n%s", err, msg)
	}
	return file, os.Rename(built, file)
}

// noGo explains that there is no Go on the host.
func noGo(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("the guest's program is built by the host's Go, which is not installed; install Go from https://go.dev/dl, " +
			"or build bench/guest elsewhere with CGO_ENABLED=0 GOOS=linux GOARCH=386 and give it by --guest-program FILE")
	}
	return fmt.Errorf("the host's Go: %w", err)
}

// initrd is an initial root file system that holds the program alone, as its
// init.
func initrd(program string) ([]byte, error) {
	c, err := beginInitrd(program)
	if err != nil {
		return nil, err
	}
	return c.Bytes()
}

// beginInitrd is an initial root file system that more may be added to.
func beginInitrd(program string) (*kernel.CPIO, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	if err := check386(data); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	c := &kernel.CPIO{}
	c.CharDevice("/dev/console", 0o600, 5, 1)
	c.File("/init", 0o755, data)
	return c, nil
}

// check386 refuses what a guest cannot run. ELF (System V gABI 4.1): class 1 is
// 32 bits, machine 3 the 80386.
func check386(data []byte) error {
	if len(data) < 20 || string(data[:5]) != "\x7fELF\x01" || data[18] != 3 {
		return errors.New("it is no program for linux/386")
	}
	return nil
}
