package ctl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// next does what `read -r size <next` does, a request a byte.
func next(t *testing.T, c *fstest.Client) int {
	t.Helper()
	fid := c.MustOpen(c.Root, "next", fs9p.ORdonly)
	var line []byte
	for off := uint64(0); !bytes.HasSuffix(line, []byte("\n")); off++ {
		p := c.Await(c.Send(50, &fs9p.Tread{Fid: fid, Offset: off, Count: 1})).(*fs9p.Rread).Data
		if len(p) != 1 {
			t.Fatalf("read %q after %q", p, line)
		}
		line = append(line, p...)
	}
	c.Clunk(fid)
	n, err := strconv.Atoi(strings.TrimSpace(string(line)))
	if err != nil || len(line) != 9 {
		t.Fatalf("line %q", line)
	}
	return n
}

// TestChunksExact carries data through as a guest's shell does.
func TestChunksExact(t *testing.T) {
	want := make([]byte, 3<<20+123)
	rand.New(rand.NewSource(1)).Read(want)
	c := serve(t, func(fs *FS) { fs.Chunks("next", "data", 0o400, bytes.NewReader(want)) })
	if a := c.StatAt(c.Root, "next"); a.Attr.Size != 9 {
		t.Errorf("next has %d bytes", a.Attr.Size)
	}
	var got []byte
	for n := next(t, c); n > 0; n = next(t, c) {
		if a := c.StatAt(c.Root, "data"); a.Attr.Size != uint64(n) || n > chunkMax {
			t.Fatalf("data has %d bytes, told were %d", a.Attr.Size, n)
		}
		got = append(got, c.Cat(c.Root, "data")...)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes came through, or others than the %d sent", len(got), len(want))
	}
	if n := next(t, c); n != 0 {
		t.Errorf("%d bytes behind the end", n)
	}
}

func TestChunksWait(t *testing.T) {
	r, w := io.Pipe()
	c := serve(t, func(fs *FS) { fs.Chunks("next", "data", 0o400, r) })
	fid := c.MustOpen(c.Root, "next", fs9p.ORdonly)
	flushed := c.Send(1, &fs9p.Tread{Fid: fid, Count: 1})
	c.Stat(fid) // others are served meanwhile
	if flushed.Done {
		t.Fatal("a read of nothing was answered")
	}
	c.Send(2, &fs9p.Tflush{OldTag: 1})
	read := c.Send(3, &fs9p.Tread{Fid: fid, Count: 100})
	go w.Write([]byte("hello"))
	if s := c.Await(read).(*fs9p.Rread).Data; string(s) != "00000005\n" {
		t.Fatalf("read %q", s)
	}
	if s := c.Cat(c.Root, "data"); s != "hello" {
		t.Errorf("chunk %q", s)
	}
	go w.CloseWithError(errors.New("unplugged"))
	fid = c.MustOpen(c.Root, "next", fs9p.ORdonly)
	if e, ok := c.Await(c.Send(4, &fs9p.Tread{Fid: fid, Count: 1})).(*fs9p.Rlerror); !ok || fs9p.Errno(e.Errno) != fs9p.EIO {
		t.Errorf("error of the host: %+v", e)
	}
}

func TestSignal(t *testing.T) {
	var s *Signal
	asked := 0
	c := serve(t, func(fs *FS) {
		s = fs.Signal("shutdown", 0o400, "poweroff\n")
		s.Asked = func() { asked++ }
	})
	if a := c.StatAt(c.Root, "shutdown"); a.Attr.Size != 9 {
		t.Errorf("size %d", a.Attr.Size)
	}
	fid := c.MustOpen(c.Root, "shutdown", fs9p.ORdonly)
	flushed := c.Send(1, &fs9p.Tread{Fid: fid, Count: 1})
	if !s.Awaited() || asked == 0 {
		t.Error("nobody waits")
	}
	c.Send(2, &fs9p.Tflush{OldTag: 1})
	if s.Awaited() || !flushed.Done {
		t.Error("a flushed read waits")
	}
	read := c.Send(3, &fs9p.Tread{Fid: fid, Offset: 1, Count: 3})
	s.Fire()
	if r, ok := read.Message.(*fs9p.Rread); !ok || string(r.Data) != "owe" {
		t.Errorf("%+v", read.Message)
	}
	asked = 0
	if got := c.Cat(c.Root, "shutdown"); got != "poweroff\n" || asked == 0 {
		t.Errorf("read %q, asked %d times", got, asked)
	}
}

