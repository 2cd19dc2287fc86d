package fs9p

import (
	"fmt"
	"runtime"
	"slices"
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
		<-s.Close()
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

// A hung server has a slow file system whose host does not answer: fid 3 is a
// file open for everything.
type hung struct {
	t      *testing.T
	s      *Server
	fs     *stub
	posted chan func()
	at     chan string   // what the host has been asked for
	answer chan struct{} // lets it answer
	log    []string      // replies: their tags and types
}

func newHung(t *testing.T) *hung {
	h := &hung{t: t, posted: make(chan func(), 10000), at: make(chan string, 10000), answer: make(chan struct{}, 10000)}
	return h.serveFS(&stub{slow: true, io: func(what string) (int, error) {
		h.at <- what
		<-h.answer
		return 1, nil
	}})
}

// serveFS makes the server.
func (h *hung) serveFS(fs *stub) *hung {
	t := h.t
	h.fs = fs
	h.s = New(Config{FS: h.fs, Post: func(f func()) { h.posted <- f }})
	t.Cleanup(func() {
		done := h.s.Close()
		close(h.answer)
		<-done
		if h.fs.open != 0 {
			t.Errorf("%d nodes and files are still open", h.fs.open)
		}
	})
	h.begin()
	return h
}

// begin starts a session.
func (h *hung) begin() {
	h.t.Helper()
	h.log = nil
	for _, m := range []Message{
		&Tversion{Msize: DefaultMsize, Version: "9P2000.L"}, &Tattach{Fid: 1, AFid: noFid},
		&Twalk{Fid: 1, NewFid: 3, Names: []string{"file"}}, &Tlopen{Fid: 3, Flags: ORdwr},
	} {
		h.send(0, m)
	}
	h.await("0 Rversion", "0 Rattach", "0 Rwalk", "0 Rlopen")
	h.log = nil
}

// send serves a message.
func (h *hung) send(tag uint16, m Message) {
	wire := Append(nil, tag, m)
	h.serve(tag, wire)
	clear(wire) // the device uses its buffer again
}

func (h *hung) serve(tag uint16, wire []byte) {
	replied := false
	h.s.Serve(wire, func(resp []byte) {
		if replied {
			h.t.Errorf("tag %d: two replies", tag)
		}
		replied = true
		what := "nothing"
		if resp != nil {
			got, m, err := Parse(resp)
			if err != nil || got != tag {
				h.t.Fatalf("tag %d: reply % x", tag, resp)
			}
			what = m.Type().String()
			if e, ok := m.(*Rlerror); ok {
				what = Errno(e.Errno).Error()
			}
		}
		h.log = append(h.log, fmt.Sprint(tag, " ", what))
	})
}

// await runs what is posted until as many replies are there, and compares.
func (h *hung) await(want ...string) {
	h.t.Helper()
	for len(h.log) < len(want) {
		h.step()
	}
	if !slices.Equal(h.log, want) {
		h.t.Fatalf("replies %q, want %q", h.log, want)
	}
}

func (h *hung) step() {
	h.t.Helper()
	select {
	case f := <-h.posted:
		f()
	case <-time.After(20 * time.Second):
		h.t.Fatalf("nothing was posted for 20 s after %q", h.log)
	}
}

// asked waits until the host has been asked.
func (h *hung) asked(want string) {
	h.t.Helper()
	select {
	case got := <-h.at:
		if got != want {
			h.t.Fatalf("the host was asked for a %s, want a %s", got, want)
		}
	case <-time.After(20 * time.Second):
		h.t.Fatal("the host was not asked for 20 s")
	}
}

// requests are what a guest can fill a queue with.
var requests = []struct {
	name string
	wire func() []byte
}{
	{"small", func() []byte { return Append(nil, 1, &Tgetattr{Fid: 3}) }},
	{"padded to a mebibyte", func() []byte { return append(Append(nil, 1, &Tgetattr{Fid: 3}), make([]byte, 1<<20)...) }},
	{"large reads", func() []byte { return Append(nil, 1, &Tread{Fid: 3, Count: DefaultMsize}) }},
	{"large writes", func() []byte { return Append(nil, 1, &Twrite{Fid: 3, Data: make([]byte, DefaultMsize-23)}) }},
	{"above msize", func() []byte { return Append(nil, 1, &Twrite{Fid: 3, Data: make([]byte, DefaultMsize)}) }},
	{"names", func() []byte {
		return Append(nil, 1, &Twalk{Fid: 1, NewFid: 9, Names: slices.Repeat([]string{strings.Repeat("n", 60000)}, 8)})
	}},
}

// endings are what outdates requests under way.
var endings = []struct {
	name string
	end  func(h *hung)
}{
	{"reset", func(h *hung) { h.s.Reset() }},
	{"Tversion", func(h *hung) { h.send(2, &Tversion{Msize: 8192, Version: "9P2000.L"}) }},
	{"Tversion of nonsense", func(h *hung) { h.send(2, &Tversion{Version: "?"}) }},
	{"Tflush", func(h *hung) {
		for range maxQueued {
			h.send(2, &Tflush{OldTag: 1})
		}
	}},
	{"none", func(h *hung) {}},
}

// TestQueueBounds: whatever a guest asks for, and as often as it gives up and
// begins anew, while the host does not answer.
func TestQueueBounds(t *testing.T) {
	for _, r := range requests {
		for _, e := range endings {
			t.Run(r.name+", "+e.name, func(t *testing.T) {
				h := newHung(t)
				h.send(0, &Tfsync{Fid: 3})
				h.asked("sync")
				before, goroutines, wire := heap(), runtime.NumGoroutine(), r.wire()
				most := before
				for range 5 {
					for i := 0; i < 100 && !h.s.Full(); i++ {
						h.serve(1, wire)
					}
					most = max(most, heap())
					h.log = h.log[:0]
					e.end(h)
				}
				if limit := before + maxQueuedBytes + 8<<20; most > limit {
					t.Errorf("the heap has grown from %d bytes to %d, want %d at most", before, most, limit)
				}
				if n := runtime.NumGoroutine(); n > goroutines {
					t.Errorf("%d goroutines more", n-goroutines)
				}
				if n := len(h.s.queue.waiting); n > maxQueued+1 {
					t.Errorf("%d requests wait", n)
				}
			})
		}
	}
}

// heap is the memory in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestQueueReplies: a file system that is faster than the machine does not fill
// the memory with replies.
func TestQueueReplies(t *testing.T) {
	h := newHung(t)
	h.fs.io = nil
	for range maxQueued - 1 {
		h.send(1, &Tread{Fid: 3, Count: DefaultMsize})
	}
	deadline := time.Now().Add(20 * time.Second)
	most := 0
	for i := 0; i < maxQueued-1; i++ {
		for len(h.posted) == 0 && time.Now().Before(deadline) {
			runtime.Gosched()
		}
		most = max(most, len(h.posted))
		h.step()
	}
	if limit := maxReplyBytes/(DefaultMsize-ioHeaderLen) + 2; most > limit {
		t.Errorf("%d replies of half a megabyte waited, want %d at most", most, limit)
	}
	if len(h.log) != maxQueued-1 {
		t.Errorf("%d replies", len(h.log))
	}
}

// TestQueueReset: of what came before a reset nothing is carried out but what the
// host is at, and nothing is answered.
func TestQueueReset(t *testing.T) {
	h := newHung(t)
	h.send(1, &Tfsync{Fid: 3})
	for tag := range uint16(5) {
		h.send(2+tag, &Twrite{Fid: 3, Data: []byte("x")})
	}
	h.asked("sync")
	h.s.Reset()
	h.answer <- struct{}{}
	h.begin()
	if h.fs.calls["write"] != 0 || h.fs.open != 3 {
		t.Errorf("the file system was called: %v; %d things are open", h.fs.calls, h.fs.open)
	}
	h.s.Reset()
	h.s.Reset()
	h.send(1, &Tgetattr{Fid: 3})
	h.await("1 EPROTO")
}

// TestQueueVersion: a Tversion gives up what waits, behind what the host is at.
func TestQueueVersion(t *testing.T) {
	h := newHung(t)
	h.send(1, &Tfsync{Fid: 3})
	h.asked("sync")
	h.send(2, &Twrite{Fid: 3, Data: []byte("x")})
	h.send(3, &Tgetattr{Fid: 3})
	h.send(4, &Tversion{Msize: 8192, Version: "9P2000.L"})
	h.send(5, &Tgetattr{Fid: 3})
	h.answer <- struct{}{}
	h.await("2 nothing", "3 nothing", "1 Rfsync", "4 Rversion", "5 EBADF")
	if h.fs.calls["write"] != 0 {
		t.Error("what was given up has been carried out")
	}
}

// TestQueueFlush: each row sends requests with the tags 1, 2 and so on, the
// first of which the host is at; then the flushes; then the host answers.
func TestQueueFlush(t *testing.T) {
	read, write := &Tread{Fid: 3, Count: 1}, &Twrite{Fid: 3, Data: []byte("x")}
	for _, row := range []struct {
		name    string
		send    []Message
		flushes []uint16
		want    string // before the host answers, and after
	}{
		{"nothing", []Message{write}, []uint16{77}, "2 Rflush | 1 Rwrite"},
		{"what waits", []Message{write, write, read}, []uint16{2}, "2 nothing, 4 Rflush | 1 Rwrite, 3 Rread"},
		{"all that waits", []Message{write, write, read}, []uint16{3, 2}, "3 nothing, 4 Rflush, 2 nothing, 5 Rflush | 1 Rwrite"},
		{"what is under way and harmless", []Message{read, write}, []uint16{1}, "1 nothing, 3 Rflush | 2 Rwrite"},
		{"what is under way and is not", []Message{write, read}, []uint16{1}, " | 1 Rwrite, 3 Rflush, 2 Rread"},
		{"the same twice", []Message{write}, []uint16{1, 1}, " | 1 Rwrite, 2 Rflush, 3 Rflush"},
		{"a flush", []Message{write}, []uint16{1, 2}, "2 nothing, 3 Rflush | 1 Rwrite"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHung(t)
			for i, m := range row.send {
				h.send(uint16(i+1), m)
			}
			<-h.at
			for i, old := range row.flushes {
				h.send(uint16(len(row.send)+1+i), &Tflush{OldTag: old})
			}
			before, after, _ := strings.Cut(row.want, " | ")
			if got := strings.Join(h.log, ", "); got != before {
				t.Fatalf("before the host answers: %s; want %s", got, before)
			}
			for range row.send {
				h.answer <- struct{}{}
			}
			h.log = nil
			h.await(strings.Split(after, ", ")...)
			h.send(99, &Tgetattr{Fid: 3})
			h.log = nil
			h.await("99 Rgetattr")
		})
	}
}

