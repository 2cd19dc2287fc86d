package ctl

import (
	"bytes"
	"io"
	"math/rand"
	"testing"
	"testing/iotest"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// TestWait carries streams without a goroutine: there is nothing to post to.
func TestWait(t *testing.T) {
	want := make([]byte, 1<<20+123)
	rand.New(rand.NewSource(1)).Read(want)
	var out bytes.Buffer
	fs := New(Config{Wait: true})
	fs.Chunks("next", "data", 0o400, iotest.HalfReader(bytes.NewReader(want)))
	fs.Source("stdin", 0o400, iotest.DataErrReader(bytes.NewReader(want)))
	drain := fs.Drain("stdout", 0o200, &out)
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	to := c.MustOpen(c.Root, "stdout", fs9p.OWronly)
	off := uint64(0)
	for n := next(t, c); n > 0; n = next(t, c) {
		p := []byte(c.Cat(c.Root, "data"))
		c.WriteAll(to, off, p)
		off += uint64(len(p))
		if out.Len() != int(off) || drain.Busy() {
			t.Fatalf("%d bytes are out of %d", out.Len(), off)
		}
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%d bytes came through, or others than the %d sent", out.Len(), len(want))
	}
	in := c.MustOpen(c.Root, "stdin", fs9p.ORdonly|fs9p.ONonblock)
	var got []byte
	for {
		p, e := c.Read(in, uint64(len(got)), 100_000)
		c.OK(e)
		if len(p) == 0 {
			break
		}
		got = append(got, p...)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes were read, or others than the %d sent", len(got), len(want))
	}
}

func TestWaitError(t *testing.T) {
	fs := New(Config{Wait: true})
	fs.Drain("stdout", 0o200, io.Discard)
	fs.Drain("stderr", 0o200, errWriter{})
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	_, e := c.Write(c.MustOpen(c.Root, "stdout", fs9p.OWronly), 0, []byte("x"))
	c.OK(e)
	for range 2 {
		_, e = c.Write(c.MustOpen(c.Root, "stderr", fs9p.OWronly), 0, []byte("x"))
		c.Want(e, fs9p.EPIPE)
	}
}

type errWriter struct{}

func (errWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
