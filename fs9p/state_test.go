package fs9p_test

import (
	"fmt"
	"hash/crc32"
	"math/rand"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/internal/statetest"
)

// connection is a server of files in memory and a client without manners.
type connection struct {
	tb  testing.TB
	fs  *memfs.FS
	srv *fs9p.Server
}

var memory = memfs.Config{Now: func() time.Time { return time.Unix(1_000_000_000, 0) }}

func connect(tb testing.TB, fs *memfs.FS) *connection {
	c := &connection{tb: tb, fs: fs, srv: fs9p.New(fs9p.Config{FS: fs, MaxFids: 24})}
	tb.Cleanup(func() { c.srv.Close() })
	return c
}

// call gives the reply in words.
func (c *connection) call(m fs9p.Message) string {
	seen := "nothing"
	c.srv.Serve(fs9p.Append(nil, 1, m), func(resp []byte) {
		_, r, err := fs9p.Parse(resp)
		if err != nil {
			c.tb.Fatalf("%s: reply % x: %v", fs9p.Describe(1, m), resp, err)
		}
		seen = fmt.Sprintf("%s %x", fs9p.Describe(1, r), crc32.ChecksumIEEE(resp))
	})
	return fs9p.Describe(1, m) + "\n  " + seen
}

// Step is part of statetest.Rig.
func (c *connection) Step(rnd *rand.Rand) string {
	fid := func() uint32 { return uint32(rnd.Intn(6)) }
	names := []string{"a", "b", "c"}
	name := func() string { return names[rnd.Intn(len(names))] }
	flags := func() uint32 {
		return [...]uint32{fs9p.ORdonly, fs9p.OWronly, fs9p.ORdwr, fs9p.ORdwr | fs9p.OTrunc, fs9p.OAppend | fs9p.OWronly}[rnd.Intn(5)]
	}
	data := []byte(strings.Repeat(name(), rnd.Intn(20)))
	walk := []string{name(), "..", name()}[:rnd.Intn(4)]
	messages := [...]fs9p.Message{
		&fs9p.Tattach{Fid: fid(), AFid: 1<<32 - 1, UID: uint32(rnd.Intn(3)), Aname: [...]string{"", "a", "b"}[rnd.Intn(3)]},
		&fs9p.Twalk{Fid: fid(), NewFid: fid(), Names: walk},
		&fs9p.Twalk{Fid: fid(), NewFid: fid(), Names: walk[:min(1, len(walk))]},
		&fs9p.Tlcreate{Fid: fid(), Name: name(), Flags: flags(), Mode: 0o644},
		&fs9p.Tmkdir{Dir: fid(), Name: name(), Mode: 0o755},
		&fs9p.Tlopen{Fid: fid(), Flags: flags()},
		&fs9p.Tlopen{Fid: fid()},
		&fs9p.Twrite{Fid: fid(), Offset: uint64(rnd.Intn(50)), Data: data},
		&fs9p.Tread{Fid: fid(), Offset: uint64(rnd.Intn(50)), Count: uint32(rnd.Intn(50))},
		&fs9p.Treaddir{Fid: fid(), Offset: uint64(rnd.Intn(6)), Count: 4000},
		&fs9p.Tgetattr{Fid: fid(), Mask: fs9p.AttrBasic},
		&fs9p.Tunlinkat{Dir: fid(), Name: name(), Flags: uint32(rnd.Intn(2)) * fs9p.RemoveDir},
		&fs9p.Trenameat{OldDir: fid(), OldName: name(), NewDir: fid(), NewName: name()},
		&fs9p.Trename{Fid: fid(), Dir: fid(), Name: name()},
		&fs9p.Tremove{Fid: fid()},
		&fs9p.Tlink{Dir: fid(), Fid: fid(), Name: name()},
		&fs9p.Txattrcreate{Fid: fid(), Name: "user." + name(), Size: uint64(rnd.Intn(4)), Flags: uint32(rnd.Intn(3))},
		&fs9p.Txattrwalk{Fid: fid(), NewFid: fid(), Name: [...]string{"", "user.a", "user.b"}[rnd.Intn(3)]},
		&fs9p.Tlock{Fid: fid(), Kind: uint8(rnd.Intn(3)), Start: uint64(rnd.Intn(9)), Length: uint64(rnd.Intn(9)), ProcID: uint32(rnd.Intn(3)), ClientID: "c"},
		&fs9p.Tgetlock{Fid: fid(), Kind: uint8(rnd.Intn(2)), ProcID: 9},
		&fs9p.Tclunk{Fid: fid()},
	}
	// What belongs together is rare enough as it is.
	if x := fid(); rnd.Intn(4) == 0 {
		pair := [...][2]fs9p.Message{
			{&fs9p.Txattrcreate{Fid: x, Name: "user.a", Size: 2}, &fs9p.Twrite{Fid: x, Data: []byte("v")}},
			{&fs9p.Twrite{Fid: x, Offset: 1, Data: []byte("w")}, &fs9p.Tclunk{Fid: x}},
			{&fs9p.Tlcreate{Fid: x, Name: name(), Flags: fs9p.ORdwr | fs9p.OTrunc}, &fs9p.Twrite{Fid: x, Data: []byte("content")}},
			{&fs9p.Twalk{Fid: x, NewFid: 5, Names: []string{".."}}, &fs9p.Tgetattr{Fid: 5}},
			{&fs9p.Tlopen{Fid: x}, &fs9p.Treaddir{Fid: x, Count: 4000}},
		}[rnd.Intn(5)]
		return c.call(pair[0]) + c.call(pair[1])
	}
	if rnd.Intn(150) == 0 {
		return c.call(&fs9p.Tversion{Msize: 8192, Version: "9P2000.L"})
	}
	return c.call(messages[rnd.Intn(len(messages))])
}

