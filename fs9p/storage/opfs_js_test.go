package storage

import (
	"errors"
	"io"
	"syscall/js"
	"testing"
)

// handle is a file as a browser's worker has it, with room for so many bytes. quiet: where
// there is none, nothing is thrown, as in a private window of Chromium's.
const handle = `const room = arguments[0], quiet = arguments[1]; let data = new Uint8Array(0);
	const fail = () => { if (!quiet) throw new DOMException("no room", "QuotaExceededError"); return 4294967288; };
	const grow = (n) => { const d = new Uint8Array(n); d.set(data.subarray(0, n)); data = d; };
	return {
		read: (b, o) => { const p = data.subarray(o.at, o.at + b.length); b.set(p); return p.length; },
		write: (b, o) => { if (o.at + b.length > room) return fail(); if (o.at + b.length > data.length) grow(o.at + b.length); data.set(b, o.at); return b.length; },
		getSize: () => data.length, truncate: (n) => { if (n > room) fail(); else grow(n); }, flush: () => undefined,
	};`

// TestOPFS writes to a browser's file until it is full: what there is no room for is an
// error, however the browser says so, and what is there stays.
func TestOPFS(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		handles := js.Global().Get("Object").New()
		handles.Set("a", js.Global().Get("Function").New(handle).Invoke(10, quiet))
		s := NewOPFS(handles, -1)
		if _, err := s.Open("b"); err == nil {
			t.Error("a file that is not open was opened")
		}
		f, err := s.Open("a")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := f.WriteAt([]byte("12345678"), 0); n != 8 || err != nil {
			t.Errorf("quiet %v: %d, %v", quiet, n, err)
		}
		if n, err := f.WriteAt([]byte("9abc"), 8); n != 0 || !errors.Is(err, ErrFull) {
			t.Errorf("quiet %v: without room %d bytes were written: %v, want %v", quiet, n, err, ErrFull)
		}
		if err := f.Truncate(11); !errors.Is(err, ErrFull) {
			t.Errorf("quiet %v: it has grown beyond the room: %v, want %v", quiet, err, ErrFull)
		}
		if err := f.Truncate(9); err != nil {
			t.Errorf("quiet %v: %v", quiet, err)
		}
		b := make([]byte, 12)
		if n, err := f.ReadAt(b, 0); string(b[:n]) != "12345678\x00" || err != io.EOF {
			t.Errorf("quiet %v: it has %q: %v", quiet, b[:n], err)
		}
	}
}
