package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm"
	"alpinevm/fs9p/statefs"
	"alpinevm/internal/confine"
	"alpinevm/kernel/apk"
	"alpinevm/net/usernet"
)

const doctorLong = `Say what this host offers, a line each, with what to do where something is
missing:

  ok    it is there
  -     it is not there, and alpinevm does without it
  FAIL  alpinevm run needs it

The exit code is 1 if a line says FAIL. It takes less than two seconds.`

// probeTime is how long the checks may take, which run side by side.
const probeTime = 1500 * time.Millisecond

// defaultRegistry is where images without a registry in their name are.
const defaultRegistry = "https://registry-1.docker.io"

func newDoctor() *cobra.Command {
	d := doctor{registry: defaultRegistry}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host offers and what is missing",
		Long:  doctorLong,
		Example: `  alpinevm doctor
  alpinevm doctor --mirror http://mirror.example/alpine`,
		Args: want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error { return d.run(c.Context(), c.OutOrStdout()) },
	}
	c.Flags().StringVar(&d.mirror, "mirror", apk.DefaultMirror, "look for Alpine's packages at the mirror at this `URL`")
	complete(c, "mirror")
	return c
}

// doctor looks at the host.
type doctor struct {
	registry, mirror string
}

// finding is what a check has found.
type finding struct {
	text    string
	missing bool   // it is not there
	fatal   bool   // and nothing runs without it
	advice  string // what to do about it
}

func have(format string, args ...any) finding { return finding{text: fmt.Sprintf(format, args...)} }

func lack(text, advice string) finding { return finding{text: text, missing: true, advice: advice} }

// check looks at one thing, within ctx.
type check struct {
	name string
	look func(ctx context.Context) finding
}

func (d doctor) checks() []check {
	return []check{
		{"terminal", checkTerminal},
		{"engine", checkEngine},
		{"memory", func(context.Context) finding { return checkMemory("/proc/meminfo") }},
		{"cache", func(context.Context) finding { return checkCache(os.UserCacheDir) }},
		{"registry", func(ctx context.Context) finding {
			return checkServer(ctx, d.registry+"/v2/", "images come from the cache, archives and layouts only; behind a proxy set HTTPS_PROXY")
		}},
		{"alpine", func(ctx context.Context) finding {
			return checkServer(ctx, strings.TrimRight(d.mirror, "/")+"/", "kernels come from the cache and --kernel FILE only; behind a proxy set HTTPS_PROXY, or give another server by --mirror URL")
		}},
		{"icmp", checkPing},
		{"confine", func(context.Context) finding { return checkConfinement(confine.Probe(), os.Geteuid() == 0) }},
		{"go", checkGo},
		{"qemu", checkQEMU},
		{"32-bit", check32Bit},
	}
}

// run makes all checks and prints what they find, in order.
func (d doctor) run(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	checks := d.checks()
	var results []chan finding
	for _, c := range checks {
		result := make(chan finding, 1)
		results = append(results, result)
		go func() { result <- c.look(ctx) }()
	}
	failed := false
	for i, c := range checks {
		var f finding
		select {
		case f = <-results[i]:
		case <-ctx.Done():
			select {
			case f = <-results[i]:
			case <-time.After(probeTime / 10): // what heeds ctx is through by now
				f = lack(fmt.Sprintf("no answer within %v", probeTime), "")
			}
		}
		state := "ok"
		if f.missing {
			state = "-"
		}
		if f.fatal {
			state, failed = "FAIL", true
		}
		line := fmt.Sprintf("%-5s %-9s %s", state, c.name, f.text)
		if f.advice != "" {
			line += "; " + f.advice
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	if failed {
		return exitCode(exitError)
	}
	return nil
}

// checkEngine says what executes guests.
func checkEngine(context.Context) finding {
	if err := alpinevm.TranslatorMissing(); err != nil {
		return lack("the interpreter: "+err.Error(), "guests run, but several times slower than on amd64 Linux with the translator")
	}
	if lacks := alpinevm.TranslatorLacks(); lacks != "" {
		return have("the translator to machine code; %s, so code is a little longer", lacks)
	}
	return have("the translator to machine code")
}

func checkTerminal(context.Context) finding {
	if !interactive() {
		return lack("standard input and output are no terminal", "commands get pipes; -t gives one a terminal that nobody types at")
	}
	cols, rows := windowSize()
	return have("%d columns, %d lines, TERM=%s", cols, rows, os.Getenv("TERM"))
}

// defaultNeeds is host memory in bytes for a guest of default size.
const defaultNeeds = 600 << 20

// checkMemory reads Linux's proc(5) meminfo.
func checkMemory(meminfo string) finding {
	data, err := os.ReadFile(meminfo)
	if err != nil {
		return have("%s; how much is free is not known here", runtime.GOOS)
	}
	for line := range strings.Lines(string(data)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kb); n == 1 {
			free := units.BytesSize(float64(kb << 10))
			if kb<<10 < defaultNeeds {
				return lack(free+" available, the default guest may touch 512 MiB", "give it less by -m 256M")
			}
			return have("%s available", free)
		}
	}
	return have("how much is free is not known here")
}

// roomNeeded is free space in bytes for a kernel and a few images.
const roomNeeded = 500 << 20

// checkCache writes to the cache folder.
func checkCache(find func() (string, error)) finding {
	fatal := func(err error) finding {
		return finding{text: err.Error(), missing: true, fatal: true, advice: "set XDG_CACHE_HOME to a folder that you may write to"}
	}
	base, err := find()
	if err != nil {
		return fatal(err)
	}
	dir := filepath.Join(base, "alpinevm")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fatal(err)
	}
	file, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return fatal(err)
	}
	_, err = file.WriteString("doctor")
	if err = errors.Join(err, file.Close(), os.Remove(file.Name())); err != nil {
		return fatal(err)
	}
	free, ok := statefs.FreeSpace(dir)
	switch {
	case !ok:
		return have("%s", dir)
	case free < roomNeeded:
		return lack(fmt.Sprintf("%s has %s left", dir, units.BytesSize(float64(free))), "make room there, or set XDG_CACHE_HOME")
	}
	return have("%s, %s left", dir, units.BytesSize(float64(free)))
}

