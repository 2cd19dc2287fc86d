package ctl

import (
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// TestQueue: each opening takes one record, in order; what a flushed read would
// have got, the next one gets.
func TestQueue(t *testing.T) {
	var q *Queue
	var taken []string
	c := serve(t, func(fs *FS) {
		q = fs.Queue("jobs", 0o400, 4)
		q.Taken = func(r []byte) { taken = append(taken, string(r)) }
	})
	if a := c.StatAt(c.Root, "jobs"); a.Attr.Size != 4 {
		t.Errorf("size %d", a.Attr.Size)
	}
	q.Put([]byte("one "))
	q.Put([]byte("gone"))
	q.Put([]byte("two "))
	if !q.Withdraw([]byte("gone")) || q.Withdraw([]byte("gone")) {
		t.Error("a record can be taken back once")
	}
	for _, want := range []string{"one ", "two "} {
		if got := c.Cat(c.Root, "jobs"); got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	fid := c.MustOpen(c.Root, "jobs", fs9p.ORdonly)
	flushed := c.Send(1, &fs9p.Tread{Fid: fid, Count: 4})
	if !q.Awaited() {
		t.Error("nobody waits")
	}
	c.Send(2, &fs9p.Tflush{OldTag: 1})
	q.Put([]byte("tres"))
	if flushed.Message != nil {
		t.Errorf("a flushed read got %+v", flushed.Message)
	}
	if p, _ := c.Read(fid, 1, 2); string(p) != "re" {
		t.Errorf("read %q", p)
	}
	if p, _ := c.Read(fid, 0, 4); string(p) != "tres" {
		t.Errorf("read %q again", p)
	}
	waits := c.Send(3, &fs9p.Tread{Fid: c.MustOpen(c.Root, "jobs", fs9p.ORdonly), Count: 4})
	q.Put([]byte("four"))
	if r, ok := waits.Message.(*fs9p.Rread); !ok || string(r.Data) != "four" {
		t.Errorf("%+v", waits.Message)
	}
	if got := strings.Join(taken, ","); got != "one ,two ,tres,four" {
		t.Errorf("taken %s", got)
	}
	n := 0
	for q.Put([]byte("more")) {
		n++
	}
	if n != queueRoom/4 {
		t.Errorf("room for %d records", n)
	}
}

// TestPatience: with it every read that waits is answered by nothing, and can be
// made again.
func TestPatience(t *testing.T) {
	var c *fstest.Client
	fs := New(Config{Post: func(f func()) { c.Post(f) }, Patience: time.Millisecond})
	fs.Queue("jobs", 0o400, 4)
	fs.Signal("shutdown", 0o400, "poweroff\n")
	fs.Chunks("next", "data", 0o400, never{})
	c = fstest.Dial(t, fs9p.Config{FS: fs})
	for _, name := range []string{"jobs", "shutdown", "next"} {
		fid := c.MustOpen(c.Root, name, fs9p.ORdonly)
		for range 3 {
			if r := c.Await(c.Send(1, &fs9p.Tread{Fid: fid, Count: 1})).(*fs9p.Rread); len(r.Data) != 0 {
				t.Errorf("%s: read %q", name, r.Data)
			}
		}
	}
}

// never is a stream on which nothing comes.
type never struct{}

func (never) Read([]byte) (int, error) { select {} }

// TestRemove: a folder goes with what it remembers; what is open stays.
func TestRemove(t *testing.T) {
	var fs *FS
	ended := 0
	c := serve(t, func(f *FS) {
		fs = f
		f.Static("first/run", 0o500, []byte("program"))
		f.Report("first/end", 0o200, func([]byte) error { return nil }, func() { ended++ })
		f.Note("first/said", 0o200)
		f.Static("second/run", 0o500, []byte("another"))
		f.Note("second/said", 0o200)
	})
	fid, end := c.MustOpen(c.Root, "first/run", fs9p.ORdonly), c.MustOpen(c.Root, "first/end", fs9p.OWronly)
	number := fs.Number()
	fs.Remove("first")
	if list := strings.Join(c.List(c.Root, ""), " "); list != "second" {
		t.Errorf("listed %q", list)
	}
	if p, _ := c.Read(fid, 0, 10); string(p) != "program" {
		t.Errorf("read %q", p)
	}
	if c.Clunk(end); ended != 1 {
		t.Errorf("ended %d times", ended)
	}
	if s := fs.Save(); len(s.Files) != 1 || s.Files[0].Name != "second/said" {
		t.Errorf("saved %+v", s.Files)
	}
	if fs.Static("third", 0o400, nil); c.StatAt(c.Root, "third").QID.Path != number {
		t.Error("a number was given twice")
	}
}
