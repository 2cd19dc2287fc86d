package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// event is one line of go test -json.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	Elapsed     float64
	ImportPath  string // of what is built
	FailedBuild string // the ImportPath for whose sake a package has failed
}

// testRun is one go test.
type testRun struct {
	label    string // before the names of its packages
	again    bool   // all of it runs once more in a later run, which tells what is skipped
	env      []string
	args     []string
	packages []string
}

// runTests does the runs one after the other. The packages that are left are of all.
func (g *gate) runTests(runs []testRun) {
	left := make([]int, len(runs))
	for i, r := range runs {
		out, err := g.output(g.command(r.env, g.goCommand, append([]string{"list"}, r.packages...)...))
		if err != nil {
			g.fail("go list", out)
			return
		}
		left[i] = strings.Count(out, "\n")
	}
	for i, r := range runs {
		p := &progress{gate: g, label: r.label, again: r.again, left: left[i], broken: map[string]bool{},
			output: map[string][]string{}, running: map[string]time.Time{}}
		for _, n := range left[i+1:] {
			p.later += n
		}
		g.report.expect(p.waiting)
		args := slices.Concat([]string{"test", "-json"}, r.args, r.packages)
		err := g.lines(g.command(r.env, g.goCommand, args...), p.line)
		g.report.expect(nil)
		if err != nil && !p.told && g.ctx.Err() == nil {
			g.fail(r.label+"go test", err.Error())
		}
	}
}

// progress follows one run of tests.
type progress struct {
	*gate
	label   string
	again   bool
	left    int                  // packages that are not done
	later   int                  // packages of later runs
	told    bool                 // of a failure
	broken  map[string]bool      // packages with a test that failed
	output  map[string][]string  // by package and test, or by what is built
	running map[string]time.Time // packages and tests, since when
}

// remaining tells how many packages are to come.
func (p *progress) remaining() string {
	n := max(p.left, 0) + p.later
	if n == 1 {
		return "1 package left"
	}
	return fmt.Sprintf("%d packages left", n)
}

// waiting tells what runs, the longest first.
func (p *progress) waiting() string {
	now := p.report.now()
	names := make([]string, 0, len(p.running))
	for name := range p.running {
		if !p.hasInner(name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(p.running[a].Compare(p.running[b]), strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %v", name, now.Sub(p.running[name]).Round(time.Second))
	}
	if len(names) == 0 {
		names = []string{"building"}
	}
	const most = 4
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	return p.label + strings.Join(names, ", ") + "; " + p.remaining()
}

// hasInner says that a test of the package, or a part of the test, is what runs.
func (p *progress) hasInner(name string) bool {
	for other := range p.running {
		if strings.HasPrefix(other, name+" ") || strings.HasPrefix(other, name+"/") && strings.Contains(name, " ") {
			return true
		}
	}
	return false
}

// line takes one line of what go test prints.
func (p *progress) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		p.report.line("", "%s", line) // what go itself says
		return
	}
	p.report.mu.Lock()
	p.follow(&e)
	p.report.mu.Unlock()
	switch e.Action {
	case "output":
		key := e.key()
		p.output[key] = append(p.output[key], e.Output)
	case "build-output":
		key := building + e.ImportPath
		p.output[key] = append(p.output[key], e.Output)
	case "pass", "fail", "skip":
		p.end(&e)
		delete(p.output, e.key())
	}
}

// building comes before the ImportPath of what is built.
const building = "build of "

func (e *event) key() string { return strings.TrimSpace(e.Package + " " + e.Test) }

// follow keeps what runs and how much is left; the heartbeat reads it.
func (p *progress) follow(e *event) {
	switch e.Action {
	case "start", "run", "cont":
		p.running[e.key()] = p.report.now()
	case "pause":
		delete(p.running, e.key())
	case "pass", "fail", "skip":
		delete(p.running, e.key())
		if e.Test == "" {
			p.left--
			maps.DeleteFunc(p.running, func(key string, _ time.Time) bool { return strings.HasPrefix(key, e.Package+" ") })
		}
	}
}

// end counts a test, or tells of a package, that has ended.
func (p *progress) end(e *event) {
	output := p.output[e.key()]
	name := p.label + e.key()
	var unfinished []string
	if e.Action == "fail" && e.Test == "" {
		unfinished = p.unfinished(e.Package)
	}
	switch {
	case e.Action == "fail" && e.Test == "" && p.broken[e.Package] && len(unfinished) == 0:
		p.report.line("FAIL", "%s, %s", name, p.remaining())
	case e.Action == "fail": // a test, or a package that does not build or dies
		p.told, p.broken[e.Package] = true, true
		output = slices.Concat(unfinished, output)
		p.fail(name, strings.Join(slices.Concat(p.output[building+e.FailedBuild], output), ""))
	case e.Action == "pass" && e.Test != "":
		p.passed++
	case e.Action == "skip" && e.Test != "" && !p.again:
		p.skip(name, reason(output))
	case e.Action == "pass":
		d := time.Duration(e.Elapsed * float64(time.Second)).Round(100 * time.Millisecond)
		p.report.line("ok", "%s %v, %s", name, d, p.remaining())
	}
}

// unfinished is what the tests of a package have said that did not come to an end: the
// panic of one, or of go test for the time that all have taken, is among it.
func (p *progress) unfinished(pkg string) (output []string) {
	for _, key := range slices.Sorted(maps.Keys(p.output)) {
		if strings.HasPrefix(key, pkg+" ") {
			output = append(output, p.output[key]...)
			delete(p.output, key)
		}
	}
	return output
}

// reason is what the test said before it skipped.
func reason(output []string) string {
	for _, o := range output {
		o = strings.TrimSpace(o)
		if o != "" && !strings.HasPrefix(o, "===") && !strings.HasPrefix(o, "---") {
			return o
		}
	}
	return "no reason given"
}
