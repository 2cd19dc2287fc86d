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
