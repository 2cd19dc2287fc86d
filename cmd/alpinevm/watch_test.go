package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"alpinevm"
)

// TestPatience asks guests to end that do not know how to.
func TestPatience(t *testing.T) {
	for _, tt := range []struct {
		name   string
		code   []byte // at the reset vector
		grace  time.Duration
		signal time.Duration // when another signal comes; 0: never
		least  time.Duration
		noted  bool
	}{
		{name: "busy", code: []byte{0xeb, 0xfe}, grace: 300 * time.Millisecond, least: 300 * time.Millisecond, noted: true},
		{name: "idle", code: []byte{0xfb, 0xf4, 0xeb, 0xfd}, grace: 300 * time.Millisecond, least: 300 * time.Millisecond, noted: true},
		{name: "none", code: []byte{0xeb, 0xfe}},
		{name: "the same signal again", code: []byte{0xeb, 0xfe}, grace: time.Second, signal: time.Nanosecond, least: time.Second, noted: true},
		{name: "another signal", code: []byte{0xeb, 0xfe}, grace: time.Hour, signal: 3 * sameSignal, least: sameSignal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rom := make([]byte, 64<<10)
			copy(rom[0xfff0:], tt.code)
			m, err := alpinevm.New(alpinevm.Config{Boot: alpinevm.Boot{Firmware: rom}})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			noted := false
			abandoned := make(chan int, 1)
			w := newWatch(cancel, tt.grace)
			w.m, w.note, w.abandon = m, func(string, ...any) { noted = true }, func(code int) { abandoned <- code }
			done := make(chan struct{})
			start := time.Now()
			if tt.signal > 0 {
				defer time.AfterFunc(tt.signal, func() { w.signals <- syscall.SIGTERM }).Stop()
			}
			go func() {
				defer close(done)
				w.end(errTimeout, nil)
			}()
			if _, err := m.Run(ctx); !errors.Is(err, errTimeout) {
				t.Error(err)
			}
			<-done
			if d := time.Since(start); d < tt.least || noted != tt.noted {
				t.Errorf("ended after %v, noted %v", d, noted)
			}
			if code := <-abandoned; code != exitTimeout {
				t.Errorf("a process that does not end is ended with code %d", code)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	from := usage{instructions: 1e9, waited: time.Second}
	for _, tt := range []struct {
		u    usage
		want time.Duration
	}{
		{from, 0},
		{usage{1e9 + graceRate, time.Second}, time.Second},
		{usage{1e9, 4 * time.Second}, 3 * time.Second},
		{usage{1e9 + 2*graceRate, 4 * time.Second}, 5 * time.Second},
	} {
		if got := tt.u.since(from); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.u, got, tt.want)
		}
	}
}

// TestWatchEnds: signals that come while a machine's files are closed end this process
// after a while, requests to stop do not; and what takes its time is spared.
func TestWatchEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		by   os.Signal
		code int // 0: goes on
	}{
		{"interrupt", os.Interrupt, 128 + 2},
		{"stop", stopRequest(15), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			abandoned := make(chan int, 1)
			w := newWatch(func(error) {}, 0)
			defer w.close()
			w.abandon = func(code int) { abandoned <- code }
			w.limit = newMemoryLimit(1<<20, 0)
			w.start(0)
			w.ends()
			for range 2 { // when the second is taken, the first has been looked at
				w.signals <- tt.by
				for end := time.Now().Add(patience); len(w.signals) > 0; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatal("nobody looks at signals")
					}
				}
			}
			w.mu.Lock()
			late := w.late != nil
			w.mu.Unlock()
			if late != (tt.code != 0) {
				t.Fatalf("the process is to end: %v", late)
			}
			if !late {
				return
			}
			if err := w.spare(func() error { return errTimeout }); err != errTimeout {
				t.Error(err)
			}
			if code := <-abandoned; code != tt.code {
				t.Errorf("code %d, want %d", code, tt.code)
			}
		})
	}
}
