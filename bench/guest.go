package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"alpinevm"
)

// Guest is where a step ran that ran in the machine.
const Guest = "guest"

// A guest's script tells on standard output where it is, by lines of their own:
const (
	markBegin  = "@begin "  // and the step's name
	markEnd    = "@end "    // and the step's name
	markFailed = "@failed " // and the step's name and exit status
)

// stepScript defines step, which runs and reports one step in a shell script.
const stepScript = `step() {
	name=$1
	shift
	echo "` + markBegin + `$name"
	"$@" >&2 || { s=$?; echo "` + markFailed + `$name $s"; exit 1; }
	echo "` + markEnd + `$name"
}
`

// runGuest runs the shell script in a machine made of cfg and adds its steps to
// r. report is told of each line and step as it comes. What the guest says on
// standard error is in the error of a step that fails.
func runGuest(ctx context.Context, cfg alpinevm.Config, script string, r *Result, report func(string)) error {
	pr, pw := io.Pipe()
	var errs tail
	cfg.Args = []string{"/bin/sh", "-c", stepScript + script}
	cfg.Stdin, cfg.Stdout, cfg.Stderr, cfg.Terminal = nil, pw, &errs, nil
	m, err := alpinevm.New(cfg)
	if err != nil {
		return err
	}
	defer m.Close()
	marks := &marker{m: m, r: r, report: report}
	var done sync.WaitGroup
	done.Go(func() { marks.read(pr) })
	end, err := m.Run(ctx)
	pw.Close()
	done.Wait()
	switch {
	case err != nil:
		return err
	case marks.failed != "":
		return fmt.Errorf("%s: exit status %s in the guest:\n%s", r.Workload, marks.failed, errs.String())
	case end.Cause != alpinevm.Exited || end.Code != 0:
		return fmt.Errorf("%s: the guest ended by %v %d:\n%s%s", r.Workload, end.Cause, end.Code, errs.String(), end.Detail)
	}
	return nil
}

// marker follows a guest's marks.
type marker struct {
	m      *alpinevm.Machine
	r      *Result
	report func(string)
	failed string
}

// now is the time and the count of instructions; a machine that has ended
// answers no more.
func (k *marker) now() (time.Time, uint64) {
	c := make(chan uint64, 1)
	k.m.Kick(func() { c <- k.m.Instructions() })
	select {
	case n := <-c:
		return time.Now(), n
	case <-time.After(time.Second):
		return time.Now(), 0
	}
}

func (k *marker) read(r io.Reader) {
	var begin time.Time
	var before uint64
	for s := bufio.NewScanner(r); s.Scan(); {
		line := s.Text()
		if name, ok := strings.CutPrefix(line, markBegin); ok {
			begin, before = k.now()
			k.report(name + " ...")
		} else if name, ok := strings.CutPrefix(line, markEnd); ok {
			t, n := k.now()
			step := Step{Name: name, Where: Guest, Time: t.Sub(begin)}
			if n > before {
				step.Instructions = n - before
			}
			k.r.Steps = append(k.r.Steps, step)
			k.report(fmt.Sprintf("%s: %.2f s, %.3g instructions", name, step.Time.Seconds(), float64(step.Instructions)))
		} else if what, ok := strings.CutPrefix(line, markFailed); ok {
			k.failed = what
		} else {
			k.report(line)
		}
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

const tailSize = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p)
	if n := t.b.Len() - tailSize; n > 0 {
		t.b.Next(n)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
