package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/docker/go-units"
	"golang.org/x/term"

	"alpinevm/fs9p/oci/store"
	"alpinevm/launch"
)

// newProgress shows progress on out: bars on a terminal, a line for each step
// that has ended elsewhere, nothing if quiet. The title goes above the first
// step. finish ends the display.
func newProgress(out *os.File, quiet bool, title string) (p store.Progress, finish func()) {
	if quiet {
		return nil, func() {}
	}
	p, finish = &lines{w: out}, func() {}
	if term.IsTerminal(int(out.Fd())) {
		p, finish = newBars(out)
	}
	return &titled{Progress: p, title: func() { fmt.Fprintln(out, title) }}, finish
}

// showProgress shows progress on standard error.
func showProgress(quiet bool) launch.Progress {
	return func(title string) (store.Progress, func()) { return newProgress(os.Stderr, quiet, title) }
}

// titled prints a title before the first step.
type titled struct {
	store.Progress
	once  sync.Once
	title func()
}

// Begin is part of store.Progress.
func (t *titled) Begin(verb, what string, size int64) store.Step {
	t.once.Do(t.title)
	return t.Progress.Begin(verb, what, size)
}

// lines is the progress of those who do not look.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

// done is what is said of a step that has ended, by its verb.
var done = map[string]string{"download": "downloaded", "unpack": "unpacked", "index": "indexed", "check": "checked", "wait": "waited as it asks"}

// Begin is part of store.Progress.
func (l *lines) Begin(verb, what string, size int64) store.Step {
	text := fmt.Sprintf("%s: %s", what, done[verb])
	if verb == "download" && size >= 0 {
		text += ", " + units.HumanSizeWithPrecision(float64(size), 3)
	}
	return &line{l, text}
}

type line struct {
	to   *lines
	text string
}

// Add is part of store.Step.
func (l *line) Add(int64) {}

// End is part of store.Step.
func (l *line) End(err error) {
	if err == nil {
		l.to.mu.Lock()
		defer l.to.mu.Unlock()
		fmt.Fprintln(l.to.w, l.text)
	}
}