// checkServer asks an HTTP server for anything.
func checkServer(ctx context.Context, at, advice string) finding {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, at, nil)
	if err != nil {
		return lack(err.Error(), advice)
	}
	resp, err := http.DefaultClient.Do(req)
	switch {
	case ctx.Err() != nil:
		return lack(fmt.Sprintf("%s does not answer within %v", req.URL.Host, probeTime), advice)
	case err != nil:
		return lack(reason(err), advice)
	}
	resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return lack(fmt.Sprintf("%s answers %s", req.URL.Host, resp.Status), advice)
	}
	return have("%s answers", req.URL.Host)
}

// reason is an HTTP client's error without the request.
func reason(err error) string {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return err.Error()
}

// checkConfinement says what holds us while a guest runs.
func checkConfinement(layers []confine.Layer, root bool) finding {
	var holds, lacks []string
	for _, l := range layers {
		if l.Err == nil {
			holds = append(holds, l.Name)
		} else {
			lacks = append(lacks, l.Name+": "+l.Err.Error())
		}
	}
	var f finding
	switch {
	case len(holds) == 0:
		f = lack(strings.Join(lacks, ", "), "the emulator alone keeps a guest in")
	case len(lacks) > 0:
		f = lack(strings.Join(lacks, ", "), "what holds a guest that gets out of the emulator is "+strings.Join(holds, ", "))
	default:
		f = have("%s hold a guest that gets out of the emulator", strings.Join(holds, ", "))
	}
	if root {
		f.text += "; you are root"
		f.advice = strings.TrimPrefix(f.advice+"; run it as another user", "; ")
	}
	return f
}

func checkPing(ctx context.Context) finding {
	err := usernet.HostPing(ctx, netip.MustParseAddr("127.0.0.1"), []byte("alpinevm"))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return lack("no ICMP sockets without privilege", "ping in the guest reaches the gateway alone; Linux: sysctl net.ipv4.ping_group_range='0 2147483647'")
	case err != nil:
		return lack(err.Error(), "ping in the guest reaches the gateway alone")
	}
	return have("ping in the guest reaches hosts")
}

// output is what a program prints.
func output(ctx context.Context, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.WaitDelay = probeTime / 10
	c.Env = append(os.Environ(), "GOTOOLCHAIN=local")
	out, err := c.Output()
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(first), err
}

func checkGo(ctx context.Context) finding {
	version, err := output(ctx, "go", "env", "GOVERSION")
	if err != nil {
		return lack("no Go toolchain", "bench needs one: https://go.dev/dl")
	}
	return have("%s builds the programs of bench", version)
}

func checkQEMU(ctx context.Context) finding {
	version, err := output(ctx, "qemu-system-i386", "--version")
	if err != nil {
		return lack("no qemu-system-i386", "bench --vs qemu needs it; Debian: apt-get install qemu-system-x86")
	}
	return have("%s, for bench --vs qemu", version)
}

// tinyProgram is a program for linux/386 (ELF, System V gABI 4.1) that exits
// with tinyCode.
func tinyProgram() []byte {
	const base, code = 0x08048000, 52 + 2*32
	header := []uint32{
		0x464c457f, 0x00010101, 0, 0, // \x7fELF, 32 bits, little-endian, version 1
		2 | 3<<16, 1, base + code, 52, 0, 0, // an executable for the 80386; entry; program headers behind this one
		52 | 32<<16, 2, 0, // sizes of the headers, two program headers
		1, 0, base, base, code + 16, code + 16, 5, 0x1000, // load the file, to be read and executed
		0x6474e551, 0, 0, 0, 0, 0, 6, 0, // PT_GNU_STACK: the stack is not executed
	}
	var b []byte
	for _, v := range header {
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	return append(b, 0xb8, 1, 0, 0, 0, 0xbb, tinyCode, 0, 0, 0, 0xcd, 0x80, 0, 0, 0, 0) // exit(tinyCode)
}

const tinyCode = 42

func check32Bit(ctx context.Context) finding {
	const what = "bench --vs native and the tests' oracle do without"
	if runtime.GOOS != "linux" || !slices.Contains([]string{"amd64", "386"}, runtime.GOARCH) {
		return lack(runtime.GOOS+"/"+runtime.GOARCH+" runs no programs for linux/386", what)
	}
	dir, err := os.MkdirTemp("", "alpinevm-doctor-")
	if err != nil {
		return lack(err.Error(), what)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "tiny")
	if err := os.WriteFile(name, tinyProgram(), 0o700); err != nil {
		return lack(err.Error(), what)
	}
	_, err = output(ctx, name)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == tinyCode {
		return have("the host runs programs for linux/386, for bench --vs native and the tests' oracle")
	}
	return lack(fmt.Sprintf("the host runs no programs for linux/386 (%v)", err), what+"; the kernel lacks IA32 emulation, or the folder of temporary files is noexec")
}
