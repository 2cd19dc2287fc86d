package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// script runs a shell script that fetches something, and shows what it says.
func script(name string) func(*gate) error {
	return func(g *gate) error {
		last := ""
		err := g.lines(g.command(nil, "sh", name), func(l string) {
			last = strings.TrimPrefix(l, filepath.Base(name)+": ")
			g.report.line("", "%s", last)
		})
		if err != nil && g.offline && last != "" {
			return missingError(last)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w (ALPINEVM_OFFLINE=1 leaves out what needs the network)", name, err)
		}
		return err
	}
}

// goTool runs the go command.
func goTool(args ...string) func(*gate) error {
	return func(g *gate) error {
		cmd := g.command(nil, g.goCommand, args...)
		out, err := g.output(cmd)
		return found(cmd, out, err)
	}
}

// goOnline runs the go command for what the network has, which is left out offline.
func goOnline(args ...string) func(*gate) error {
	return func(g *gate) error {
		if g.offline {
			return nil
		}
		return goTool(args...)(g)
	}
}

// goCached runs the go command, offline from what the module cache has.
func goCached(args ...string) func(*gate) error {
	return func(g *gate) error {
		if !g.offline {
			return goTool(args...)(g)
		}
		cache, err := g.output(g.command(nil, g.goCommand, "env", "GOMODCACHE"))
		if err != nil {
			return err
		}
		// What has been downloaded is laid out as a proxy is.
		proxy := "file://" + filepath.ToSlash(strings.TrimSpace(cache)) + "/cache/download"
		cmd := g.command([]string{"GOPROXY=" + proxy, "GOSUMDB=off", "GOTOOLCHAIN=local"}, g.goCommand, args...)
		out, err := g.output(cmd)
		if err != nil && strings.Contains(out, "reading "+proxy) {
			return missingError("the module cache lacks what it needs")
		}
		return found(cmd, out, err)
	}
}

// sources calls f with each Go file of the repository.
func sources(f func(name string, data []byte) error) error {
	return filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return f(name, data)
	})
}

// types has TypeScript check the page's sources.
func types(g *gate) error {
	out, err := g.output(g.command(nil, "sh", "scripts/typescript.sh"))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	switch {
	case err != nil && g.offline:
		return missingError(last)
	case err != nil:
		return errors.New(out)
	}
	cmd := g.command(nil, "node", filepath.Join(last, "lib", "tsc.js"), "-p", "web")
	out, err = g.output(cmd)
	return found(cmd, out, err)
}

// gofmt names the files that are not formatted.
func gofmt(*gate) error {
	var names []string
	err := sources(func(name string, data []byte) error {
		formatted, err := format.Source(data)
		if err != nil {
			return fmt.Errorf("%s:%w", name, err)
		}
		if !bytes.Equal(formatted, data) {
			names = append(names, name)
		}
		return nil
	})
	if err == nil && names != nil {
		err = errors.New("gofmt -w " + strings.Join(names, " "))
	}
	return err
}

// generate runs go generate, which must not change a file.
func generate(g *gate) error {
	sums := func() (map[string][32]byte, error) {
		m := map[string][32]byte{}
		return m, sources(func(name string, data []byte) error {
			m[name] = sha256.Sum256(data)
			return nil
		})
	}
	before, err := sums()
	if err != nil {
		return err
	}
	if err := goTool("generate", "./...")(g); err != nil {
		return err
	}
	after, err := sums()
	if err != nil {
		return err
	}
	var changed []string
	for name, sum := range after {
		if before[name] != sum {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	if changed != nil {
		return errors.New("go generate changed " + strings.Join(changed, ", ") + ": keep what it made")
	}
	return nil
}
