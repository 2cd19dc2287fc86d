package ctl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// serve dials a tree that build fills.
func serve(t *testing.T, build func(fs *FS)) *fstest.Client {
	t.Helper()
	var c *fstest.Client
	fs := New(Config{
		Post: func(f func()) { c.Post(f) },
		Now:  func() time.Time { return time.Unix(7, 0) },
	})
	build(fs)
	c = fstest.Dial(t, fs9p.Config{FS: fs})
	return c
}

func TestTree(t *testing.T) {
	var wrote []string
	c := serve(t, func(fs *FS) {
		fs.Static("cmd", 0o444, []byte("uname\x00-a\x00"))
		fs.Static("net/hosts", 0o400, nil)
		fs.Sink("exit", 0o200, func(p []byte) error {
			if p[0] == 'x' {
				return fs9p.EINVAL
			}
			wrote = append(wrote, string(p))
			return nil
		})
		fs.Source("stdin", 0o400, strings.NewReader(""))
		fs.Static("net/dns", 0o444, []byte("10.0.2.3"))
	})
	if got := fmt.Sprint(c.List(c.Root, ""), c.List(c.Root, "net")); got != "[cmd net exit stdin] [hosts dns]" {
		t.Errorf("listed %s", got)
	}
	if s := c.Cat(c.Root, "cmd"); s != "uname\x00-a\x00" {
		t.Errorf("cmd holds %q", s)
	}
	if p, _ := c.Read(c.MustOpen(c.Root, "cmd", 0), 6, 2); string(p) != "-a" {
		t.Errorf("read %q", p)
	}
	a := c.StatAt(c.Root, "cmd")
	if a.Attr.Size != 9 || a.Attr.Mode != fs9p.ModeRegular|0o444 || a.Attr.Mtime.Sec != 7 || a.QID.Version != 0 {
		t.Errorf("%+v", a)
	}
	if a := c.Stat(c.Root).Attr; a.Nlink != 3 {
		t.Errorf("%+v", a)
	}
	// What `echo 3 >exit` does.
	fid, e := c.Create(c.Root, "exit", fs9p.OWronly|fs9p.OTrunc, 0o666)
	c.OK(e)
	c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetSize}))
	c.WriteAll(fid, 0, []byte("3\n"))
	c.WriteAll(fid, 2, []byte("4\n"))
	_, e = c.Write(fid, 4, []byte("x"))
	c.Want(e, fs9p.EINVAL)
	c.Clunk(fid)
	if fmt.Sprint(wrote) != "[3\n 4\n]" {
		t.Errorf("wrote %q", wrote)
	}
}

func TestRefused(t *testing.T) {
	c := serve(t, func(fs *FS) {
		fs.Static("dir/file", 0o444, []byte("x"))
		fs.Sink("sink", 0o200, func([]byte) error { return nil })
	})
	d, f := c.At(c.Root, "dir"), c.At(c.Root, "dir/file")
	for _, row := range []struct {
		m    fs9p.Message
		want fs9p.Errno
	}{
		{&fs9p.Tlopen{Fid: f, Flags: fs9p.OWronly}, fs9p.EACCES},
		{&fs9p.Tlopen{Fid: c.At(c.Root, "sink")}, fs9p.EACCES},
		{&fs9p.Tlcreate{Fid: d, Name: "new"}, fs9p.EROFS},
		{&fs9p.Tlcreate{Fid: c.At(c.Root, ""), Name: "dir"}, fs9p.EISDIR},
		{&fs9p.Tmkdir{Dir: d, Name: "new"}, fs9p.EROFS},
		{&fs9p.Tmknod{Fid: d, Name: "new"}, fs9p.EROFS},
		{&fs9p.Tsymlink{Fid: d, Name: "new", Target: "x"}, fs9p.EROFS},
		{&fs9p.Tlink{Dir: d, Fid: f, Name: "new"}, fs9p.EROFS},
		{&fs9p.Tunlinkat{Dir: d, Name: "file"}, fs9p.EROFS},
		{&fs9p.Trenameat{OldDir: d, OldName: "file", NewDir: d, NewName: "x"}, fs9p.EROFS},
		{&fs9p.Tsetattr{Fid: f}, fs9p.EPERM},
		{&fs9p.Txattrwalk{Fid: f, NewFid: c.Fid(), Name: "security.capability"}, fs9p.ENODATA},
		{&fs9p.Treadlink{Fid: f}, fs9p.EINVAL},
		{&fs9p.Twalk{Fid: d, NewFid: c.Fid(), Names: []string{"missing"}}, fs9p.ENOENT},
		{&fs9p.Twalk{Fid: f, NewFid: c.Fid(), Names: []string{"x"}}, fs9p.ENOTDIR},
		{&fs9p.Tattach{Fid: c.Fid(), AFid: fstest.NoFid, Aname: "dir"}, fs9p.ENOENT},
	} {
		if _, e := c.Call(row.m); e != row.want {
			t.Errorf("%T: %v, want %v", row.m, e, row.want)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/..", "/abs", "taken", "taken/below", "dir"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was added", name)
				}
			}()
			fs := New(Config{})
			fs.Static("taken", 0, nil)
			fs.Static("dir/x", 0, nil)
			fs.Static(name, 0, nil)
		}()
	}
}

