package tree

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"alpinevm/fs9p"
)

// heap is the memory that is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemory fills trees with what a guest can have kept, and takes most of it
// away again: the memory that is in use is at most a constant times what is
// charged, at any time.
func TestMemory(t *testing.T) {
	long := strings.Repeat("n", fs9p.MaxName-8)
	name := func(prefix string, i int) string { return fmt.Sprintf("%s%d", prefix, i) }
	// below gives one of some directories below the root.
	below := func(r *Inode, i int) *Inode {
		name := fmt.Sprint("below", i%1000)
		n, err := r.Walk(name)
		if err == fs9p.ENOENT {
			r.Mkdir(name, 0o755, fs9p.Owner{})
			n, err = r.Walk(name)
		}
		if err != nil {
			t.Fatal(err)
		}
		n.Release() // it has a name
		return n.(*Inode)
	}
	file := func(r *Inode, name string) error {
		_, err := r.Mknod(name, fs9p.ModeRegular|0o600, 0, fs9p.Owner{})
		return err
	}
	held := make([]*Inode, 100_000)
	for _, tt := range []struct {
		what string
		n    int
		make func(r *Inode, i int) error
		undo func(r *Inode, i int) error
	}{
		{"files with short names", 100_000,
			func(r *Inode, i int) error { return file(r, name("", i)) },
			func(r *Inode, i int) error { return r.Unlink(name("", i), false) }},
		{"files with long names", 50_000,
			func(r *Inode, i int) error { return file(r, name(long, i)) },
			func(r *Inode, i int) error { return r.Unlink(name(long, i), false) }},
		{"empty directories with long names", 50_000,
			func(r *Inode, i int) error { _, err := r.Mkdir(name(long, i), 0o755, fs9p.Owner{}); return err },
			func(r *Inode, i int) error { return r.Unlink(name(long, i), true) }},
		{"files in many directories", 50_000,
			func(r *Inode, i int) error { return file(below(r, i), fmt.Sprint(i)) },
			func(r *Inode, i int) error { return below(r, i).Unlink(fmt.Sprint(i), false) }},
		{"directories in a directory each", 20_000,
			func(r *Inode, i int) error {
				d := below(r, i)
				if _, err := d.Mkdir(name("d", i), 0o755, fs9p.Owner{}); err != nil {
					return err
				}
				n, err := d.Walk(name("d", i))
				if err != nil {
					return err
				}
				defer n.Release()
				return file(n.(*Inode), "f")
			},
			func(r *Inode, i int) error {
				n, err := below(r, i).Walk(name("d", i))
				if err != nil {
					return err
				}
				defer n.Release()
				if err := n.Unlink("f", false); err != nil {
					return err
				}
				return below(r, i).Unlink(name("d", i), true)
			}},
		{"links", 100_000,
			func(r *Inode, i int) error {
				if i == 0 {
					return file(r, name("", i))
				}
				n, err := r.Walk(name("", i-1))
				if err != nil {
					return err
				}
				defer n.Release()
				return r.Link(name("", i), n)
			},
			func(r *Inode, i int) error { return r.Unlink(name("", i), false) }},
		{"symbolic links", 50_000,
			func(r *Inode, i int) error {
				_, err := r.Symlink(name("", i), strings.Repeat("t", 1+i%500), fs9p.Owner{})
				return err
			},
			func(r *Inode, i int) error { return r.Unlink(name("", i), false) }},
		{"empty attributes", 50_000,
			func(r *Inode, i int) error { return below(r, i).SetXattr(name("", i), nil, 0) },
			func(r *Inode, i int) error { return below(r, i).RemoveXattr(name("", i)) }},
		{"attributes of a file each", 20_000,
			func(r *Inode, i int) error {
				if err := file(r, name("", i)); err != nil {
					return err
				}
				n, err := r.Walk(name("", i))
				if err != nil {
					return err
				}
				defer n.Release()
				return n.SetXattr("user.a", make([]byte, i%100), 0)
			},
			func(r *Inode, i int) error { return r.Unlink(name("", i), false) }},
		{"files without a name", 50_000,
			func(r *Inode, i int) error {
				n, h, err := r.Create("f", fs9p.ORdwr, 0o600, fs9p.Owner{})
				if err != nil {
					return err
				}
				held[i] = n.(*Inode)
				h.Close()
				return r.Unlink("f", false)
			},
			func(r *Inode, i int) error { held[i].Release(); held[i] = nil; return nil }},
		{"directories that were in each other and are held", 5_000,
			func(r *Inode, i int) error {
				at := r
				for range 10 {
					if _, err := at.Mkdir("d", 0o755, fs9p.Owner{}); err != nil {
						return err
					}
					n, err := at.Walk("d")
					if err != nil {
						return err
					}
					defer n.Release()
					at = n.(*Inode)
				}
				held[i] = at.hold()
				for at != r {
					at = at.dir.parent
					if err := at.Unlink("d", true); err != nil {
						return err
					}
				}
				return nil
			},
			func(r *Inode, i int) error { held[i].Release(); held[i] = nil; return nil }},
	} {
		t.Run(tt.what, func(t *testing.T) {
			clear(held)
			testMemory(t, tt.n, tt.make, tt.undo)
		})
	}
}

// testMemory makes n of something, and undoes it one by one.
func testMemory(t *testing.T, n int, do, undo func(r *Inode, i int) error) {
	before := heap()
	tree := New(Config{Store: silent{}, Now: empty().cfg.Now, Files: 1 << 21, Memory: 1 << 40})
	r := tree.Root()
	check := func(when string) {
		t.Helper()
		const factor, free = 2, 300_000
		if got := heap() - before; got > factor*tree.used+free {
			t.Errorf("%s: %d bytes are in use, %d are charged", when, got, tree.used)
		}
	}
	for i := range n {
		if err := do(r, i); err != nil {
			t.Fatal(err)
		}
	}
	check("full")
	for i := range n {
		if left := n - i; left == n/3 || left == n/10 || left == n/100 {
			check(fmt.Sprint(left, " are left"))
		}
		if err := undo(r, i); err != nil {
			t.Fatal(err)
		}
	}
	check("empty")
	runtime.KeepAlive(tree)
}

// silent is a store that keeps nothing.
type silent struct{}

func (silent) Content(uint64, bool) Content { return &data{} }

func (silent) Change(_ *Change, apply func()) error {
	apply()
	return nil
}

func (silent) Sync() error { return nil }
