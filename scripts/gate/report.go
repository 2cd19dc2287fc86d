package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// quiet is how long nothing is said before the report tells what it waits for.
const quiet = 30 * time.Second

// report prints what happens, a line each, with the time so far.
type report struct {
	w   io.Writer
	now func() time.Time

	mu      sync.Mutex
	start   time.Time
	last    time.Time     // of the last line
	waiting func() string // for what; "" for nothing worth a line
}

func newReport(w io.Writer) *report {
	return &report{w: w, now: time.Now, start: time.Now(), last: time.Now()}
}

// line prints one: a word of up to five letters, and what it is about.
func (r *report) line(word, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.print(word, fmt.Sprintf(format, args...))
}

func (r *report) print(word, text string) {
	r.last = r.now()
	d := r.last.Sub(r.start)
	fmt.Fprintf(r.w, "[%2d:%02d] %-5s %s\n", int(d.Minutes()), int(d.Seconds())%60, word, text)
}

// details prints lines that belong to the one before.
func (r *report) details(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for l := range strings.Lines(strings.TrimRight(text, "\n")) {
		fmt.Fprintf(r.w, "        %s\n", strings.TrimRight(l, "\n"))
	}
}

// expect sets what is waited for.
func (r *report) expect(f func() string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = f
}

// beat says what is waited for if nothing was said for a while.
func (r *report) beat() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil || r.now().Sub(r.last) < quiet {
		return
	}
	if text := r.waiting(); text != "" {
		r.print("...", text)
	}
}

// heartbeat beats until the function that it returns is called.
func (r *report) heartbeat() (stop func()) {
	tick, done := time.NewTicker(time.Second), make(chan struct{})
	go func() {
		for {
			select {
			case <-tick.C:
				r.beat()
			case <-done:
				return
			}
		}
	}()
	return func() {
		tick.Stop()
		close(done)
	}
}