// Fork is part of statetest.Rig.
func (c *connection) Fork(tb testing.TB) statetest.Rig {
	fs, err := memfs.Restore(memory, statetest.Copy(tb, c.fs.Save()))
	if err != nil {
		tb.Fatal(err)
	}
	f := connect(tb, fs)
	statetest.Move(tb, f.srv, c.srv)
	fs.Settle()
	return f
}

// begin starts a session.
func (c *connection) begin() *connection {
	c.call(&fs9p.Tversion{Msize: 8192, Version: "9P2000.L"})
	c.call(&fs9p.Tattach{Fid: 1, AFid: 1<<32 - 1})
	return c
}

func TestState(t *testing.T) {
	statetest.GoOn(t, func(tb testing.TB) statetest.Rig { return connect(tb, memfs.New(memory)).begin() })
	fs := func(tb testing.TB) *memfs.FS {
		c := connect(tb, memfs.New(memory)).begin()
		rnd := rand.New(rand.NewSource(3))
		for range 200 {
			c.Step(rnd)
		}
		return c.fs
	}
	statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[fs9p.State]) {
		c := connect(tb, fs(tb)).begin()
		return c, c
	})
}

// Save is part of statetest.Saver.
func (c *connection) Save() fs9p.State { return c.srv.Save() }

// Restore is part of statetest.Saver: another server takes over.
func (c *connection) Restore(s fs9p.State) error {
	srv := fs9p.New(fs9p.Config{FS: c.fs, MaxFids: 24})
	err := srv.Restore(s)
	if err == nil {
		c.srv = srv
	}
	return err
}

// TestGone: files that are not there after a restore answer ESTALE, whatever is
// asked, and can be let go of.
func TestGone(t *testing.T) {
	c := connect(t, memfs.New(memory)).begin()
	for _, m := range []fs9p.Message{
		&fs9p.Tmkdir{Dir: 1, Name: "d", Mode: 0o755}, &fs9p.Twalk{Fid: 1, NewFid: 2, Names: []string{"d"}},
		&fs9p.Twalk{Fid: 1, NewFid: 3}, &fs9p.Tlcreate{Fid: 3, Name: "open", Flags: fs9p.ORdwr},
		&fs9p.Twalk{Fid: 1, NewFid: 4}, &fs9p.Tlcreate{Fid: 4, Name: "shut"}, &fs9p.Twalk{Fid: 4, NewFid: 5}, &fs9p.Tclunk{Fid: 4},
		&fs9p.Tlock{Fid: 3, Kind: fs9p.LockWrite},
	} {
		if r := c.call(m); strings.Contains(r, "Rlerror") {
			t.Fatal(r)
		}
	}
	after := connect(t, memfs.New(memory))
	statetest.Move(t, after.srv, c.srv)
	for _, m := range []fs9p.Message{
		&fs9p.Tread{Fid: 3, Count: 1}, &fs9p.Twrite{Fid: 3, Data: []byte("x")}, &fs9p.Tfsync{Fid: 3}, &fs9p.Tgetattr{Fid: 3},
		&fs9p.Tsetattr{Fid: 5}, &fs9p.Tlopen{Fid: 5}, &fs9p.Tlock{Fid: 3, Kind: fs9p.LockUnlock}, &fs9p.Txattrwalk{Fid: 5, NewFid: 9},
		&fs9p.Twalk{Fid: 2, NewFid: 9, Names: []string{"x"}}, &fs9p.Tmkdir{Dir: 2, Name: "x"}, &fs9p.Tlcreate{Fid: 2, Name: "x"},
		&fs9p.Tlink{Dir: 1, Fid: 5, Name: "x"}, &fs9p.Tlink{Dir: 2, Fid: 1, Name: "x"}, &fs9p.Trename{Fid: 5, Dir: 1, Name: "x"},
		&fs9p.Trenameat{OldDir: 1, OldName: "a", NewDir: 2, NewName: "x"}, &fs9p.Tunlinkat{Dir: 2, Name: "x"}, &fs9p.Tremove{Fid: 5},
	} {
		if r := after.call(m); !strings.Contains(r, "Rlerror ESTALE") {
			t.Error(r)
		}
	}
	for _, fid := range []uint32{1, 2, 3, 5} {
		if r := after.call(&fs9p.Tclunk{Fid: fid}); !strings.Contains(r, "Rclunk") {
			t.Error(r)
		}
	}
}

// TestRestoreRefused: a server that has a session takes no other.
func TestRestoreRefused(t *testing.T) {
	c := connect(t, memfs.New(memory)).begin()
	before := fmt.Sprint(c.srv.Save())
	if err := c.srv.Restore(fs9p.State{}); err == nil || fmt.Sprint(c.srv.Save()) != before {
		t.Errorf("%v; %v", err, c.srv.Save())
	}
}
