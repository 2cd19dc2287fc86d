package memfs

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/internal/costtest"
)

// heap is the memory in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// pattern is a request of which a guest sends many: the i-th of the fid f, which is the
// root or one that a walk has got.
type pattern func(f, i uint32) fs9p.Message

// patterns are requests of all kinds that leave something behind or look at what others
// have left.
var patterns = []pattern{
	func(f, i uint32) fs9p.Message { return &fs9p.Tmkdir{Dir: f, Name: fmt.Sprint("d", i), Mode: 0o755} },
	func(f, i uint32) fs9p.Message {
		return &fs9p.Tmknod{Fid: f, Name: fmt.Sprint("f", i), Mode: fs9p.ModeRegular | 0o644}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Tmknod{Fid: f, Name: fmt.Sprint(strings.Repeat("n", 240), i), Mode: 0o010644}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Tsymlink{Fid: f, Name: fmt.Sprint("s", i), Target: strings.Repeat("t", int(i%4000)+1)}
	},
	func(f, i uint32) fs9p.Message { return &fs9p.Tlink{Dir: f, Fid: openFid, Name: fmt.Sprint("l", i)} },
	func(f, i uint32) fs9p.Message { return &fs9p.Twalk{Fid: f, NewFid: firstFid + i} },
	func(f, i uint32) fs9p.Message {
		return &fs9p.Twalk{Fid: f, NewFid: here, Names: []string{fmt.Sprint("d", i)}}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Twalk{Fid: f, NewFid: firstFid + i, Names: strings.Split(strings.Repeat("d0 ", 15)+"d0", " ")}
	},
	func(f, i uint32) fs9p.Message { return &fs9p.Tunlinkat{Dir: f, Name: fmt.Sprint("f", i)} },
	func(f, i uint32) fs9p.Message {
		return &fs9p.Tunlinkat{Dir: f, Name: fmt.Sprint("d", i), Flags: fs9p.RemoveDir}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Trenameat{OldDir: f, OldName: fmt.Sprint("d", i), NewDir: rootFid, NewName: fmt.Sprint("d", i/2)}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Twrite{Fid: openFid, Offset: uint64(i) << 13, Data: []byte{1}}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Twrite{Fid: openFid, Offset: math.MaxInt64 >> (i % 60), Data: make([]byte, 4096)}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Tsetattr{Fid: openFid, Attr: fs9p.SetAttr{Valid: fs9p.SetSize, Size: math.MaxUint64 >> (i % 64)}}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Tread{Fid: openFid, Offset: uint64(i) << 20, Count: math.MaxUint32}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Tlock{Fid: openFid, Kind: uint8(i % 3), Start: 2 * uint64(i), Length: 1}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Tgetlock{Fid: openFid, Kind: fs9p.LockWrite, Start: uint64(i), Length: math.MaxUint64}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Txattrcreate{Fid: firstFid + i, Name: fmt.Sprint("user.", i)}
	},
	func(f, i uint32) fs9p.Message {
		return &fs9p.Txattrcreate{Fid: firstFid + i, Name: fmt.Sprint("user.", i), Size: 1 << 16}
	},
	func(f, i uint32) fs9p.Message { return &fs9p.Txattrwalk{Fid: f, NewFid: firstFid + i} },
	func(f, i uint32) fs9p.Message { return &fs9p.Tclunk{Fid: firstFid + i} },
	func(f, i uint32) fs9p.Message { return &fs9p.Tlopen{Fid: firstFid + i} },
	func(f, i uint32) fs9p.Message {
		return &fs9p.Treaddir{Fid: firstFid + i, Offset: uint64(i), Count: math.MaxUint32}
	},
	func(f, i uint32) fs9p.Message { return &fs9p.Tgetattr{Fid: f, Mask: math.MaxUint64} },
	func(f, i uint32) fs9p.Message { return &fs9p.Tversion{Msize: fs9p.DefaultMsize, Version: "9P2000.L"} },
	func(f, i uint32) fs9p.Message { return &fs9p.Tattach{Fid: rootFid, AFid: 1<<32 - 1} },
}

// The fids of patterns.
const (
	rootFid  = 1
	openFid  = 2 // a file, open for everything
	here     = 3 // where the last walk that found something has led
	firstFid = 10
)

// What FuzzCost allows.
const (
	costRequests = 10_000 // of an input
	costTime     = 50 * time.Millisecond
	costFactor   = 2       // memory as it is, to memory as it is charged
	costFree     = 4 << 20 // of what has no charge: the session itself
	costFid      = 400     // of a fid, beside the names that it was walked to
)

// FuzzCost sends many requests of few kinds. Whatever they leave behind, each takes its
// bounded time of a processor, and the memory that is kept stays in proportion to what is
// charged. (The property is 10 ms; five times that keeps a page fault or two of the host out,
// and what grows with a guest's state grows beyond any bound.)
func FuzzCost(f *testing.F) {
	for i := range byte(len(patterns)) {
		f.Add([]byte{0, 13, i, 13, (i + 1) % byte(len(patterns)), 13})
	}
	f.Add([]byte{0, 1, 6, 1, 128, 1, 134, 1, 128, 1, 134, 1}) // folders in each other
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 40 {
			return
		}
		costtest.Check(t, costTime, func(measure costtest.Measure) { measureCosts(t, in, measure) })
	})
}

// measureCosts sends the requests that an input stands for.
func measureCosts(t *testing.T, in []byte, measure costtest.Measure) {
	before := heap()
	fs := New(Config{Limit: 64 << 20, Files: 1 << 16})
	if err := fs.Add("file", Entry{}); err != nil {
		t.Fatal(err)
	}
	var posted []func()
	s := fs9p.New(fs9p.Config{FS: fs, Post: func(f func()) { posted = append(posted, f) }, MaxFids: costRequests})
	var wire []byte
	requests := 0
	send := func(m fs9p.Message) {
		wire = fs9p.Append(wire[:0], 1, m)
		measure(fmt.Sprintf("%T", m), func() { s.Serve(wire, func([]byte) {}) })
		for ; len(posted) > 0; posted = posted[1:] {
			measure("what comes after", posted[0])
		}
		requests++
	}
	send(&fs9p.Tversion{Msize: fs9p.DefaultMsize, Version: "9P2000.L"})
	send(&fs9p.Tattach{Fid: rootFid, AFid: 1<<32 - 1})
	send(&fs9p.Twalk{Fid: rootFid, NewFid: here})
	send(&fs9p.Twalk{Fid: rootFid, NewFid: openFid, Names: []string{"file"}})
	send(&fs9p.Tlopen{Fid: openFid, Flags: fs9p.ORdwr})
	for ; len(in) >= 2; in = in[2:] {
		make, fid := patterns[int(in[0]&127)%len(patterns)], uint32(rootFid)
		if in[0]&128 != 0 {
			fid = here
		}
		for i := range uint32(1) << (in[1] % 14) {
			if requests < costRequests {
				send(make(fid, i))
			}
		}
	}
	charged := fs.tree.Used() + int64(requests)*costFid
	if used := heap() - before; used > costFactor*charged+costFree {
		t.Errorf("%d bytes are kept, %d are charged", used, charged)
	}
	runtime.KeepAlive(wire)
	s.Close()
	checkAccounts(t, fs)
}
