package ctl

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand"
	"slices"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/internal/statetest"
)

// stream is the host's input, of ten thousand bytes in pieces.
type stream struct{ at int }

func (s *stream) Read(p []byte) (int, error) {
	n := min(len(p), 1+s.at%1777, 10_000-s.at)
	if n == 0 {
		return 0, io.EOF
	}
	for i := range n {
		p[i] = byte((s.at + i) * 7 >> 3)
	}
	s.at += n
	return n, nil
}

// rig is a served tree with one file of each kind, and a client without manners
// that remembers what was not answered, as the device does.
type rig struct {
	tb       testing.TB
	fs       *FS
	srv      *fs9p.Server
	note     *Note
	signal   *Signal
	lines    *Lines
	queue    *Queue
	stdin    *stream
	input    *stream
	out      bytes.Buffer
	replies  []string
	requests []*request
}

type request struct {
	wire []byte
	done bool
}

var rigFiles = []string{"exit", "error", "shutdown", "next", "data", "input", "out", "lines", "jobs"}

func newRig(tb testing.TB, stdin, input stream) *rig {
	r := &rig{tb: tb, stdin: &stdin, input: &input}
	r.fs = New(Config{Wait: true, Now: func() time.Time { return time.Unix(7, 0) }})
	r.fs.Sink("exit", 0o200, func([]byte) error { return nil })
	r.note = r.fs.Note("error", 0o200)
	r.signal = r.fs.Signal("shutdown", 0o400, "poweroff\n")
	r.fs.Chunks("next", "data", 0o400, r.stdin)
	r.fs.Source("input", 0o400, r.input)
	r.fs.Drain("out", 0o200, &r.out)
	r.lines = r.fs.Lines("lines", 0o400, 2)
	r.queue = r.fs.Queue("jobs", 0o400, 8)
	r.srv = fs9p.New(fs9p.Config{FS: r.fs})
	tb.Cleanup(func() { r.srv.Close() })
	return r
}

func (r *rig) begin() *rig {
	r.ask(fs9p.Append(nil, 0, &fs9p.Tversion{Msize: 8192, Version: "9P2000.L"}))
	r.ask(fs9p.Append(nil, 0, &fs9p.Tattach{Fid: 0, AFid: 1<<32 - 1}))
	return r
}

// ask serves a request.
func (r *rig) ask(wire []byte) {
	q := &request{wire: wire}
	r.requests = append(r.requests, q)
	r.srv.Serve(slices.Clone(wire), func(resp []byte) {
		q.done = true
		_, m, _ := fs9p.Parse(resp)
		r.replies = append(r.replies, fmt.Sprintf("%s: %s %x", wire[5:7], fs9p.Describe(0, m), crc32.ChecksumIEEE(resp)))
	})
	r.requests = slices.DeleteFunc(r.requests, func(q *request) bool { return q.done })
}

// Step is part of statetest.Rig.
func (r *rig) Step(rnd *rand.Rand) string {
	fid := uint32(1 + rnd.Intn(8))
	messages := [...]fs9p.Message{
		&fs9p.Twalk{NewFid: fid, Names: []string{rigFiles[rnd.Intn(len(rigFiles))]}},
		&fs9p.Tlopen{Fid: fid, Flags: uint32(rnd.Intn(2))},
		&fs9p.Tread{Fid: fid, Offset: uint64(rnd.Intn(3)), Count: uint32(rnd.Intn(600))},
		&fs9p.Tread{Fid: fid, Count: uint32(rnd.Intn(3000))},
		&fs9p.Tread{Fid: fid, Offset: uint64(rnd.Intn(3)), Count: 1},
		&fs9p.Twrite{Fid: fid, Data: make([]byte, rnd.Intn(2000))},
		&fs9p.Tgetattr{Fid: fid, Mask: fs9p.AttrBasic},
		&fs9p.Tflush{OldTag: uint16(rnd.Intn(50))},
		&fs9p.Tclunk{Fid: fid},
	}
	m := messages[rnd.Intn(len(messages))]
	if _, clunk := m.(*fs9p.Tclunk); clunk && r.waits(fid) {
		m = messages[0] // that much it knows of manners
	}
	r.out.Reset()
	r.replies = nil
	switch n := rnd.Intn(200); {
	case n == 0:
		r.signal.Fire()
	case n < 4:
		r.note.Clear()
	case n < 14:
		r.lines.Tell(rnd.Intn(100))
	case n == 14:
		r.lines.Clear()
	case n < 20:
		r.queue.Put(fmt.Appendf(nil, "%08d", rnd.Intn(1e8)))
	case n < 60: // what belongs together is rare enough as it is
		if r.waits(fid) {
			break
		}
		name := rigFiles[rnd.Intn(len(rigFiles))]
		flags := fs9p.Message(&fs9p.Tlopen{Fid: fid})
		use := fs9p.Message(&fs9p.Tread{Fid: fid, Count: uint32(9 + rnd.Intn(2000))})
		if name == "error" || name == "out" {
			flags, use = &fs9p.Tlopen{Fid: fid, Flags: fs9p.OWronly}, &fs9p.Twrite{Fid: fid, Data: make([]byte, rnd.Intn(3000))}
		}
		for _, m := range []fs9p.Message{&fs9p.Tclunk{Fid: fid}, &fs9p.Twalk{NewFid: fid, Names: []string{name}}, flags, use} {
			r.ask(fs9p.Append(nil, 51, m))
		}
	case n == 1:
		r.begin()
	default:
		r.ask(fs9p.Append(nil, uint16(rnd.Intn(50)), m))
	}
	r.requests = slices.DeleteFunc(r.requests, func(q *request) bool { return q.done })
	return fmt.Sprintf("%q; said %d, awaited %t, printed %d, %d wait", r.replies, len(r.note.String()), r.signal.Awaited(), r.out.Len(), len(r.requests))
}