// TestLines: each opening reads one number, in the order in which they were told,
// and waits for it; what is told when many wait is lost.
func TestLines(t *testing.T) {
	var l *Lines
	c := serve(t, func(fs *FS) { l = fs.Lines("signal", 0o400, 2) })
	if a := c.StatAt(c.Root, "signal"); a.Attr.Size != 3 {
		t.Errorf("size %d", a.Attr.Size)
	}
	fid := c.MustOpen(c.Root, "signal", fs9p.ORdonly)
	flushed := c.Send(1, &fs9p.Tread{Fid: fid, Count: 1})
	c.Send(2, &fs9p.Tflush{OldTag: 1})
	read, second := c.Send(3, &fs9p.Tread{Fid: fid, Count: 1}), c.Send(4, &fs9p.Tread{Fid: fid, Offset: 1, Count: 9})
	l.Tell(15)
	l.Tell(2)
	l.Tell(9)
	if r, ok := read.Message.(*fs9p.Rread); !ok || string(r.Data) != "1" || flushed.Message != nil {
		t.Errorf("read %+v, flushed %+v", read.Message, flushed.Message)
	}
	if r, ok := second.Message.(*fs9p.Rread); !ok || string(r.Data) != "5\n" {
		t.Errorf("the rest is %+v", second.Message)
	}
	for _, want := range []string{"02\n", "09\n"} {
		if got := c.Cat(c.Root, "signal"); got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	for n := range linesRoom + 1 {
		l.Tell(n)
	}
	for n := range linesRoom {
		if got := c.Cat(c.Root, "signal"); got != fmt.Sprintf("%02d\n", n) {
			t.Errorf("read %q, want %d", got, n)
		}
	}
	if len(l.queue) != 0 {
		t.Errorf("%q waits", l.queue)
	}
	l.Tell(1)
	l.Clear()
	waits := c.Send(5, &fs9p.Tread{Fid: c.MustOpen(c.Root, "signal", fs9p.ORdonly), Count: 3})
	if waits.Done {
		t.Error("what was cleared is read")
	}
}

// TestChunksKept: a guest that never closes what it has read keeps no chunk but
// the current one.
func TestChunksKept(t *testing.T) {
	c := serve(t, func(fs *FS) { fs.Chunks("next", "data", 0o400, zeros{}) })
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	next(t, c)
	first := c.MustOpen(c.Root, "data", fs9p.ORdonly)
	before := heap()
	var sum, last int
	for sum < 64<<20 {
		last = next(t, c)
		sum += last
		c.MustOpen(c.Root, "data", fs9p.ORdonly)
	}
	if now := heap(); now > before+8<<20 {
		t.Errorf("after %d bytes the heap has grown from %d to %d", sum, before, now)
	}
	_, e := c.Read(first, 0, 10)
	c.Want(e, fs9p.ESTALE)
	if n := len(c.Cat(c.Root, "data")); n != last {
		t.Errorf("the current chunk has %d bytes, want %d", n, last)
	}
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestSignalPatience: a read is answered by nothing when it has waited long
// enough, and the next one waits again.
func TestSignalPatience(t *testing.T) {
	var s *Signal
	c := serve(t, func(fs *FS) {
		s = fs.Signal("shutdown", 0o400, "poweroff\n")
		s.Patience = time.Millisecond
	})
	fid := c.MustOpen(c.Root, "shutdown", fs9p.ORdonly)
	for range 3 {
		if r := c.Await(c.Send(1, &fs9p.Tread{Fid: fid, Count: 1})).(*fs9p.Rread); len(r.Data) != 0 {
			t.Errorf("read %q", r.Data)
		}
	}
	s.Patience = time.Hour
	flushed, read := c.Send(2, &fs9p.Tread{Fid: fid, Count: 1}), c.Send(3, &fs9p.Tread{Fid: fid, Count: 9})
	c.Send(4, &fs9p.Tflush{OldTag: 2})
	if !flushed.Done || flushed.Message != nil || read.Done {
		t.Errorf("flushed %+v, the other %+v", flushed, read)
	}
	s.Fire()
	if r, ok := read.Message.(*fs9p.Rread); !ok || string(r.Data) != "poweroff\n" || s.Awaited() {
		t.Errorf("%+v", read.Message)
	}
}
