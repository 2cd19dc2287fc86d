// Command gate is everything that a change must pass (make test): what the tests need is
// fetched, the sources are checked, and the tests run, first those of what is concurrent
// under the race detector, then those of what a page is made of under js, then all of them
// with real boots. It prints one line for each
// thing that is done, with the time so far, and says every half minute what it waits for.
// It ends with a count of tests and checks, and with what those that failed have said.
//
// It exits with 1 if one failed, or was skipped for want of something while
// ALPINEVM_OFFLINE is not 1: a green run in which no guest booted would be a lie.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// staticcheck is pinned here and not in go.mod, so that who uses the module does not
// fetch it.
const staticcheck = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"

// concurrent are the packages that have goroutines, or whose tests have.
var concurrent = []string{".", "./bench", "./cpu", "./cpu/jit/...", "./fs9p/...", "./internal/...", "./kernel/apk", "./net/..."}

// inPage are packages of the page whose tests run under js, as it does. Others start
// programs, work in the folders of the host for long, or take more memory or time.
var inPage = []string{"./cpu", "./cpu/mem", "./cpu/softfloat", "./fs9p", "./fs9p/ctl", "./fs9p/internal/tree", "./fs9p/memfs", "./fs9p/statefs", "./fs9p/storage",
	"./internal/archive", "./internal/chunked", "./internal/snapshot", "./net/httpgate", "./net/special", "./net/standin", "./net/usernet", "./net/wisp"}

// checks come before the tests, which do not run where one of them fails.
var checks = []step{
	{"tools", script("scripts/tools.sh")},
	{"guest files", script("scripts/guest.sh")},
	{"modules", goOnline("mod", "download")},
	{"page", goTool("run", "./scripts/web")},
	{"types of the page", types},
	{"gofmt", gofmt},
	{"go mod tidy", goCached("mod", "tidy", "-diff")},
	{"go generate", generate},
	{"go vet", goTool("vet", "./...")},
	{"staticcheck", goCached("run", staticcheck, "./...")},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !newGate(ctx).run() {
		os.Exit(1)
	}
}

func newGate(ctx context.Context) *gate {
	goCommand := os.Getenv("GO")
	if goCommand == "" {
		goCommand = "go"
	}
	return &gate{ctx: ctx, report: newReport(os.Stdout), goCommand: goCommand, offline: os.Getenv("ALPINEVM_OFFLINE") == "1"}
}

// run does it all and says whether it is green.
func (g *gate) run() bool {
	defer g.report.heartbeat()()
	for i, s := range checks {
		g.check(s, i+1, len(checks)+1)
	}
	switch {
	case g.ctx.Err() != nil:
	case len(g.failures) > 0:
		g.report.line("stop", "the tests run once these pass")
	default:
		g.report.line("step", "%d of %d: tests", len(checks)+1, len(checks)+1)
		g.tests()
	}
	return g.finish()
}

// tests runs them three times over.
func (g *gate) tests() {
	runs := slices.Concat(g.race(), g.js(inPage))
	// Never from the cache: it does not know the guests, and a run must boot them.
	runs = append(runs, testRun{args: []string{"-count=1", "-timeout", "14m"}, packages: []string{"./..."}})
	g.runTests(runs)
}

// race is the run under the race detector, which needs a C compiler.
func (g *gate) race() []testRun {
	switch platform := runtime.GOOS + "/" + runtime.GOARCH; {
	case platform != "linux/amd64":
		g.skip("race detector", notHere+"it is asked on linux/amd64")
	case !installed("gcc"):
		g.skip("race detector", "there is no gcc")
	default:
		return []testRun{{label: "race: ", again: true, env: []string{"CGO_ENABLED=1"},
			args: []string{"-race", "-short", "-count=1", "-timeout", "10m"}, packages: concurrent}}
	}
	return nil
}

// js is the run as WebAssembly, which needs Node.js. What is skipped there is told: it
// does not run in a page.
func (g *gate) js(packages []string) []testRun {
	if runtime.GOOS == "windows" {
		g.skip("tests under js", notHere+"what starts Node.js is a shell script")
		return nil
	}
	if !installed("node") {
		g.skip("tests under js", "there is no node")
		return nil
	}
	root, err := g.output(g.command(nil, g.goCommand, "env", "GOROOT"))
	if err != nil {
		g.fail("go env", root)
		return nil
	}
	exec := filepath.Join(strings.TrimSpace(root), "lib", "wasm", "go_js_wasm_exec")
	return []testRun{{label: "js: ", env: []string{"GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0"},
		args: []string{"-exec", "'" + exec + "'", "-short", "-count=1", "-timeout", "10m"}, packages: packages}}
}