// waits tells whether a request about that fid has no reply yet.
func (r *rig) waits(fid uint32) bool {
	return slices.ContainsFunc(r.requests, func(q *request) bool {
		_, m, _ := fs9p.Parse(q.wire)
		switch m := m.(type) {
		case *fs9p.Tread:
			return m.Fid == fid
		case *fs9p.Twrite:
			return m.Fid == fid
		}
		return false
	})
}

// Fork is part of statetest.Rig.
func (r *rig) Fork(tb testing.TB) statetest.Rig {
	f := newRig(tb, *r.stdin, *r.input)
	if err := f.fs.Restore(statetest.Copy(tb, r.fs.Save())); err != nil {
		tb.Fatal(err)
	}
	statetest.Move(tb, f.srv, r.srv)
	for _, q := range r.requests {
		f.ask(q.wire)
	}
	return f
}

func TestState(t *testing.T) {
	statetest.GoOn(t, func(tb testing.TB) statetest.Rig { return newRig(tb, stream{}, stream{}).begin() })
	statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[State]) {
		r := newRig(tb, stream{}, stream{}).begin()
		return r, r.fs
	})
}

// TestStateOfStreams: what waits in a machine that does not wait for its streams.
func TestStateOfStreams(t *testing.T) {
	r, w := io.Pipe()
	hold := holdWriter{make(chan struct{}, 9), make(chan struct{})}
	build := func(in io.Reader, out io.Writer) (*fstest.Client, *FS) {
		var fs *FS
		c := serve(t, func(f *FS) {
			fs = f
			f.Chunks("next", "data", 0o400, in)
			f.Drain("out", 0o200, out)
			f.Source("input", 0o400, in)
		})
		return c, fs
	}
	c, fs := build(r, hold)
	out := c.MustOpen(c.Root, "out", fs9p.OWronly)
	for _, s := range []string{"one ", "two ", "three"} {
		c.WriteAll(out, 0, []byte(s))
	}
	fid := c.MustOpen(c.Root, "next", fs9p.ORdonly)
	waits := c.Send(9, &fs9p.Tread{Fid: fid, Count: 9})
	if waits.Done || !c.Server.Quiet() {
		t.Fatal("a read that waits has been answered, or the server is not quiet")
	}
	<-hold.begun // the host has the first line
	files, fids := statetest.Copy(t, fs.Save()), statetest.Copy(t, c.Server.Save())
	close(hold.release)

	printed, to := io.Pipe()
	c2, fs2 := build(bytes.NewReader([]byte("typed")), to)
	<-c2.Server.Close()
	c2.Server = fs9p.New(fs9p.Config{FS: fs2, Post: c2.Post})
	if err := fs2.Restore(files); err != nil {
		t.Fatal(err)
	}
	if err := c2.Server.Restore(fids); err != nil {
		t.Fatal(err)
	}
	again := c2.Send(9, &fs9p.Tread{Fid: fid, Count: 9})
	if line := string(c2.Await(again).(*fs9p.Rread).Data); line != "00000005\n" {
		t.Errorf("the read that waited gives %q", line)
	}
	for c2.Fid() <= fid { // those below are the first client's
	}
	if s := c2.Cat(c2.Root, "data"); s != "typed" {
		t.Errorf("the chunk is %q", s)
	}
	got := make([]byte, len("two three"))
	if _, err := io.ReadFull(printed, got); err != nil || string(got) != "two three" {
		t.Errorf("printed %q, %v", got, err)
	}
	w.Close()
}

// TestStateOfRead: the end of a read(2) that was answered in part is still known,
// and so is the end of the stream, whatever the other host has to say.
func TestStateOfRead(t *testing.T) {
	for _, row := range []struct {
		name  string
		reads int
		want  string // what the next one gets
	}{
		{"in part", 1, ""},
		{"at the end", 2, ""},
		{"at the end, twice", 3, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var fs *FS
			c := serve(t, func(f *FS) { f.Source("input", 0o400, bytes.NewReader([]byte("begin"))); fs = f })
			fid := c.MustOpen(c.Root, "input", fs9p.ORdonly)
			for range row.reads {
				c.Await(c.Send(9, &fs9p.Tread{Fid: fid, Offset: 5, Count: 100}))
			}
			var fs2 *FS
			c2 := serve(t, func(f *FS) { f.Source("input", 0o400, bytes.NewReader([]byte("other"))); fs2 = f })
			<-c2.Server.Close()
			c2.Server = fs9p.New(fs9p.Config{FS: fs2, Post: c2.Post})
			state := statetest.Copy(t, fs.Save())
			if err := fs2.Restore(state); err != nil {
				t.Fatal(err)
			}
			if err := c2.Server.Restore(statetest.Copy(t, c.Server.Save())); err != nil {
				t.Fatal(err)
			}
			got := c2.Await(c2.Send(9, &fs9p.Tread{Fid: fid, Offset: 10, Count: 100})).(*fs9p.Rread).Data
			if string(got) != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

// holdWriter says when a Write begins, and holds it.
type holdWriter struct{ begun, release chan struct{} }

func (h holdWriter) Write(p []byte) (int, error) {
	h.begun <- struct{}{}
	<-h.release
	return len(p), nil
}