func TestSourceWaits(t *testing.T) {
	r, w := io.Pipe()
	c := serve(t, func(fs *FS) { fs.Source("stdin", 0o400, r) })
	fid := c.MustOpen(c.Root, "stdin", fs9p.ORdonly)
	first := c.Send(1, &fs9p.Tread{Fid: fid, Count: 4096})
	second := c.Send(2, &fs9p.Tread{Fid: fid, Count: 4096})
	// Others are served meanwhile.
	c.Stat(fid)
	if first.Done || second.Done {
		t.Fatal("a read of nothing was answered")
	}
	go w.Write([]byte("one"))
	if s := c.Await(first).(*fs9p.Rread).Data; string(s) != "one" || second.Done {
		t.Fatalf("read %q", s)
	}
	go w.Write([]byte("two"))
	if s := c.Await(second).(*fs9p.Rread).Data; string(s) != "two" {
		t.Fatalf("read %q", s)
	}
	third := c.Send(3, &fs9p.Tread{Fid: fid, Offset: 999, Count: 4096})
	w.Close()
	if s := c.Await(third).(*fs9p.Rread).Data; len(s) != 0 {
		t.Fatalf("read %q at the end", s)
	}
	for range 3 {
		if s := c.Slurp(fid); s != "" {
			t.Fatalf("read %q behind the end", s)
		}
	}
}

func TestSourceFlush(t *testing.T) {
	r, w := io.Pipe()
	c := serve(t, func(fs *FS) { fs.Source("stdin", 0o400, r) })
	fid := c.MustOpen(c.Root, "stdin", fs9p.ORdonly)
	read := c.Send(100, &fs9p.Tread{Fid: fid, Count: 4096})
	flushed := c.Send(101, &fs9p.Tflush{OldTag: 100})
	if !read.Done || read.Message != nil {
		t.Fatalf("flushed read: %+v", read)
	}
	if _, ok := flushed.Message.(*fs9p.Rflush); !ok {
		t.Fatalf("flush: %+v", flushed)
	}
	// The tag is free again, and nothing of the stream is lost.
	again := c.Send(100, &fs9p.Tread{Fid: fid, Count: 4096})
	go w.Write([]byte("kept"))
	if s := c.Await(again).(*fs9p.Rread).Data; string(s) != "kept" {
		t.Fatalf("read %q", s)
	}
	// A fid can go while a read of it waits; so can the session.
	read = c.Send(100, &fs9p.Tread{Fid: fid, Count: 4096})
	if _, e := c.Call(&fs9p.Tstatfs{Fid: fid}); e != 0 {
		t.Fatal(e)
	}
	twice := c.Send(100, &fs9p.Tread{Fid: fid, Count: 4096})
	if r, ok := twice.Message.(*fs9p.Rlerror); !ok || fs9p.Errno(r.Errno) != fs9p.EINVAL {
		t.Fatalf("a tag in use: %+v", twice.Message)
	}
	c.Clunk(fid)
	c.Must(c.Call(&fs9p.Tversion{Msize: 8192, Version: "9P2000.L"}))
	if !read.Done || read.Message != nil {
		t.Fatalf("read across Tversion: %+v", read)
	}
}

