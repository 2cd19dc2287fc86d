package tree

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// A store keeps contents in memory and remembers the changes that it was told.
type store struct {
	told [][]byte
}

func (s *store) Content(uint64, bool) Content { return &data{} }

func (s *store) Change(c *Change, apply func()) error {
	s.told = append(s.told, c.AppendTo(nil))
	apply()
	return nil
}

func (s *store) Sync() error { return nil }

type data struct {
	b       []byte
	dropped bool
}

func (d *data) Stat() (size, blocks uint64, err error) {
	return uint64(len(d.b)), uint64(len(d.b)+511) / 512, nil
}

func (d *data) ReadAt(p []byte, off uint64) (int, error) {
	return copy(p, d.b[min(off, uint64(len(d.b))):]), nil
}

func (d *data) WriteAt(p []byte, off uint64) (int, error) {
	if off > 64<<20 {
		return 0, fs9p.EFBIG
	}
	d.Truncate(max(off+uint64(len(p)), uint64(len(d.b))))
	return copy(d.b[off:], p), nil
}

func (d *data) Truncate(size uint64) error {
	if size > 64<<20 {
		return fs9p.EFBIG
	}
	d.b = append(d.b[:min(size, uint64(len(d.b)))], make([]byte, max(size, uint64(len(d.b)))-uint64(len(d.b)))...)
	return nil
}

func (d *data) Sync() error { return nil }
func (d *data) Drop()       { d.dropped = true }

// An fs makes a back end of a tree.
type fs struct{ *Tree }

func (f fs) Statfs() (fs9p.Statfs, error) {
	s := f.Tree.Statfs()
	s.BlockSize = 4096
	return s, nil
}

func empty() *Tree {
	return New(Config{Store: &store{}, Now: func() time.Time { return time.Unix(0, 0) }, Files: 1 << 21, Memory: math.MaxInt64})
}

func TestSuite(t *testing.T) {
	fstest.Run(t, func(*testing.T) fs9p.FS {
		return fs{New(Config{Store: &store{}, Now: time.Now, Files: 1 << 20, Memory: 1 << 30})}
	}, fstest.Sparse)
}

// outline tells what a tree holds. Names are in the order of their listing.
func outline(t *Tree) string {
	var b strings.Builder
	fmt.Fprintf(&b, "last %d names %d used %d\n", t.last, t.names, t.used)
	all := maps.Collect(t.inodes.All())
	for _, id := range slices.Sorted(maps.Keys(all)) {
		n := all[id]
		fmt.Fprintf(&b, "%d %+v %v %d links %d %q %q\n", id, n.attrs, n.btime, n.rdev, n.nlink, n.target, n.xattrs)
		if n.dir == nil {
			continue
		}
		fmt.Fprintf(&b, " in %d\n", n.dir.parent.id)
		for e := range n.dir.after(0) {
			fmt.Fprintf(&b, " %q %d\n", e.name, e.node.id)
		}
	}
	return b.String()
}

// again makes a tree of what Save says of another.
func again(t testing.TB, old *Tree, orphans bool) *Tree {
	t.Helper()
	now := empty()
	err := old.Save(now.Replay)
	if err == nil && orphans {
		err = old.SaveNameless(now.Replay)
	}
	if err != nil {
		t.Fatal(err)
	}
	return now
}

