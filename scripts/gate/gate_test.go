package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// testGate is a gate that prints to a buffer, at a time that stands still.
func testGate(t *testing.T) (*gate, *bytes.Buffer) {
	var out bytes.Buffer
	start := time.Unix(1000, 0)
	r := &report{w: &out, now: func() time.Time { return start.Add(83 * time.Second) }, start: start, last: start}
	return &gate{ctx: t.Context(), report: r, goCommand: "go"}, &out
}

func testProgress(g *gate, label string, left int) *progress {
	return &progress{gate: g, label: label, left: left, broken: map[string]bool{}, output: map[string][]string{}, running: map[string]time.Time{}}
}

// TestProgress: what go test says becomes one format, and the end counts and repeats what
// has failed.
func TestProgress(t *testing.T) {
	const passing = `{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Test":"TestX","Output":"noise\n"}
{"Action":"pass","Package":"m/a","Test":"TestX","Elapsed":1}
{"Action":"pass","Package":"m/a","Elapsed":1.25}
`
	for _, tt := range []struct {
		name, events, want string
		offline, green     bool
	}{
		{"passes", passing, `[ 1:23] ok    m/a 1.3s, 2 packages left
1 passed, 0 failed, 0 skipped
`, false, true},
		{"a test fails", `{"Action":"output","Package":"m/a","Test":"TestX","Output":"    x_test.go:1: no\n"}
{"Action":"fail","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Output":"FAIL\n"}
{"Action":"fail","Package":"m/a"}
`, `[ 1:23] FAIL  m/a TestX
            x_test.go:1: no
[ 1:23] FAIL  m/a, 2 packages left
[ 1:23] FAIL  m/a TestX
0 passed, 1 failed, 0 skipped
m/a TestX
            x_test.go:1: no
`, false, false},
		{"a package does not build", `{"ImportPath":"m/a","Action":"build-output","Output":"a.go:1: syntax\n"}
{"ImportPath":"m/a","Action":"build-fail"}
{"Action":"output","Package":"m/a","Output":"FAIL m/a [build failed]\n"}
{"Action":"fail","Package":"m/a","Elapsed":0,"FailedBuild":"m/a"}
`, `[ 1:23] FAIL  m/a
        a.go:1: syntax
        FAIL m/a [build failed]
[ 1:23] FAIL  m/a
0 passed, 1 failed, 0 skipped
m/a
        a.go:1: syntax
        FAIL m/a [build failed]
`, false, false},
		{"a package that dies", `{"Action":"run","Package":"m/a","Test":"TestX"}
{"Action":"run","Package":"m/a","Test":"TestY"}
{"Action":"output","Package":"m/a","Test":"TestX","Output":"well\n"}
{"Action":"output","Package":"m/b","Test":"TestZ","Output":"of another\n"}
{"Action":"output","Package":"m/a","Test":"TestY","Output":"panic: test timed out after 14m0s\n"}
{"Action":"pass","Package":"m/a","Test":"TestX"}
{"Action":"output","Package":"m/a","Output":"FAIL m/a 840.0s\n"}
{"Action":"fail","Package":"m/a"}
`, `[ 1:23] FAIL  m/a
        panic: test timed out after 14m0s
        FAIL m/a 840.0s
[ 1:23] FAIL  m/a
1 passed, 1 failed, 0 skipped
m/a
        panic: test timed out after 14m0s
        FAIL m/a 840.0s
`, false, false},
		{"a package that dies behind a test that fails", `{"Action":"fail","Package":"m/a","Test":"TestX"}
{"Action":"run","Package":"m/a","Test":"TestY"}
{"Action":"output","Package":"m/a","Test":"TestY","Output":"=== RUN   TestY\n"}
{"Action":"output","Package":"m/a","Output":"signal: killed\n"}
{"Action":"fail","Package":"m/a"}
`, `[ 1:23] FAIL  m/a TestX
[ 1:23] FAIL  m/a
        === RUN   TestY
        signal: killed
[ 1:23] FAIL  m/a TestX
[ 1:23] FAIL  m/a
0 passed, 2 failed, 0 skipped
m/a
        signal: killed
`, false, false},
		{"nothing ran", `go: no such package
{"Action":"skip","Package":"m/a"}
`, `[ 1:23]       go: no such package
0 passed, 0 failed, 0 skipped
`, false, false},
		{"a skip for want of something", passing + `{"Action":"output","Package":"m/a","Test":"TestY","Output":"=== RUN TestY\n"}
{"Action":"output","Package":"m/a","Test":"TestY","Output":"    y_test.go:1: no kernel\n"}
{"Action":"skip","Package":"m/a","Test":"TestY"}
`, `[ 1:23] ok    m/a 1.3s, 2 packages left
[ 1:23] SKIP  m/a TestY: y_test.go:1: no kernel
[ 1:23] FAIL  what is skipped for want of something fails the run; ALPINEVM_OFFLINE=1 allows it where there is no network
1 passed, 0 failed, 1 skipped
`, false, false},
		{"the same, offline", passing + `{"Action":"skip","Package":"m/a","Test":"TestY"}
`, `[ 1:23] ok    m/a 1.3s, 2 packages left
[ 1:23] SKIP  m/a TestY: no reason given
1 passed, 0 failed, 1 skipped
`, true, true},
		{"a skip that is right here", passing + `{"Action":"output","Package":"m/a","Test":"TestY","Output":"    y_test.go:1: not here: root\n"}
{"Action":"skip","Package":"m/a","Test":"TestY"}
`, `[ 1:23] ok    m/a 1.3s, 2 packages left
[ 1:23] SKIP  m/a TestY: y_test.go:1: not here: root
1 passed, 0 failed, 1 skipped
`, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, out := testGate(t)
			g.offline = tt.offline
			p := testProgress(g, "", 3)
			for l := range strings.Lines(tt.events) {
				p.line(strings.TrimSuffix(l, "\n"))
			}
			if green := g.finish(); green != tt.green || out.String() != tt.want {
				t.Errorf("green: %v\n%s\nwant\n%s", green, out, tt.want)
			}
		})
	}
}

