package overlay_test

import (
	"fmt"
	"runtime"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
)

// TestMemory has a guest do the same to very many files of the lower. What the
// union remembers for that is no more than what it has charged to the upper, and
// goes with it.
func TestMemory(t *testing.T) {
	const files, dirs = 30_000, 100
	lower := memfs.New(memfs.Config{})
	for i := range files {
		if err := lower.Add(fmt.Sprintf("d%d/%d", i%dirs, i), memfs.Entry{}); err != nil {
			t.Fatal(err)
		}
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for what, do := range map[string]func(dir fs9p.Node, name string) error{
		"hold": func(dir fs9p.Node, name string) error { return with(dir, name, func(fs9p.Node) error { return nil }) },
		"chmod": func(dir fs9p.Node, name string) error {
			return with(dir, name, func(n fs9p.Node) error { return n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600}) })
		},
		"unlink": func(dir fs9p.Node, name string) error { return dir.Unlink(name, false) },
		"rename": func(dir fs9p.Node, name string) error { return dir.Rename(name, dir, "new"+name) },
		"replace": func(dir fs9p.Node, name string) error {
			if _, err := dir.Mknod("temp", fs9p.ModeRegular|0o600, 0, fs9p.Owner{}); err != nil {
				return err
			}
			return dir.Rename("temp", dir, name)
		},
		"change and remove": func(dir fs9p.Node, name string) error {
			err := with(dir, name, func(n fs9p.Node) error { return n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o600}) })
			if err == nil {
				err = dir.Unlink(name, false)
			}
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			before := heap()
			upper := memfs.New(memfs.Config{})
			fs, err := overlay.New(overlay.Config{Upper: upper, Lower: lower})
			if err != nil {
				t.Fatal(err)
			}
			charged := func() int64 {
				st, err := upper.Statfs()
				if err != nil {
					t.Fatal(err)
				}
				return int64(st.Blocks-st.BlocksFree) * int64(st.BlockSize)
			}
			none := charged()
			root, err := fs.Attach("")
			if err != nil {
				t.Fatal(err)
			}
			for i := range files {
				err := with(root, fmt.Sprint("d", i%dirs), func(dir fs9p.Node) error { return do(dir, fmt.Sprint(i)) })
				if err != nil {
					t.Fatal(err)
				}
			}
			const factor, free = 2, 500_000
			if kept, c := heap()-before, charged()-none; kept > factor*c+free {
				t.Errorf("%d bytes are kept, %d are charged", kept, c)
			}
			root.Release()
			runtime.KeepAlive(fs)
		})
	}
}

// with calls f with an entry of a directory.
func with(dir fs9p.Node, name string, f func(n fs9p.Node) error) error {
	n, err := dir.Walk(name)
	if err != nil {
		return err
	}
	defer n.Release()
	return f(n)
}