// TestContradictions has changes that do not fit each other.
func TestContradictions(t *testing.T) {
	file := Change{op: opMake, id: 2, dir: rootID, name: "f", attrs: attrs{mode: fs9p.ModeRegular}}
	dir := Change{op: opMake, id: 2, dir: rootID, name: "d", attrs: attrs{mode: fs9p.ModeDir}}
	for _, tt := range [][]Change{
		{file, file},
		{file, {op: opOrphan, id: 2}},
		{file, {op: opNext, id: 2, to: 9}},
		{dir, {op: opNext, id: 2, to: 1<<62 + 1}},
		{{op: opMake, id: rootID, dir: rootID, name: "f"}},
		{{op: opMake, id: 2, dir: 9, name: "f"}},
		{{op: opMake, id: 0, dir: rootID, name: "f"}},
		{{op: opMake, id: 1<<62 + 1, dir: rootID, name: "f"}},
		{{op: opOrphan, id: 1<<62 + 1}},
		{{op: opOrphan, id: rootID}},
		{file, {op: opMake, id: 3, dir: 2, name: "f"}},
		{file, {op: opMake, id: 3, dir: rootID, name: "f"}},
		{{op: opLink, id: 2, dir: rootID, name: "f"}},
		{dir, {op: opLink, id: 2, dir: rootID, name: "other"}},
		{{op: opLink, id: rootID, dir: rootID, name: "f"}},
		{{op: opUnlink, dir: rootID, name: "f"}},
		{{op: opPrune, dir: rootID, name: "f"}},
		{file, {op: opPrune, dir: rootID, name: "f"}},
		{dir, {op: opMake, id: 3, dir: 2, name: "e", attrs: attrs{mode: fs9p.ModeDir}}, {op: opPrune, dir: rootID, name: "d"}},
		{{op: opRename, dir: rootID, name: "f", to: rootID, newName: "g"}},
		{file, {op: opRename, dir: rootID, name: "f", to: 2, newName: "g"}},
		{dir, {op: opRename, dir: rootID, name: "d", to: 2, newName: "d"}},
	} {
		var b []byte
		for i := range tt {
			b = tt[i].AppendTo(b)
		}
		tree := empty()
		if err := tree.Replay(b); !errors.Is(err, ErrChange) {
			t.Errorf("%+v: %v", tt, err)
		}
		tree = empty()
		if skipped, err := tree.ReplaySome(append(b, b...)); err != nil || skipped == 0 {
			t.Errorf("%+v: skipped %d, %v", tt, skipped, err)
		}
		if a, b := outline(tree), outline(again(t, tree, true)); a != b {
			t.Errorf("%+v: %s\nafter it was saved\n%s", tt, a, b)
		}
	}
	// What is said of files that are no more means nothing.
	for _, c := range []Change{{op: opAttr, id: 7}, {op: opXattr, id: 7}, {op: opRmXattr, id: 7}, {op: opBirth, id: 7}} {
		tree := empty()
		if err := tree.Replay(c.AppendTo(nil)); err != nil || outline(tree) != outline(empty()) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, b := range [][]byte{{99}, {0}, {byte(opMake)}, {byte(opXattr), 1, 200}, append([]byte{byte(opLast)}, bytes.Repeat([]byte{0xff}, 20)...)} {
		if err := empty().Replay(b); !errors.Is(err, ErrCoded) {
			t.Errorf("% x: %v", b, err)
		}
	}
}

// FuzzReplay makes the changes of any bytes. What comes out must be a tree that
// Save makes again.
func FuzzReplay(f *testing.F) {
	var b []byte
	for _, c := range []Change{
		{op: opMake, id: 2, dir: rootID, name: "d", attrs: attrs{mode: fs9p.ModeDir | 0o755}},
		{op: opMake, id: 3, dir: 2, name: "f", attrs: attrs{mode: fs9p.ModeRegular | 0o644}},
		{op: opLink, id: 3, dir: rootID, name: "g"},
		{op: opXattr, id: 3, name: "user.x", value: "v"},
		{op: opAttr, id: 2, attrs: attrs{mode: 0o700, uid: 5}},
		{op: opRename, dir: 2, name: "f", to: rootID, newName: "g"},
		{op: opUnlink, dir: rootID, name: "g"},
		{op: opLast, id: 50},
		{op: opRmXattr, id: 2, name: "user.x"},
		{op: opPrune, dir: rootID, name: "d"},
		{op: opOrphan, id: 60, attrs: attrs{mode: fs9p.ModeDir}},
		{op: opBirth, id: 2, when: fs9p.Timespec{Sec: -1 << 62}},
		{op: opNext, id: 2, to: 77},
	} {
		b = c.AppendTo(b)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		one := empty()
		if one.Replay(b) != nil {
			one = empty()
			one.ReplaySome(b)
		}
		two := again(t, one, true)
		if a, b := outline(one), outline(two); a != b {
			t.Errorf("%s\nis, saved and made again,\n%s", a, b)
		}
		one.Settle()
		two.Settle()
		if a, b := outline(one), outline(two); a != b {
			t.Errorf("%s\nis, saved, made again and settled,\n%s", a, b)
		}
	})
}

