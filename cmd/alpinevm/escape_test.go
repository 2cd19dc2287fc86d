package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

func TestEscapes(t *testing.T) {
	for _, tt := range []struct {
		in, out     string
		early       bool // nobody in the guest listens yet
		quits       int
		interrupted int
		help        bool
	}{
		{in: "ls\r", out: "ls\r"},
		{in: "\x01x", quits: 1},
		{in: "a\x01\x01b", out: "a\x01b"},
		{in: "\x01h\x03", out: "\x03", help: true},
		{in: "\x01zy", out: "y"},
		{in: "x\x01", out: "x"},
		{in: "a\x03b", out: "a\x03b"},
		{in: "a\x03b\x03", out: "ab", early: true, interrupted: 2},
		{in: "\x01\x03a", out: "a", early: true},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader} {
			quits, interrupted, help := 0, 0, false
			e := &escapes{help: func() { help = true }, quit: func() { quits++ }, interrupted: func() bool {
				if tt.early {
					interrupted++
				}
				return tt.early
			}}
			var out []byte
			buf := make([]byte, 64)
			for r := wrap(strings.NewReader(tt.in)); ; {
				n, err := r.Read(buf)
				out = append(out, e.filter(buf[:n])...)
				if err != nil {
					break
				}
			}
			if string(out) != tt.out || quits != tt.quits || help != tt.help || interrupted != tt.interrupted {
				t.Errorf("%q: %q, %d quits, help %v, %d interrupts", tt.in, out, quits, help, interrupted)
			}
		}
	}
}

// blocked is a terminal that nobody reads from: a write waits for ever.
type blocked struct{}

func (blocked) Write([]byte) (int, error) { select {} }

// TestKeysUnread: escapes are seen although the guest takes nothing of what is
// typed, much or little, and although the terminal is stopped.
func TestKeysUnread(t *testing.T) {
	for _, before := range []int{0, 1, 2, 5000, typedRoom, 2*typedRoom + 1} {
		quit := make(chan struct{})
		typed := bytes.Repeat([]byte("k"), before)
		r := io.MultiReader(bytes.NewReader(typed), strings.NewReader(strings.Repeat("\x01h", 100)+"\x01x"))
		k := newKeys(r, blocked{}, escapes{quit: func() { close(quit) }, interrupted: func() bool { return false }})
		select {
		case <-quit:
		case <-time.After(time.Minute):
			t.Fatalf("behind %d keys Ctrl-A x is not seen", before)
		}
		got, err := io.ReadAll(k)
		if want := typed[:min(before, typedRoom)]; err != nil || !bytes.Equal(got, want) {
			t.Errorf("of %d keys %d came through, %v", before, len(got), err)
		}
	}
}

// TestKeysOrder: what is typed comes as it was typed, also while it is read, and
// with the terminal's end behind it; a bell tells of what is lost.
func TestKeysOrder(t *testing.T) {
	gone := errors.New("gone")
	typed := bytes.Repeat([]byte("0123456789"), typedRoom/20)
	r := io.MultiReader(iotest.HalfReader(bytes.NewReader(typed)), iotest.ErrReader(gone))
	k := newKeys(r, io.Discard, escapes{quit: func() {}, interrupted: func() bool { return false }})
	if got, err := io.ReadAll(iotest.HalfReader(k)); !errors.Is(err, gone) || !bytes.Equal(got, typed) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	var bells atomic.Int32
	rang := make(chan struct{}, 1)
	w := writerFunc(func(p []byte) (int, error) {
		bells.Add(int32(bytes.Count(p, []byte(bell))))
		select {
		case rang <- struct{}{}:
		default:
		}
		return len(p), nil
	})
	newKeys(bytes.NewReader(make([]byte, typedRoom+1)), w, escapes{quit: func() {}, interrupted: func() bool { return false }})
	<-rang
	if bells.Load() == 0 {
		t.Error("no bell rings")
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
