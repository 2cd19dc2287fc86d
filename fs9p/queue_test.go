package fs9p

import (
	"strings"
	"testing"
	"time"
)

// broken is a slow file system with a bug.
type broken struct{}

func (broken) Slow() bool                  { return true }
func (broken) Attach(string) (Node, error) { panic("BUG: on purpose") }
func (broken) Statfs() (Statfs, error)     { return Statfs{}, nil }

// TestQueuePanic: a panic comes to the machine goroutine, and the session can
// still be closed.
func TestQueuePanic(t *testing.T) {
	posted := make(chan func(), 10)
	s := New(Config{FS: broken{}, Post: func(f func()) { posted <- f }})
	for _, m := range []Message{&Tversion{Msize: 8192, Version: "9P2000.L"}, &Tattach{Fid: 1, AFid: 1<<32 - 1}} {
		s.Serve(Append(nil, 1, m), func([]byte) {})
	}
	defer func() {
		v, _ := recover().(string)
		if !strings.Contains(v, "BUG: on purpose") || !strings.Contains(v, "broken.Attach") {
			t.Errorf("the panic was %q", v)
		}
		s.Close()
	}()
	for {
		select {
		case f := <-posted:
			f()
		case <-time.After(10 * time.Second):
			t.Fatal("the panic was not posted")
		}
	}
}

// TestQueueKeep: requests that wait are apart from each other and from the
// device's memory, and what was served makes room for the next.
func TestQueueKeep(t *testing.T) {
	q := &queue{}
	device := []byte("one")
	first := q.keep(device)
	copy(device, "two")
	second := q.keep(device)
	if string(first) != "one" || string(second) != "two" {
		t.Fatalf("kept %q and %q", first, second)
	}
	q.release(second)
	if third := q.keep([]byte("3")); string(third) != "3" || &third[0] != &second[0] {
		t.Errorf("%q is not where %q was", third, second)
	}
	if string(first) != "one" {
		t.Errorf("what waits has become %q", first)
	}
	for range 2 * maxFree {
		q.release(make([]byte, 1))
	}
	if len(q.spare) != maxFree {
		t.Errorf("%d are spare", len(q.spare))
	}
}