// TestQueueClose: Close does not wait for the host, and its channel does.
func TestQueueClose(t *testing.T) {
	h := newHung(t)
	h.send(1, &Twrite{Fid: 3, Data: []byte("x")})
	h.asked("write")
	h.send(2, &Twrite{Fid: 3, Data: []byte("x")})
	done := h.s.Close()
	h.send(3, &Tgetattr{Fid: 3})
	if want := []string{"1 nothing", "2 nothing", "3 nothing"}; !slices.Equal(h.log, want) {
		t.Errorf("replies %q, want %q", h.log, want)
	}
	select {
	case <-done:
		t.Error("done while the host is asked")
	default:
	}
	h.answer <- struct{}{}
	<-done
	if h.s.Close() != done || h.fs.calls["write"] != 1 || h.fs.open != 0 {
		t.Errorf("the file system was called: %v; %d things are open", h.fs.calls, h.fs.open)
	}
}

// TestSizes: what a message says of its own size, and what is done about it
// before it is kept.
func TestSizes(t *testing.T) {
	for _, slow := range []bool{false, true} {
		h := (&hung{t: t, posted: make(chan func(), 100), answer: make(chan struct{})}).serveFS(&stub{slow: slow})
		for _, row := range []struct {
			name string
			wire []byte
			want string
		}{
			{"padded", append(Append(nil, 7, &Tgetattr{Fid: 3}), 1, 2, 3), "7 Rgetattr"},
			{"at msize", Append(nil, 7, &Twrite{Fid: 3, Data: make([]byte, DefaultMsize-23)}), "7 Rwrite"},
			{"above msize", Append(nil, 7, &Twrite{Fid: 3, Data: make([]byte, DefaultMsize-22)}), "7 EMSGSIZE"},
			{"more than there is", []byte{8, 0, 0, 0, 24, 7, 0}, "7 EBADMSG"},
			{"less than a header", []byte{6, 0, 0, 0, 24, 7, 0}, "7 EBADMSG"},
			{"no header", []byte{7, 0, 0, 0, 24, 7}, "7 nothing"},
			{"unknown type", []byte{7, 0, 0, 0, 200, 7, 0}, "7 EOPNOTSUPP"},
		} {
			t.Run(fmt.Sprintf("%s, slow %t", row.name, slow), func(t *testing.T) {
				h.t, h.log = t, nil
				h.serve(7, row.wire)
				h.await(row.want)
			})
		}
	}
}
