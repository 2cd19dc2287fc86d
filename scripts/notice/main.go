// Command notice writes NOTICE: the modules that are linked into alpinevm on any
// platform, and what the page has in it, with their licences. It is run in the module's root folder.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platforms are those of scripts/cross.sh.
var platforms = strings.Fields("linux/amd64 linux/arm64 linux/386 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64 js/wasm")

// linked gives the folders of the modules that are linked in, by "path version".
func linked() (map[string]string, error) {
	list := map[string]string{}
	for _, p := range platforms {
		system, processor, _ := strings.Cut(p, "/")
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/...")
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		for line := range strings.Lines(string(out)) {
			if name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				list[name] = dir
			}
		}
	}
	return list, vendored(list)
}

// vendored adds what the page has in it, which is in the repository: by its package.json.
func vendored(list map[string]string) error {
	files, err := filepath.Glob("web/vendor/*/package.json")
	if err != nil {
		return err
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		var p struct{ Name, Version string }
		if err := json.Unmarshal(data, &p); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		list[p.Name+" "+p.Version] = filepath.Dir(f)
	}
	return nil
}

// licences are the files of a module that say under what it is given.
func licences(dir string) ([]string, error) {
	var list []string
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "License*", "COPYING*", "NOTICE*", "PATENTS"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		list = append(list, names...)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

const head = `alpinevm
Copyright 2026 The alpinevm authors

Licensed under the Apache License, Version 2.0 (LICENSE). The programs have in them
the Go standard library and runtime, and these modules, each under its own licence.
This file is written by go run ./scripts/notice.
`

// heading begins the part of a module.
func heading(name string) string { return strings.Repeat("=", 80) + "\n" + name + "\n" }

// write makes the text.
func write(modules map[string]string) ([]byte, error) {
	b := bytes.NewBufferString(head)
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		files, err := licences(modules[name])
		if err != nil {
			return nil, err
		}
		b.WriteString("\n" + heading(name))
		if len(files) == 0 {
			b.WriteString("\nIt comes without a licence file.\n")
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(b, "\n%s:\n\n%s\n", filepath.Base(f), bytes.TrimSpace(text))
		}
	}
	return b.Bytes(), nil
}

func main() {
	modules, err := linked()
	if err != nil {
		log.Fatal(err)
	}
	text, err := write(modules)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("NOTICE", text, 0o644); err != nil {
		log.Fatal(err)
	}
}
