package memfs

import (
	"fmt"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/internal/tree"
	"alpinevm/internal/costtest"
)

// TestLargeCosts sends messages about what is as large as a guest can make it.
// None takes long, whatever there is, nor when it goes.
func TestLargeCosts(t *testing.T) {
	costtest.Check(t, costTime, func(measure costtest.Measure) { measureLarge(t, measure) })
}

func measureLarge(t *testing.T, measure costtest.Measure) {
	fs := New(Config{})
	s := fs9p.New(fs9p.Config{FS: fs})
	defer s.Close()
	var wire, reply []byte
	send := func(what string, m fs9p.Message) {
		t.Helper()
		wire = fs9p.Append(wire[:0], 1, m)
		measure(what, func() { s.Serve(wire, func(b []byte) { reply = append(reply[:0], b...) }) })
		if reply[4] == byte(fs9p.MsgRlerror) {
			_, r, _ := fs9p.Parse(reply)
			t.Fatalf("%s: %T: %v", what, m, fs9p.Errno(r.(*fs9p.Rlerror).Errno))
		}
	}
	send("begin", &fs9p.Tversion{Msize: fs9p.DefaultMsize, Version: "9P2000.L"})
	send("begin", &fs9p.Tattach{Fid: rootFid, AFid: 1<<32 - 1})

	// A directory of very many names.
	const names = 150_000
	send("begin", &fs9p.Tmkdir{Dir: rootFid, Name: "many", Mode: 0o755})
	send("begin", &fs9p.Twalk{Fid: rootFid, NewFid: here, Names: []string{"many"}})
	for i := range names {
		send("mknod", &fs9p.Tmknod{Fid: here, Name: fmt.Sprint(i), Mode: fs9p.ModeRegular | 0o644})
	}
	send("begin", &fs9p.Twalk{Fid: here, NewFid: firstFid})
	send("begin", &fs9p.Tlopen{Fid: firstFid})
	for i := range uint64(20) {
		send("readdir", &fs9p.Treaddir{Fid: firstFid, Offset: i * names / 20, Count: 1 << 20})
	}
	for i := range names {
		send("unlink", &fs9p.Tunlinkat{Dir: here, Name: fmt.Sprint((i * 7919) % names)})
	}

	// A file of very many parts, cut in many ways.
	send("begin", &fs9p.Twalk{Fid: rootFid, NewFid: firstFid + 1})
	send("begin", &fs9p.Tlcreate{Fid: firstFid + 1, Name: "parts", Flags: fs9p.ORdwr, Mode: 0o644})
	const parts = 8000
	for i := range uint64(parts) {
		send("write", &fs9p.Twrite{Fid: firstFid + 1, Offset: i << 30, Data: []byte{1}})
	}
	for i := range uint64(100) {
		send("cut", &fs9p.Tsetattr{Fid: firstFid + 1, Attr: fs9p.SetAttr{Valid: fs9p.SetSize, Size: (parts - i) << 30}})
	}
	send("read a hole", &fs9p.Tread{Fid: firstFid + 1, Offset: 1<<30 + 4096, Count: 1 << 20})
	send("cut", &fs9p.Tsetattr{Fid: firstFid + 1, Attr: fs9p.SetAttr{Valid: fs9p.SetSize, Size: 5}})

	// Directories in each other.
	for i := range tree.MaxDepth - 2 {
		name := []string{fmt.Sprint("d", i%3)}
		send("mkdir", &fs9p.Tmkdir{Dir: here, Name: name[0], Mode: 0o755})
		send("walk", &fs9p.Twalk{Fid: here, NewFid: here, Names: name})
	}
	send("begin", &fs9p.Tmkdir{Dir: rootFid, Name: "moved", Mode: 0o755})
	send("rename", &fs9p.Trenameat{OldDir: rootFid, OldName: "moved", NewDir: here, NewName: "moved"})
	send("clunk", &fs9p.Tclunk{Fid: here})
}
