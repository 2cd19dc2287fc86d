package fs9p

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
)

// slowHost is a slow file system whose host answers when it is told to.
type slowHost struct {
	stub
	stuck  atomic.Bool
	answer chan struct{}
}

func newSlowHost() *slowHost {
	h := &slowHost{answer: make(chan struct{})}
	h.stub = stub{slow: true, io: func(string) (int, error) {
		h.stuck.Store(true)
		<-h.answer
		return 1, nil
	}}
	return h
}

// release lets the host answer what it has been asked, if anything.
func (h *slowHost) release() {
	if h.stuck.CompareAndSwap(true, false) {
		h.answer <- struct{}{}
	}
}

// guestOfSlow is a guest that does what the bytes of an input say.
type guestOfSlow struct {
	t          *testing.T
	s          *Server
	host       *slowHost
	posts      chan func()
	generation int // of the session: 1 more with each reset
	asked      int
	replied    int
}

// settle waits until the queue's goroutine can do no more by itself.
func (g *guestOfSlow) settle() {
	q := g.s.queue
	for {
		q.mu.Lock()
		still := !q.running || g.host.stuck.Load() || q.replies >= maxReplyBytes
		q.mu.Unlock()
		if still {
			return
		}
		runtime.Gosched()
	}
}

// post runs one function that was posted, and reports whether there was one.
func (g *guestOfSlow) post() bool {
	select {
	case f := <-g.posts:
		f()
		return true
	default:
		return false
	}
}

func (g *guestOfSlow) send(wire []byte) {
	if g.s.Full() {
		return
	}
	generation, replied := g.generation, false
	g.asked++
	g.s.Serve(wire, func(resp []byte) {
		if replied || generation != g.generation {
			g.t.Errorf("% x: a reply too many (%v), or one after a reset", wire[:min(len(wire), headerLen)], replied)
		}
		replied = true
		g.replied++
	})
}

// do is one step of the guest, of its host or of the machine. Requests come out of a table,
// since the codec has a fuzzer of its own.
func (g *guestOfSlow) do(op, arg byte) {
	tag := uint16(arg & 7)
	switch op % 10 {
	case 0:
		wire := slices.Clone(slowRequests[int(arg>>3)%len(slowRequests)])
		if len(wire) >= headerLen {
			wire[5] = byte(tag)
		}
		g.send(wire)
	case 1:
		g.send(Append(nil, 9, &Tflush{OldTag: tag}))
	case 2:
		g.send(Append(nil, 9, &Tversion{Msize: []uint32{DefaultMsize, 4096, 0}[arg%3], Version: []string{"9P2000.L", "?"}[arg>>2&1]}))
	case 3:
		g.generation++
		g.s.Reset()
		g.asked, g.replied = 0, 0
	case 4, 5:
		g.host.release()
	case 6, 7:
		g.post()
	case 8: // a session as it should be, from a guest that waits for its answers
		for _, m := range slowSession {
			g.send(Append(nil, 0, m))
			g.settle()
			for g.post() {
				g.settle()
			}
		}
	case 9:
		for range 64 {
			g.do(0, arg)
		}
	}
}

// slowSession leaves a file open for everything in fid 3.
var slowSession = []Message{
	&Tversion{Msize: DefaultMsize, Version: "9P2000.L"}, &Tattach{Fid: 1, AFid: noFid},
	&Twalk{Fid: 1, NewFid: 3, Names: []string{"file"}}, &Tlopen{Fid: 3, Flags: ORdwr},
}

var slowRequests = func() (list [][]byte) {
	for _, r := range requests {
		list = append(list, r.wire())
	}
	for _, m := range []Message{
		&Tfsync{Fid: 3}, &Tclunk{Fid: 3}, &Tremove{Fid: 3}, &Tgetattr{Fid: 1}, &Txattrwalk{Fid: 3, NewFid: 5}, &Tlock{Fid: 3, Kind: LockWrite},
		&Twalk{Fid: 1, NewFid: 3, Names: []string{"file"}}, &Tlopen{Fid: 3, Flags: ORdwr}, &Treaddir{Fid: 1, Count: 8192}, &Tattach{Fid: 1, AFid: noFid},
	} {
		list = append(list, Append(nil, 1, m))
	}
	return append(list, nil, []byte{7}, []byte{255, 255, 255, 255, byte(MsgTread), 0, 0})
}()

// FuzzSlow resets the transport, begins sessions anew and flushes, in any order, while
// requests wait for a file system whose host takes its time. What is kept stays within its
// bounds, each request has one reply at most and none after a reset, and all of it ends.
func FuzzSlow(f *testing.F) {
	f.Add([]byte{8, 0, 0, 0x10, 0, 0x11, 3, 0, 8, 0, 0, 0x18, 4, 0, 6, 0}) // a reset with a read and a write under way
	for i := range byte(6) {                                               // many of each, again and again
		f.Add(slices.Concat([]byte{8, 0, 0, 6 << 3}, slices.Repeat([]byte{9, i << 3, 3, 0}, 6)))
	}
	f.Add([]byte{8, 0, 0, 0x31, 0, 0x12, 1, 2, 1, 1, 2, 0, 4, 0, 6, 0, 6, 0}) // flushes and a new version
	f.Add([]byte{0, 0, 2, 4, 3, 0, 1, 0, 9, 0x80})                            // without a session
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 300 {
			return
		}
		host := newSlowHost()
		g := &guestOfSlow{t: t, host: host, posts: make(chan func(), 1<<16)}
		g.s = New(Config{FS: host, Post: func(f func()) { g.posts <- f }})
		q := g.s.queue
		for ; len(in) >= 2; in = in[2:] {
			g.do(in[0], in[1])
			g.settle()
			// One more may begin below the bound, one be given up that the host is at, and one
			// be on its way with each reply: the machine takes those between two of its steps.
			if q.held > maxQueuedBytes+DefaultMsize*(2+len(g.posts)) || len(q.calls) > maxQueued || len(q.waiting) > maxQueued+len(in) {
				t.Fatalf("%d bytes are held, %d requests have no answer, %d wait", q.held, len(q.calls), len(q.waiting))
			}
		}
		// The host answers whatever it is asked from here on; all ends.
		done := g.s.Close()
		for end := false; !end; {
			host.release()
			g.post()
			select {
			case <-done:
				end = true
			default:
				runtime.Gosched()
			}
		}
		for g.post() {
		}
		if host.open != 0 || q.held != 0 || len(q.calls) != 0 || g.s.charged != (charges{}) {
			t.Errorf("%d nodes and files are open, %d bytes are held, %d requests have no answer; %+v is charged", host.open, q.held, len(q.calls), g.s.charged)
		}
		if g.replied != g.asked {
			t.Errorf("%d replies to %d requests", g.replied, g.asked)
		}
	})
}