// TestSourceShort plays p9_client_read: one read(2) is requests until the
// buffer is full or one is answered by nothing.
func TestSourceShort(t *testing.T) {
	r, w := io.Pipe()
	c := serve(t, func(fs *FS) { fs.Source("stdin", 0o400, r) })
	var pos uint64
	fid := c.MustOpen(c.Root, "stdin", fs9p.ORdonly)
	read := func(count int) string {
		var got []byte
		for len(got) < count {
			p, e := c.Read(fid, pos, uint32(count-len(got)))
			c.OK(e)
			if len(p) == 0 {
				break
			}
			pos += uint64(len(p))
			got = append(got, p...)
		}
		return string(got)
	}
	for _, row := range []struct {
		typed string // while it is read
		count int
		want  string
	}{
		{"line one\n", 4096, "line one\n"}, {"two\n", 4096, "two\n"}, {"1234567890", 4, "1234"}, {"", 4, "5678"}, {"", 4, "90"},
		{"abc", 2, "ab"}, {"", 100, "c"}, {"end", 100, ""},
	} {
		switch row.typed {
		case "":
		case "end":
			go w.Close()
		default:
			go w.Write([]byte(row.typed))
		}
		if got := read(row.count); got != row.want {
			t.Errorf("read %q, want %q", got, row.want)
		}
	}
	// With O_NONBLOCK Linux asks once, so every request is a first one.
	r2, w2 := io.Pipe()
	c = serve(t, func(fs *FS) { fs.Source("stdin", 0o400, r2) })
	fid = c.MustOpen(c.Root, "stdin", fs9p.ORdonly|fs9p.ONonblock)
	go w2.Write([]byte("abc"))
	p, _ := c.Read(fid, 0, 100)
	next := c.Send(9, &fs9p.Tread{Fid: fid, Offset: 3, Count: 97})
	if string(p) != "abc" || next.Done {
		t.Errorf("read %q, then %+v", p, next)
	}
}