// TestAgain: what one run skips and a later one does is not skipped.
func TestAgain(t *testing.T) {
	g, out := testGate(t)
	for _, again := range []bool{true, false} {
		p := testProgress(g, "", 1)
		p.again = again
		p.line(`{"Action":"skip","Package":"m/a","Test":"TestX"}`)
		p.line(`{"Action":"pass","Package":"m/a","Test":"TestY"}`)
	}
	g.finish()
	if want := "2 passed, 0 failed, 1 skipped\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("%s\nwant %s", out, want)
	}
}

// TestRepeated: what a test says at its end is repeated at the gate's, each test's own and
// not more than a part of it.
func TestRepeated(t *testing.T) {
	g, out := testGate(t)
	p := testProgress(g, "race: ", 1)
	say := func(test, text string) {
		p.line(fmt.Sprintf(`{"Action":"output","Package":"m/a","Test":%q,"Output":%q}`, test, text+"\n"))
	}
	for i := range 100 { // of two tests at a time
		say("TestLong", fmt.Sprint("long ", i))
		say("TestShort", "=== CONT  TestShort")
		say("TestGood", "good")
	}
	say("TestLong", "x_test.go:1")
	for range lastLines {
		say("TestLong", "goroutine")
	}
	say("TestShort", "short")
	for _, e := range []string{"fail TestLong", "pass TestGood", "fail TestShort"} {
		action, test, _ := strings.Cut(e, " ")
		p.line(fmt.Sprintf(`{"Action":%q,"Package":"m/a","Test":%q}`, action, test))
	}
	g.finish()
	_, end, _ := strings.Cut(out.String(), "1 passed, 2 failed, 0 skipped\n")
	want := "race: m/a TestLong\n"
	for i := range firstLines {
		want += fmt.Sprintf("        long %d\n", i)
	}
	want += "        ... 91 lines ...\n        x_test.go:1\n" + strings.Repeat("        goroutine\n", lastLines)
	want += "race: m/a TestShort\n        short\n"
	if end != want {
		t.Errorf("the end is\n%s\nwant\n%s", end, want)
	}
}

// TestHeartbeat: after half a minute without a line it says what runs, the longest first.
func TestHeartbeat(t *testing.T) {
	g, out := testGate(t)
	p := testProgress(g, "race: ", 2)
	p.later = 3
	g.report.expect(p.waiting)
	g.report.beat()
	if want := "[ 1:23] ...   race: building; 5 packages left\n"; out.String() != want {
		t.Errorf("%q, want %q", out, want)
	}
	g.report.beat() // at once after another line
	now := g.report.now()
	g.report.now = func() time.Time { return now }
	for _, key := range []string{"start  m/a", "run TestX m/a", "start  m/b", "run TestX/y m/a", "run TestZ m/a", "pass TestZ m/a"} {
		f := strings.Split(key, " ")
		now = now.Add(time.Second)
		p.line(`{"Action":"` + f[0] + `","Test":"` + f[1] + `","Package":"` + f[2] + `"}`)
	}
	if got := p.waiting(); got != "race: m/b 3s, m/a TestX/y 2s; 5 packages left" {
		t.Errorf("it waits for %q", got)
	}
	if n := strings.Count(out.String(), "..."); n != 1 {
		t.Errorf("%d beats", n)
	}
}

