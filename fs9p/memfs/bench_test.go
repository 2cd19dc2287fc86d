package memfs

import (
	"testing"

	"alpinevm/fs9p"
)

// wire sends messages without the checks of fstest, so that the server is measured.
type wire struct {
	s   *fs9p.Server
	b   *testing.B
	buf []byte
}

func dial(b *testing.B) *wire {
	w := &wire{s: fs9p.New(fs9p.Config{FS: New(Config{})}), b: b}
	w.send(&fs9p.Tversion{Msize: fs9p.DefaultMsize, Version: "9P2000.L"})
	w.send(&fs9p.Tattach{Fid: 1, AFid: 1<<32 - 1})
	b.ReportAllocs()
	return w
}

func (w *wire) send(m fs9p.Message) {
	w.buf = fs9p.Append(w.buf[:0], 1, m)
	w.s.Serve(w.buf, func(resp []byte) {
		if resp[4] == byte(fs9p.MsgRlerror) {
			_, r, _ := fs9p.Parse(resp)
			w.b.Fatalf("%T: %v", m, fs9p.Errno(r.(*fs9p.Rlerror).Errno))
		}
	})
}

// BenchmarkCreateRenameUnlink is the cycle of messages that v9fs sends for it.
func BenchmarkCreateRenameUnlink(b *testing.B) {
	w := dial(b)
	for b.Loop() {
		w.send(&fs9p.Twalk{Fid: 1, NewFid: 2})
		w.send(&fs9p.Tlcreate{Fid: 2, Name: "tmp", Flags: 0o102, Mode: 0o644})
		w.send(&fs9p.Twalk{Fid: 1, NewFid: 3, Names: []string{"tmp"}})
		w.send(&fs9p.Tgetattr{Fid: 3, Mask: fs9p.AttrBasic})
		w.send(&fs9p.Tclunk{Fid: 2})
		w.send(&fs9p.Trenameat{OldDir: 1, OldName: "tmp", NewDir: 1, NewName: "final"})
		w.send(&fs9p.Tunlinkat{Dir: 1, Name: "final"})
		w.send(&fs9p.Tclunk{Fid: 3})
	}
}

// BenchmarkReadSmall looks up, opens and reads a file of 2 KB.
func BenchmarkReadSmall(b *testing.B) {
	w := dial(b)
	w.send(&fs9p.Twalk{Fid: 1, NewFid: 2})
	w.send(&fs9p.Tlcreate{Fid: 2, Name: "small", Flags: 2, Mode: 0o644})
	w.send(&fs9p.Twrite{Fid: 2, Data: make([]byte, 2048)})
	for b.Loop() {
		w.send(&fs9p.Twalk{Fid: 1, NewFid: 3, Names: []string{"small"}})
		w.send(&fs9p.Tgetattr{Fid: 3, Mask: fs9p.AttrBasic})
		w.send(&fs9p.Twalk{Fid: 3, NewFid: 4})
		w.send(&fs9p.Tlopen{Fid: 4})
		w.send(&fs9p.Tread{Fid: 4, Count: 4096})
		w.send(&fs9p.Tread{Fid: 4, Offset: 2048, Count: 4096})
		w.send(&fs9p.Tclunk{Fid: 4})
		w.send(&fs9p.Tclunk{Fid: 3})
	}
}

const sequential = 200 << 20

func BenchmarkWriteSequential(b *testing.B) {
	w := dial(b)
	w.send(&fs9p.Twalk{Fid: 1, NewFid: 2})
	w.send(&fs9p.Tlcreate{Fid: 2, Name: "big", Flags: 2, Mode: 0o644})
	b.SetBytes(sequential)
	for b.Loop() {
		w.send(&fs9p.Tsetattr{Fid: 2, Attr: fs9p.SetAttr{Valid: fs9p.SetSize}})
		w.writeBig()
	}
}

func (w *wire) writeBig() {
	p := make([]byte, 500_000)
	for off := 0; off < sequential; off += len(p) {
		w.send(&fs9p.Twrite{Fid: 2, Offset: uint64(off), Data: p})
	}
}

func BenchmarkReadSequential(b *testing.B) {
	w := dial(b)
	w.send(&fs9p.Twalk{Fid: 1, NewFid: 2})
	w.send(&fs9p.Tlcreate{Fid: 2, Name: "big", Flags: 2, Mode: 0o644})
	w.writeBig()
	b.SetBytes(sequential)
	for b.Loop() {
		for off := 0; off < sequential; off += 500_000 {
			w.send(&fs9p.Tread{Fid: 2, Offset: uint64(off), Count: 500_000})
		}
	}
}
