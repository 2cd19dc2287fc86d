package hostfs

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/internal/costtest"
)

// asker sends messages to a server that answers on the goroutine of the test.
type asker struct {
	t   *testing.T
	s   *fs9p.Server
	tag uint16
}

// ask gives the error of a message.
func (a *asker) ask(m fs9p.Message) (e fs9p.Errno) {
	a.tag++
	a.s.Serve(fs9p.Append(nil, a.tag, m), func(resp []byte) {
		_, r, err := fs9p.Parse(resp)
		check(a.t, err)
		if r, ok := r.(*fs9p.Rlerror); ok {
			e = fs9p.Errno(r.Errno)
		}
	})
	return e
}

// chain makes directories below fid 1 and leaves fid on the deepest one.
func (a *asker) chain(fid uint32, top string) {
	a.ask(&fs9p.Twalk{Fid: 1, NewFid: fid})
	for name := top; ; name = "d" {
		if e := a.ask(&fs9p.Tmkdir{Dir: fid, Name: name, Mode: 0o755}); e == fs9p.ENAMETOOLONG {
			return
		}
		if e := a.ask(&fs9p.Twalk{Fid: fid, NewFid: fid, Names: []string{name}}); e != 0 {
			a.t.Fatal(e)
		}
	}
}

// TestCost: a message takes 10 ms of a processor at most, whatever a guest has
// made in the folder. All directories are closed before each, which is what a
// guest with more than are kept open has.
func TestCost(t *testing.T) {
	costtest.Check(t, 10*time.Millisecond, func(measure costtest.Measure) { measureCosts(t, measure) })
}

// measureCosts sends what is costly about a folder in which there is much.
func measureCosts(t *testing.T, measure costtest.Measure) {
	dir := t.TempDir()
	files(t, dir, 2000)
	fs := open(t, dir)
	a := &asker{t: t, s: fs9p.New(fs9p.Config{FS: fs})}
	defer a.s.Close()
	for _, m := range []fs9p.Message{
		&fs9p.Tversion{Msize: fs9p.DefaultMsize, Version: "9P2000.L"},
		&fs9p.Tattach{Fid: 1, AFid: math.MaxUint32},
		&fs9p.Twalk{Fid: 1, NewFid: 2, Names: []string{"f00000"}},
		&fs9p.Twalk{Fid: 1, NewFid: 3},
		&fs9p.Tlopen{Fid: 3},
	} {
		if e := a.ask(m); e != 0 {
			t.Fatal(e)
		}
	}
	// Two chains of directories, and as many attributes on one file as there can be.
	a.chain(4, "one")
	a.chain(5, "two")
	for i := range 1000 {
		a.ask(&fs9p.Twalk{Fid: 2, NewFid: 9})
		name := fmt.Sprint("trusted.", i, strings.Repeat("n", 50))
		if e := a.ask(&fs9p.Txattrcreate{Fid: 9, Name: name}); e != 0 {
			t.Fatal(e)
		}
		a.ask(&fs9p.Tclunk{Fid: 9})
	}
	for _, m := range []fs9p.Message{
		&fs9p.Tgetattr{Fid: 4},
		&fs9p.Twalk{Fid: 4, NewFid: 10, Names: strings.Split(strings.Repeat(".. ", 15)+"..", " ")},
		&fs9p.Tmkdir{Dir: 10, Name: "x", Mode: 0o755},
		&fs9p.Tlcreate{Fid: 10, Name: "f", Flags: fs9p.ORdwr, Mode: 0o644},
		&fs9p.Twalk{Fid: 4, NewFid: 11, Names: []string{".."}},
		&fs9p.Twalk{Fid: 5, NewFid: 12, Names: []string{".."}},
		&fs9p.Trenameat{OldDir: 11, OldName: "d", NewDir: 12, NewName: "e"},
		&fs9p.Trenameat{OldDir: 12, OldName: "e", NewDir: 11, NewName: "d"},
		&fs9p.Tlink{Dir: 11, Fid: 10, Name: "l"},
		&fs9p.Tsetattr{Fid: 4, Attr: fs9p.SetAttr{Valid: fs9p.SetMode | fs9p.SetUID | fs9p.SetGID | fs9p.SetMtime, Mode: 0o7755}},
		&fs9p.Treaddir{Fid: 3, Count: math.MaxUint32},
		&fs9p.Treaddir{Fid: 3, Offset: 400, Count: math.MaxUint32},
		&fs9p.Treaddir{Fid: 3, Offset: 100, Count: math.MaxUint32},
		&fs9p.Txattrwalk{Fid: 2, NewFid: 13},
		&fs9p.Txattrcreate{Fid: 2, Name: "trusted.last", Size: 0},
		&fs9p.Tclunk{Fid: 2},
		&fs9p.Tunlinkat{Dir: 11, Name: "l"},
		&fs9p.Tclunk{Fid: 10}, &fs9p.Tclunk{Fid: 11}, &fs9p.Tclunk{Fid: 12}, &fs9p.Tclunk{Fid: 4}, &fs9p.Tclunk{Fid: 5}, &fs9p.Tclunk{Fid: 3},
	} {
		for fs.folders.Len() > 0 {
			fs.closeFolder(fs.folders.Back().Value.(*inode))
		}
		var e fs9p.Errno
		measure(fmt.Sprintf("%.80s", fs9p.Describe(1, m)), func() { e = a.ask(m) })
		if e != 0 {
			t.Errorf("%.80s: %v", fs9p.Describe(1, m), e)
		}
	}
}