// TestChecks: a check that fails stops the run before the tests; one that cannot be made
// offline is skipped by name.
func TestChecks(t *testing.T) {
	for _, tt := range []struct {
		name    string
		err     error
		offline bool
		want    string
	}{
		{"fine", nil, false, "1 passed, 0 failed, 0 skipped\n"},
		{"found", errors.New("a.go:1: bad"), true, "        a.go:1: bad\n[ 1:23] FAIL  check\n0 passed, 1 failed, 0 skipped\ncheck\n        a.go:1: bad\n"},
		{"missing", missingError("no network"), false, "        no network\n[ 1:23] FAIL  check\n0 passed, 1 failed, 0 skipped\ncheck\n        no network\n"},
		{"missing, offline", missingError("no network"), true, "[ 1:23] SKIP  check\n[ 1:23] SKIP  check: no network\n0 passed, 0 failed, 1 skipped\n"},
	} {
		g, out := testGate(t)
		g.offline = tt.offline
		g.check(step{"check", func(*gate) error { return tt.err }}, 1, 2)
		g.finish()
		if !strings.HasPrefix(out.String(), "[ 1:23] step  1 of 2: check\n") || !strings.HasSuffix(out.String(), tt.want) {
			t.Errorf("%s:\n%s", tt.name, out)
		}
	}
}

// TestSources: gofmt and go generate see what they should.
func TestSources(t *testing.T) {
	t.Chdir(t.TempDir())
	g, _ := testGate(t)
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module m\n")
	write("a.go", "package m\n\n//go:generate cp text b.go\n")
	write("text", "package m\n")
	write("b.go", "package  m\n")
	if err := gofmt(g); err == nil || err.Error() != "gofmt -w b.go" {
		t.Errorf("gofmt: %v", err)
	}
	if err := generate(g); err == nil || !strings.Contains(err.Error(), "go generate changed b.go") {
		t.Errorf("the first go generate: %v", err)
	}
	if err := errors.Join(generate(g), gofmt(g)); err != nil {
		t.Errorf("the second: %v", err)
	}
}

// TestGoCached: offline, what the module cache lacks is left out, and what is wrong is not.
func TestGoCached(t *testing.T) {
	t.Setenv("GOMODCACHE", t.TempDir())
	g, _ := testGate(t)
	g.offline = true
	var missing missingError
	if err := goCached("run", staticcheck, "-version")(g); !errors.As(err, &missing) {
		t.Errorf("staticcheck: %v", err)
	}
	if err := goCached("run", "./nosuch")(g); err == nil || errors.As(err, &missing) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestJS: the run under js runs as WebAssembly, tells what it skips, and without Node.js
// it is skipped for want of it.
func TestJS(t *testing.T) {
	if !installed("node") {
		t.Skip("there is no node: scripts/tools.sh installs it")
	}
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod": "module m\n",
		"a_test.go": `package m

import (
	"runtime"
	"testing"
)

func TestHost(t *testing.T) {
	if runtime.GOOS != "js" || runtime.GOARCH != "wasm" {
		t.Error(runtime.GOOS, runtime.GOARCH)
	}
}

func TestSkip(t *testing.T) { t.Skip("not here: no folders") }
`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	g, out := testGate(t)
	g.runTests(g.js([]string{"."}))
	if !g.finish() || !strings.Contains(out.String(), "SKIP  js: m TestSkip: a_test.go:14: not here: no folders\n1 passed, 0 failed, 1 skipped\n") {
		t.Error(out)
	}
	t.Setenv("PATH", "")
	g, out = testGate(t)
	runs := g.js([]string{"."})
	if g.finish() || runs != nil || !strings.Contains(out.String(), "SKIP  tests under js: there is no node\n") {
		t.Error(out)
	}
}

// TestInPage: what runs under js is in the page's program.
func TestInPage(t *testing.T) {
	list := func(args ...string) []string {
		cmd := exec.Command("go", append([]string{"list"}, args...)...)
		cmd.Dir, cmd.Env = "../..", append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	page := list("-deps", "-tags=web", "./cmd/alpinevm-web")
	for _, p := range list(inPage...) {
		if !slices.Contains(page, p) {
			t.Errorf("%s is not in the page", p)
		}
	}
}
