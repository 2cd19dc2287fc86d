// Command npm packs what make web has made as an npm package, dist/alpinevm-VERSION.tgz,
// with the types of its interface, which TypeScript makes of the sources. It publishes
// nothing. It is run in the module's root folder:
//
//	go run ./scripts/npm [-o dist] [-version v0.1.0]
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	out := flag.String("o", "dist", "where the package goes")
	version := flag.String("version", "dev", "what the release is called")
	flag.Parse()
	name, err := pack(".", *out, *version)
	if err != nil {
		log.Fatal("npm: ", err)
	}
	fmt.Println(name)
}

// pack makes the package of the module in root, and gives its file's name.
func pack(root, out, version string) (string, error) {
	version = number(version)
	files, err := contents(root, version)
	if err != nil {
		return "", err
	}
	data, err := archive(files)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", err
	}
	name := filepath.Join(out, "alpinevm-"+version+".tgz")
	return name, os.WriteFile(name, data, 0o644)
}

// number is a version as npm has them (semver.org).
func number(version string) string {
	if n, ok := strings.CutPrefix(version, "v"); ok {
		return n
	}
	return "0.0.0-" + version
}

// contents are the package's files by their names.
func contents(root, version string) (map[string][]byte, error) {
	dist := filepath.Join(root, "web", "dist")
	if _, err := os.Stat(filepath.Join(dist, "alpinevm.wasm.gz")); err != nil {
		return nil, errors.New("there is no page: make web makes it")
	}
	files := map[string][]byte{}
	list, err := os.ReadDir(dist)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		files[e.Name()] = nil
		if files[e.Name()], err = os.ReadFile(filepath.Join(dist, e.Name())); err != nil {
			return nil, err
		}
	}
	for name, from := range map[string]string{
		"README.md": "web/README.md", "LICENSE": "LICENSE", "NOTICE": "NOTICE", "types/xterm.d.ts": "web/vendor/xterm/xterm.d.ts", "package.json": "web/package.json",
		"LICENSE.xterm": "web/vendor/xterm/LICENSE", "LICENSE.addon-fit": "web/vendor/addon-fit/LICENSE",
	} {
		if files[name], err = os.ReadFile(filepath.Join(root, filepath.FromSlash(from))); err != nil {
			return nil, err
		}
	}
	delete(files, "README") // of our sources
	if files["package.json"], err = described(files["package.json"], version); err != nil {
		return nil, err
	}
	return files, types(root, files)
}

// described is the description of the package, with its version.
func described(data []byte, version string) ([]byte, error) {
	const none = `"version": "0.0.0"`
	if !bytes.Contains(data, []byte(none)) {
		return nil, errors.New("web/package.json: it has no " + none)
	}
	v, err := json.Marshal(version)
	return bytes.Replace(data, []byte(none), append([]byte(`"version": `), v...), 1), err
}

// interfaces are the sources whose types are the package's interface.
var interfaces = []string{"alpinevm", "element", "errors", "protocol"}

// types adds the types.
func types(root string, files map[string][]byte) error {
	dir, err := typescript(root)
	if err != nil {
		return err
	}
	to, err := os.MkdirTemp("", "alpinevm-types-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(to)
	c := exec.Command("node", filepath.Join(dir, "lib", "tsc.js"), "-p", filepath.Join(root, "web"), "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", to)
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("TypeScript: %w: %s", err, text)
	}
	for _, name := range interfaces {
		data, err := os.ReadFile(filepath.Join(to, name+".d.ts"))
		if err != nil {
			return err
		}
		for _, beside := range interfaces { // who resolves names as Node does needs their ending
			data = bytes.ReplaceAll(data, []byte(`"./`+beside+`"`), []byte(`"./`+beside+`.js"`))
		}
		if bytes.Contains(data, []byte(`"@xterm/xterm"`)) {
			data = append([]byte("/// <reference path=\"./xterm.d.ts\" />\n"), data...)
		}
		files[path.Join("types", name+".d.ts")] = data
	}
	return nil
}

// typescript is the folder that TypeScript is in.
func typescript(root string) (string, error) {
	c := exec.Command("sh", filepath.Join(root, "scripts", "typescript.sh"))
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("scripts/typescript.sh: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// archive packs files as npm does, in a folder package; the same ones give the same bytes.
func archive(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		h := &tar.Header{Name: "package/" + name, Mode: int64(fs.FileMode(0o644)), Size: int64(len(files[name])), ModTime: time.Unix(499162500, 0)} // npm's own, of 1985
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
