package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// gate is one run.
type gate struct {
	ctx       context.Context
	report    *report
	goCommand string
	offline   bool // what the network has is left out, by name

	passed, skipped int
	missing         int // of skipped: for want of something that can be had
	skips           []string
	failures        []failure
}

// failure is what failed, and what it said.
type failure struct {
	name   string
	output []string // lines
}

// step is a check before the tests. Its error is what it found; a missingError skips it.
type step struct {
	name string
	run  func(*gate) error
}

// missingError says what a check would need.
type missingError string

func (e missingError) Error() string { return string(e) }

// notHere begins the reason of a skip that is right on this host: another user or host
// runs the test, or a flag asks for it.
const notHere = "not here: "

// check does step n of many.
func (g *gate) check(s step, n, of int) {
	if g.ctx.Err() != nil {
		return
	}
	g.report.line("step", "%d of %d: %s", n, of, s.name)
	began := time.Now()
	g.report.expect(func() string { return s.name })
	err := s.run(g)
	g.report.expect(nil)
	var missing missingError
	switch {
	case err == nil:
		g.passed++
		g.report.line("ok", "%s %v", s.name, took(began))
	case g.offline && errors.As(err, &missing):
		g.report.line("SKIP", "%s", s.name)
		g.skip(s.name, string(missing))
	default:
		g.fail(s.name, err.Error())
	}
}

func took(began time.Time) time.Duration { return time.Since(began).Round(100 * time.Millisecond) }

// skip notes what was not done, and why.
func (g *gate) skip(name, why string) {
	g.skipped++
	if !strings.Contains(why, notHere) {
		g.missing++
	}
	g.skips = append(g.skips, name+": "+why)
}

// fail tells of what failed, and what it said.
func (g *gate) fail(name, output string) {
	f := failure{name: name}
	for l := range strings.Lines(strings.Trim(output, "\n")) {
		if !strings.HasPrefix(l, "=== ") { // go test says which test goes on
			f.output = append(f.output, strings.TrimRight(l, "\n"))
		}
	}
	g.failures = append(g.failures, f)
	g.report.line("FAIL", "%s", name)
	g.report.details(output)
}

// What is repeated of each failure: its first lines name a panic, its last ones say most,
// and of goroutines those between tell where a test stood.
const firstLines, testLines, lastLines = 10, 10, 20

// again is the failure once more, in as many lines at most.
func (f *failure) again() string {
	lines := f.output
	if len(lines) > firstLines+lastLines {
		between := lines[firstLines : len(lines)-lastLines]
		more := []string{fmt.Sprintf("... %d lines ...", len(between))}
		for _, l := range between {
			if strings.Contains(l, "_test.go:") && len(more) <= testLines {
				more = append(more, l)
			}
		}
		lines = slices.Concat(lines[:firstLines], more, lines[len(lines)-lastLines:])
	}
	return strings.Join(lines, "\n")
}

// finish prints the end and says whether the run is green.
func (g *gate) finish() bool {
	for _, l := range g.skips {
		g.report.line("SKIP", "%s", l)
	}
	if g.missing > 0 && !g.offline {
		g.report.line("FAIL", "what is skipped for want of something fails the run; ALPINEVM_OFFLINE=1 allows it where there is no network")
	}
	if g.ctx.Err() != nil {
		g.failures = append(g.failures, failure{name: "interrupted"})
	}
	for _, f := range g.failures {
		g.report.line("FAIL", "%s", f.name)
	}
	fmt.Fprintf(g.report.w, "%d passed, %d failed, %d skipped\n", g.passed, len(g.failures), g.skipped)
	for _, f := range g.failures { // once more, as a log may be cut to its end
		if text := f.again(); text != "" {
			fmt.Fprintln(g.report.w, f.name)
			g.report.details(text)
		}
	}
	return len(g.failures) == 0 && g.passed > 0 && (g.missing == 0 || g.offline)
}

// command makes one that ends with the run, and its own children with it.
func (g *gate) command(env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(g.ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// lines runs a command and hands out what it prints, both streams, a line at a time.
func (g *gate) lines(cmd *exec.Cmd, each func(string)) error {
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	done := make(chan error, 1)
	go func() {
		err := cmd.Run()
		w.Close()
		done <- err
	}()
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			each(strings.TrimRight(line, "\n"))
		}
		if err != nil {
			return <-done
		}
	}
}

// output runs a command for what it prints.
func (g *gate) output(cmd *exec.Cmd) (string, error) {
	var out strings.Builder
	err := g.lines(cmd, func(l string) { out.WriteString(l + "\n") })
	return out.String(), err
}

// found makes an error of a command that failed, with what it printed.
func found(cmd *exec.Cmd, out string, err error) error {
	if err == nil {
		return nil
	}
	if strings.TrimSpace(out) != "" {
		return errors.New(out)
	}
	return fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
}