// TestTold checks that what a Store was told makes the same tree, at any time,
// and so does what Save says, with files that have no name any more.
func TestTold(t *testing.T) {
	s := &store{}
	now := time.Unix(0, 0)
	tree := New(Config{Store: s, Now: func() time.Time { now = now.Add(time.Second + 1); return now }, Files: 1 << 20, Memory: 1 << 30})
	tree.root.attrs = empty().root.attrs
	tree.root.btime = fs9p.Timespec{}
	rnd := rand.New(rand.NewSource(1))
	dirs := []*Inode{tree.Root()}
	var held []*Inode
	var last []byte // not told: times of what was read or written
	for step := range 6000 {
		d, d2 := dirs[rnd.Intn(len(dirs))], dirs[rnd.Intn(len(dirs))]
		name, name2 := fmt.Sprint("n", rnd.Intn(8)), fmt.Sprint("n", rnd.Intn(8))
		n, err := d.Walk(name)
		switch rnd.Intn(12) {
		case 0:
			d.Mkdir(name, 0o755, fs9p.Owner{UID: 1})
		case 1:
			d.Symlink(name, "target", fs9p.Owner{})
		case 2:
			d.Mknod(name, fs9p.ModeChar|0o600, 5, fs9p.Owner{GID: 4})
		case 3:
			if n, h, err := d.Create(name, 0, 0o640, fs9p.Owner{}); err == nil {
				h.Close()
				n.Release()
			}
		case 4, 5:
			d.Unlink(name, rnd.Intn(2) == 0)
		case 8:
			if rnd.Intn(4) == 0 {
				d.Prune(name)
			}
		case 6, 7:
			d.Rename(name, d2, name2)
		}
		if err != nil {
			continue
		}
		switch rnd.Intn(8) {
		case 0:
			d2.Link(name2, n)
		case 1:
			n.SetXattr("user."+name2, []byte(name), 0)
		case 2:
			n.RemoveXattr("user." + name2)
		case 3:
			n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMode | fs9p.SetAtime, Mode: uint32(step)})
		case 4:
			held = append(held, n.(*Inode).hold())
		case 5:
			if n := n.(*Inode); n.dir != nil && len(dirs) < 10 {
				dirs = append(dirs, n.hold())
			}
		}
		n.Release()
		if len(held) > 20 {
			held[0].Release()
			held = held[1:]
		}
		if step%300 > 0 {
			continue
		}
		if got := outline(again(t, tree, true)); got != outline(tree) {
			t.Fatalf("step %d: %s\nis, saved,\n%s", step, outline(tree), got)
		}
		replayed := empty()
		for _, c := range s.told {
			if err := replayed.Replay(c); err != nil {
				t.Fatal(err)
			}
		}
		if err := replayed.Replay(last); err != nil {
			t.Fatal(err)
		}
		if a, b := outline(again(t, tree, false)), outline(replayed); a != b {
			t.Fatalf("step %d: %s\nis, replayed,\n%s", step, a, b)
		}
	}
	if tree.names < 20 || len(tree.nameless()) == 0 {
		t.Errorf("at the end there are %d names and %d files without", tree.names, len(tree.nameless()))
	}
	used := tree.used
	for _, n := range append(held, dirs...) {
		n.Release()
	}
	if len(tree.nameless()) > 0 || tree.used >= used {
		t.Errorf("%d files without a name are held by nobody", len(tree.nameless()))
	}
}

