package fs9p

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"alpinevm/internal/costtest"
)

// loads are what a guest can lay up in a session. Fid 1 is the root directory,
// fid 3 a file open for everything; the others begin at 10.
var loads = []struct {
	name string
	lay  func(s *Server, send func(Message))
}{
	{"nothing", func(*Server, func(Message)) {}},
	{"many fids", func(_ *Server, send func(Message)) {
		for i := range uint32(200_000) {
			send(&Twalk{Fid: 1, NewFid: 10 + i, Names: []string{strings.Repeat("n", MaxName)}})
		}
	}},
	{"many fids of an earlier session", func(_ *Server, send func(Message)) {
		for i := range uint32(200_000) {
			send(&Twalk{Fid: 1, NewFid: 10 + i, Names: []string{"n"}})
		}
		send(&Tversion{Msize: DefaultMsize, Version: "9P2000.L"})
		open(send)
	}},
	// The locks are entered by hand, as each one goes through those before it.
	{"locks of one owner on one file", func(s *Server, send func(Message)) {
		f := s.session.fids.At(3)
		f.locks = true
		for i := range uint64(maxLocks) {
			s.session.locks.enter(2, lock{start: 2 * i, end: 2 * i, fid: f, kind: LockWrite})
		}
	}},
	{"locks of many owners on one file", func(s *Server, send func(Message)) {
		for i := range uint32(maxLocks) {
			send(&Twalk{Fid: 1, NewFid: 10 + i, Names: []string{"n"}})
			send(&Tlopen{Fid: 10 + i, Flags: ORdwr})
			f := s.session.fids.At(10 + i)
			f.locks = true
			s.session.locks.enter(2, lock{start: 1, end: math.MaxUint64, fid: f, proc: i, client: strings.Repeat("c", maxClientID), kind: LockRead})
		}
	}},
	{"locks on many files", func(s *Server, send func(Message)) {
		f := s.session.fids.At(3)
		f.locks = true
		for i := range uint64(maxLocks) {
			s.session.locks.enter(2+i, lock{end: math.MaxUint64, fid: f, kind: LockRead})
		}
	}},
	{"attributes", func(_ *Server, send func(Message)) {
		for i := range uint32(500) {
			send(&Txattrwalk{Fid: 3, NewFid: 10 + i})
		}
	}},
	{"requests that wait", func(_ *Server, send func(Message)) {
		send(&Twalk{Fid: 1, NewFid: 9, Names: []string{"wait"}})
		send(&Tlopen{Fid: 9, Flags: ORdwr})
		for range 2 * maxPending {
			send(&Tread{Fid: 9, Count: 100})
			send(&Twrite{Fid: 9, Data: make([]byte, 100)})
		}
	}},
}

func open(send func(Message)) {
	send(&Tattach{Fid: 1, AFid: noFid})
	send(&Twalk{Fid: 1, NewFid: 3, Names: []string{"file"}})
	send(&Tlopen{Fid: 3, Flags: ORdwr})
}

// costly are requests of all kinds, the large ones of each; the last end the session.
var costly = []Message{
	&Tattach{Fid: 4, AFid: noFid},
	&Twalk{Fid: 1, NewFid: 5, Names: strings.Split(strings.Repeat(strings.Repeat("n", MaxName)+" ", maxWalk-1)+"n", " ")},
	&Tlock{Fid: 3, Start: 100_001, Length: 1, Kind: LockWrite},
	&Tlock{Fid: 3, Start: 50_000, Length: 1, Kind: LockUnlock},
	&Tgetlock{Fid: 3, Start: 0, Kind: LockWrite},
	&Tlock{Fid: 3, Kind: LockWrite},
	&Tlock{Fid: 3, Kind: LockRead},
	&Tlock{Fid: 3, Kind: LockUnlock},
	&Tread{Fid: 3, Count: math.MaxUint32},
	&Twrite{Fid: 3, Data: make([]byte, DefaultMsize-23)},
	&Tlopen{Fid: 4}, &Treaddir{Fid: 4, Count: math.MaxUint32},
	&Txattrwalk{Fid: 3, NewFid: 6}, &Tread{Fid: 6, Count: math.MaxUint32}, &Tclunk{Fid: 6},
	&Txattrcreate{Fid: 5, Name: "user.a", Size: MaxXattr}, &Tclunk{Fid: 5},
	&Tgetattr{Fid: 3}, &Tstatfs{Fid: 3}, &Tfsync{Fid: 3}, &Tsetattr{Fid: 3},
	&Tflush{OldTag: 1}, &Tremove{Fid: 4}, &Tclunk{Fid: 10}, &Tclunk{Fid: 11}, &Tclunk{Fid: 3}, &Tclunk{Fid: 1},
	&Tversion{Msize: DefaultMsize, Version: "9P2000.L"}, &Tattach{Fid: 1, AFid: noFid},
	&Tversion{Msize: DefaultMsize, Version: "9P2000.L"},
}

// TestCost: a message takes 10 ms of a processor at most, whatever the guest has
// laid up, and what that takes on the host is bounded.
func TestCost(t *testing.T) {
	for _, load := range loads {
		t.Run(load.name, func(t *testing.T) {
			costtest.Check(t, 10*time.Millisecond, func(measure costtest.Measure) { measureCosts(t, load.lay, measure) })
		})
	}
}

// measureCosts sends what is costly to a server for which lay has laid something up.
func measureCosts(t *testing.T, lay func(s *Server, send func(Message)), measure costtest.Measure) {
	before := heap()
	fs := &stub{names: strings.Split(strings.Repeat("ab ", 20_000)+"b", " ")}
	var posted []func()
	s := New(Config{FS: fs, Post: func(f func()) { posted = append(posted, f) }})
	var wire []byte
	tag := uint16(0)
	send := func(m Message) {
		tag++
		wire = Append(wire[:0], tag, m)
		s.Serve(wire, func([]byte) {})
	}
	send(&Tversion{Msize: DefaultMsize, Version: "9P2000.L"})
	open(send)
	lay(s, send)
	if used, most := heap()-before, uint64(150<<20); used < 1<<40 && used > most {
		t.Errorf("the host has spent %d bytes, want %d at most", used, most)
	}
	for _, m := range costly {
		wire = Append(wire[:0], 1, m)
		measure(fmt.Sprintf("%.80s", Describe(1, m)), func() { s.Serve(wire, func([]byte) {}) })
	}
	measure("a reset", s.Reset)
	for len(posted) > 0 {
		f := posted[0]
		posted = posted[1:]
		measure("a step of what comes after", f)
	}
	s.Close()
	if fs.open != 0 || s.charged != (charges{}) || s.over.count != 0 {
		t.Errorf("%d nodes and files are open; %+v is charged, %d fids are left", fs.open, s.charged, s.over.count)
	}
}
