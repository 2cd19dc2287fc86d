// Command web makes what a browser gets, in web/dist: the program, and the page and
// its workers of what is in web/src.
package main

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	goCommand := flag.String("go", "go", "the go `COMMAND` that builds the program")
	flag.Parse()
	if err := build(*goCommand); err != nil {
		fmt.Fprintln(os.Stderr, "web:", err)
		os.Exit(1)
	}
}

const (
	source = "web"
	dist   = "web/dist"
)

func build(goCommand string) error {
	if err := clear(); err != nil {
		return err
	}
	root, err := exec.Command(goCommand, "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("%s env GOROOT: %w", goCommand, err)
	}
	// The program's half of the bridge, which has to be of the same release.
	bridge, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return err
	}
	address, err := program(goCommand)
	if err != nil {
		return err
	}
	if err := scripts("esm", address, "", "alpinevm", "element", "page"); err != nil {
		return err
	}
	if err := scripts("iife", address, string(bridge), "worker"); err != nil {
		return err
	}
	if err := scripts("iife", address, "", "alpinevm-ports"); err != nil {
		return err
	}
	if err := os.CopyFS(dist, os.DirFS(filepath.Join(source, "page"))); err != nil {
		return err
	}
	files, err := shell()
	if err != nil {
		return err
	}
	return scripts("iife", address, files, "sw")
}

// shell tells the service worker what the page consists of, and gives all of it a name.
func shell() (string, error) {
	list, err := os.ReadDir(dist)
	if err != nil {
		return "", err
	}
	files, sum := []string{"./"}, sha256.New()
	for _, e := range list {
		if e.Name() == "README" || e.Name() == packed { // the sources know the program's address
			continue
		}
		data, err := os.ReadFile(filepath.Join(dist, e.Name()))
		if err != nil {
			return "", err
		}
		if e.Name() != "index.html" { // which is "./"
			files = append(files, e.Name())
		}
		fmt.Fprintf(sum, "%s %d\n%s", e.Name(), len(data), data)
	}
	b, err := json.Marshal(map[string]any{"version": hex.EncodeToString(sum.Sum(nil)[:8]), "files": files})
	return "const shell=" + string(b) + ";", err
}

// clear leaves nothing of an earlier build but the note that is in the repository.
func clear() error {
	list, err := os.ReadDir(dist)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Name() != "README" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dist, e.Name())))
		}
	}
	return err
}

// scripts bundles sources, each with all that it needs, and with the program's address.
func scripts(format, address, banner string, names ...string) error {
	o := api.BuildOptions{
		Define: map[string]string{"programFile": strconv.Quote(address)},
		Bundle: true, MinifySyntax: true, MinifyWhitespace: true, Outdir: dist, Write: true, LogLevel: api.LogLevelSilent,
		Target: api.ES2022, Platform: api.PlatformBrowser, Format: map[string]api.Format{"esm": api.FormatESModule, "iife": api.FormatIIFE}[format],
		Loader: map[string]api.Loader{".css": api.LoaderText}, TsconfigRaw: "{}", LegalComments: api.LegalCommentsEndOfFile,
		Alias: map[string]string{"@xterm/xterm": "./web/vendor/xterm/xterm.mjs", "@xterm/addon-fit": "./web/vendor/addon-fit/addon-fit.mjs"},
	}
	// The element and the page share what they have in common.
	o.Splitting = o.Format == api.FormatESModule
	if banner != "" {
		o.Banner = map[string]string{"js": banner}
	}
	for _, name := range names {
		o.EntryPoints = append(o.EntryPoints, filepath.Join(source, "src", name+".ts"))
	}
	result := api.Build(o)
	if len(result.Errors) == 0 {
		return nil
	}
	e := result.Errors[0]
	if e.Location != nil {
		return fmt.Errorf("%s:%d: %s", e.Location.File, e.Location.Line, e.Text)
	}
	return errors.New(e.Text)
}

// inlined are the packages in which time matters more than size. In all others no call
// is inlined, which makes the program smaller by a twelfth.
var inlined = []string{
	"runtime", "internal/runtime/...", "internal/bytealg", "math/bits", "sync/...", "slices", "syscall/js", "crypto/...",
	"alpinevm/cpu/...", "alpinevm/internal/board", "alpinevm/devices/...", "alpinevm/fs9p", "alpinevm/fs9p/overlay", "alpinevm/fs9p/internal/tree",
	"github.com/klauspost/compress/zstd", "github.com/klauspost/compress/huff0", "github.com/klauspost/compress/fse",
	"gvisor.dev/gvisor/pkg/buffer", "gvisor.dev/gvisor/pkg/refs", "gvisor.dev/gvisor/pkg/atomicbitops", "gvisor.dev/gvisor/pkg/sync/...",
	"gvisor.dev/gvisor/pkg/tcpip/checksum", "gvisor.dev/gvisor/pkg/tcpip/header",
}

// packed is the program's file.
const packed = "alpinevm.wasm.gz"

// program builds alpinevm.wasm and compresses it: not every host of files does. It gives
// the address, which is another one for another program.
func program(goCommand string) (string, error) {
	name := filepath.Join(dist, strings.TrimSuffix(packed, ".gz"))
	c := exec.Command(goCommand, "build", "-trimpath", "-tags=web", "-ldflags=-s -w", "-gcflags=all=-l")
	for _, p := range inlined {
		c.Args = append(c.Args, "-gcflags="+p+"=")
	}
	c.Args = append(c.Args, "-o", name, "./cmd/alpinevm-web")
	c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("building ./cmd/alpinevm-web: %w", err)
	}
	defer os.Remove(name)
	linked, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	program, err := joinSegments(linked)
	if err != nil {
		return "", err
	}
	out, err := os.OpenFile(filepath.Join(dist, packed), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fs.FileMode(0o644))
	if err != nil {
		return "", err
	}
	w, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(program)
		err = errors.Join(err, w.Close())
	}
	sum := sha256.Sum256(program)
	return packed + "?" + hex.EncodeToString(sum[:8]), errors.Join(err, out.Close())
}