// TestNumbers finds files by number: those that have names, those that have
// none but are held, also after a restore, and no others.
func TestNumbers(t *testing.T) {
	tree := empty()
	root := tree.Root()
	q, err := root.Mkdir("d", 0o755, fs9p.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	n, h, err := root.Create("f", fs9p.ORdwr, 0o644, fs9p.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	id := n.QID().Path
	n.Release()
	found := func(tree *Tree, id uint64) bool {
		n, err := tree.Inode(id)
		if err != nil {
			return false
		}
		defer n.Release()
		return n.QID().Path == id
	}
	for range 2 {
		if !found(tree, 1) || !found(tree, q.Path) || !found(tree, id) || found(tree, 0) || found(tree, id+1) {
			t.Error("not exactly what is there is found")
		}
		if err := root.Unlink("f", false); err != nil && err != fs9p.ENOENT {
			t.Fatal(err)
		}
	}
	restored := again(t, tree, true)
	fid, err := restored.Inode(id)
	if err != nil {
		t.Fatal(err)
	}
	restored.Settle()
	if a, err := fid.Attr(); err != nil || a.Nlink != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	fid.Release()
	h.Close()
	for _, tree := range []*Tree{tree, restored} {
		if found(tree, id) {
			t.Error("a file is found that is no more")
		}
	}
	restored = again(t, tree, true)
	if q, err := restored.Root().Mkdir("e", 0o755, fs9p.Owner{}); err != nil || q.Path <= id {
		t.Errorf("the number %d is used again, %v", q.Path, err)
	}
}

// TestPrune removes directories with very many names in them. Each message takes
// as long as any other, and in the end all is gone.
func TestPrune(t *testing.T) {
	tree := empty()
	root := tree.Root()
	link, h, err := root.Create("link", 0, 0o644, fs9p.Owner{})
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	used, names := tree.used, tree.names
	const many = 20 * reapEach
	var held *Inode
	for i := range 2 {
		dir := fmt.Sprint("dir", i)
		if _, err := root.Mkdir(dir, 0o755, fs9p.Owner{}); err != nil {
			t.Fatal(err)
		}
		n, err := root.Walk(dir)
		if err != nil {
			t.Fatal(err)
		}
		held = n.(*Inode)
		for j := range many {
			if err := held.Link(fmt.Sprint(j), link); err != nil {
				t.Fatal(err)
			}
		}
		if i == 0 {
			held.Release()
		}
	}
	for i := range 2 {
		before := tree.names
		if err := root.Prune(fmt.Sprint("dir", i)); err != nil {
			t.Fatal(err)
		}
		if went := before - tree.names; went > 3*reapEach {
			t.Errorf("%d names went at once", went)
		}
	}
	if tree.names < many {
		t.Errorf("only %d names are left", tree.names)
	}
	if err := held.Link("new", link); err != fs9p.ENOENT {
		t.Errorf("in what was removed: %v", err)
	}
	if f, err := held.Open(0); err != nil || f.ReadDir(0, func(fs9p.Dirent) bool { return false }) != nil || held.Entries() != 0 {
		t.Errorf("what was removed, and is held, has %d entries, %v", held.Entries(), err)
	} else {
		f.Close()
	}
	for range 2 * many / reapEach {
		root.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMode, Mode: 0o755})
	}
	held.Release()
	if a, _ := link.Attr(); tree.used != used || tree.names != names || a.Nlink != 1 {
		t.Errorf("%d bytes, %d names, %d links are left; there were %d, %d and 1", tree.used, tree.names, a.Nlink, used, names)
	}
}

// TestRoomToRemove fills a tree to the last name and byte, and removes things.
func TestRoomToRemove(t *testing.T) {
	for what, cfg := range map[string]Config{"names": {Files: 1280, Memory: 1 << 30}, "memory": {Files: 1 << 20, Memory: 1 << 20}} {
		cfg.Store, cfg.Now = &store{}, time.Now
		tree := New(cfg)
		root := tree.Root()
		fill := func() (n int, err error) {
			for {
				if _, err := root.Mkdir(fmt.Sprint(tree.last), 0o755, fs9p.Owner{}); err != nil {
					return n, err
				}
				n++
			}
		}
		counts := [3]int{}
		for i, p := range []fs9p.Purpose{fs9p.ForChange, fs9p.ForRemoval, fs9p.ForRoom} {
			tree.For(p)
			var err error
			if counts[i], err = fill(); err != fs9p.ENOSPC {
				t.Errorf("%s: %v", what, err)
			}
		}
		if counts[0] < 1000 || counts[1] < 9 || counts[2] < 9 {
			t.Errorf("%s: there was room for %d", what, counts)
		}
		if err := root.Unlink("1", true); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestDeep makes directories in each other, and moves them.
func TestDeep(t *testing.T) {
	tree := empty()
	chain := func(name string) (at *Inode, err error) {
		at = tree.Root()
		for i := 0; ; i++ {
			q, err := at.Mkdir(name, 0o755, fs9p.Owner{})
			if err != nil {
				return at, err
			}
			n, err := tree.Inode(q.Path)
			if err != nil {
				return at, err
			}
			at, name = n.(*Inode), "d"
		}
	}
	one, err := chain("one")
	if depth, _ := one.depth(nil); err != fs9p.ENAMETOOLONG || depth != MaxDepth {
		t.Errorf("%v at a depth of %d", err, depth)
	}
	two, _ := chain("two")
	root := tree.Root()
	if err := root.Rename("one", two, "x"); err != fs9p.ENAMETOOLONG {
		t.Errorf("a chain below another one: %v", err)
	}
	up := two.dir.parent.hold()
	if err := root.Rename("one", up, "x"); err != nil {
		t.Error(err)
	}
	if _, err := one.Mkdir("d", 0o755, fs9p.Owner{}); err != fs9p.ENAMETOOLONG {
		t.Errorf("below both: %v", err)
	}
	if err := up.Rename("x", root, "one"); err != nil {
		t.Errorf("out again: %v", err)
	}
	if err := root.Rename("one", one.dir.parent.hold(), "x"); err != fs9p.EINVAL {
		t.Errorf("below itself: %v", err)
	}
}