func TestSourceError(t *testing.T) {
	c := serve(t, func(fs *FS) {
		fs.Source("bad", 0o400, io.MultiReader(strings.NewReader("some"), errReader{errors.New("unplugged")}))
	})
	fid := c.MustOpen(c.Root, "bad", fs9p.ORdonly|fs9p.ONonblock)
	p, e := c.Read(fid, 0, 10)
	c.OK(e)
	if string(p) != "some" {
		t.Errorf("read %q", p)
	}
	_, e = c.Read(fid, 4, 10)
	c.Want(e, fs9p.EIO)
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestStreamExact sends 20 MB through a source and a drain.
func TestStreamExact(t *testing.T) {
	data := make([]byte, 20<<20)
	rand.New(rand.NewSource(1)).Read(data)
	var out bytes.Buffer
	var drain *Drain
	c := serve(t, func(fs *FS) {
		fs.Source("stdin", 0o400, bytes.NewReader(data))
		drain = fs.Drain("stdout", 0o200, &out)
	})
	in, to := c.MustOpen(c.Root, "stdin", fs9p.ORdonly), c.MustOpen(c.Root, "stdout", fs9p.OWronly)
	var off uint64
	for {
		p, e := c.Read(in, off, 1<<20)
		c.OK(e)
		if len(p) == 0 {
			// Nothing may be an answer to what follows a short one: ask again.
			p, e = c.Read(in, off, 1<<20)
			c.OK(e)
			if len(p) == 0 {
				break
			}
		}
		c.WriteAll(to, off, p)
		off += uint64(len(p))
	}
	if err := drain.Flush(); err != nil || !bytes.Equal(out.Bytes(), data) {
		t.Errorf("%d bytes came out of %d, %v", out.Len(), len(data), err)
	}
}

// A gate is a writer that writes only when it is let.
type gate struct {
	let chan error
	n   int
}

func (g *gate) Write(p []byte) (int, error) {
	if err := <-g.let; err != nil {
		return 0, err
	}
	g.n += len(p)
	return len(p), nil
}

func TestDrainWaits(t *testing.T) {
	g := &gate{let: make(chan error)}
	var d *Drain
	c := serve(t, func(fs *FS) { d = fs.Drain("stdout", 0o200, g) })
	fid := c.MustOpen(c.Root, "stdout", fs9p.OWronly|fs9p.OTrunc)
	taken := 0
	var waiting *fstest.Reply
	for waiting == nil {
		r := c.Send(c.Tag(), &fs9p.Twrite{Fid: fid, Offset: uint64(taken), Data: make([]byte, 100_000)})
		if r.Done {
			taken += int(r.Message.(*fs9p.Rwrite).Count)
		} else {
			waiting = r
		}
		if taken > 2*drainRoom {
			t.Fatal("a writer that is stuck takes everything")
		}
	}
	if taken != drainRoom {
		t.Errorf("%d bytes taken before the guest had to wait", taken)
	}
	// A write that waits can be flushed; the next in line gets the room.
	flushed := c.Send(500, &fs9p.Twrite{Fid: fid, Data: []byte("never")})
	last := c.Send(501, &fs9p.Twrite{Fid: fid, Data: []byte("last")})
	c.Must(c.Call(&fs9p.Tflush{OldTag: 500}))
	if !flushed.Done || flushed.Message != nil {
		t.Errorf("flushed write: %+v", flushed)
	}
	g.let <- nil
	n := int(c.Await(waiting).(*fs9p.Rwrite).Count)
	if n == 0 || n > 100_000 {
		t.Errorf("a write that waited took %d", n)
	}
	if n := c.Await(last).(*fs9p.Rwrite).Count; n != 4 {
		t.Errorf("the last took %d", n)
	}
	go func() {
		for {
			g.let <- nil
		}
	}()
	if err := d.Flush(); err != nil || g.n != taken+n+4 {
		t.Errorf("%d bytes written, want %d; %v", g.n, taken+n+4, err)
	}
}

func TestDrainError(t *testing.T) {
	g := &gate{let: make(chan error)}
	var d *Drain
	c := serve(t, func(fs *FS) { d = fs.Drain("stdout", 0o200, g) })
	fid := c.MustOpen(c.Root, "stdout", fs9p.OWronly)
	c.WriteAll(fid, 0, make([]byte, drainRoom))
	waiting := c.Send(500, &fs9p.Twrite{Fid: fid, Data: []byte("x")})
	g.let <- io.ErrClosedPipe
	if r, ok := c.Await(waiting).(*fs9p.Rlerror); !ok || fs9p.Errno(r.Errno) != fs9p.EPIPE {
		t.Errorf("waiting write: %+v", waiting.Message)
	}
	_, e := c.Write(fid, 0, []byte("x"))
	c.Want(e, fs9p.EPIPE)
	if err := d.Flush(); err != io.ErrClosedPipe {
		t.Errorf("flush: %v", err)
	}
}

// TestNote: what the guest says is kept up to a bound, however it is said.
func TestNote(t *testing.T) {
	for _, row := range []struct {
		name  string
		write []string
		want  string
	}{
		{"nothing", nil, ""},
		{"one line", []string{"no root\n"}, "no root\n"},
		{"byte by byte", strings.Split("no root", ""), "no root"},
		{"as much as there is room for", []string{strings.Repeat("x", noteRoom)}, strings.Repeat("x", noteRoom)},
		{"more at once", []string{strings.Repeat("x", 100_000)}, strings.Repeat("x", noteRoom) + "..."},
		{"more and more", slices.Repeat([]string{strings.Repeat("x", noteRoom-1)}, 1000), strings.Repeat("x", noteRoom) + "..."},
	} {
		t.Run(row.name, func(t *testing.T) {
			fs := New(Config{})
			n := fs.Note("error", 0o200)
			c := fstest.Dial(t, fs9p.Config{FS: fs})
			fid := c.MustOpen(c.Root, "error", fs9p.OWronly)
			for _, s := range row.write {
				c.WriteAll(fid, 0, []byte(s))
			}
			if got := n.String(); got != row.want {
				t.Errorf("%d bytes are kept, want %d", len(got), len(row.want))
			}
			n.Clear()
			if n.String() != "" {
				t.Error("not cleared")
			}
		})
	}
}
