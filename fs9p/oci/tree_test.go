package oci

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"testing"

	"alpinevm/fs9p"
)

// build makes a tree of layers.
func build(t testing.TB, layers []Layer) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Build(&b, layers, Limits{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sealed gives a tree the checksum that its bytes ask for.
func sealed(tree []byte) []byte {
	tree = bytes.Clone(tree)
	if n := len(tree) - sumSize; n >= 0 {
		binary.LittleEndian.PutUint32(tree[n:], crc32.Checksum(tree[:n], crc32.MakeTable(crc32.Castagnoli)))
	}
	return tree
}

func sampleLayers(t testing.TB) []Layer {
	return layersOf(
		archive(t, dir("d"), regular("d/f", "data"), symlink("s", "d/f"), link("h", "d/f"), regular("gone", "")),
		archive(t, regular(".wh.gone", ""), regular("d/g", "more")),
		sparseArchive(t, "abcd", map[string]string{"size": "1000", "numblocks": "2", "map": "10,2,500,2"}))
}

func TestOpenDamaged(t *testing.T) {
	layers := sampleLayers(t)
	good := build(t, layers)
	if again := build(t, layers); !bytes.Equal(good, again) {
		t.Error("two trees of the same layers differ")
	}
	longer := append(bytes.Clone(good), 0)
	other := bytes.Clone(good)
	other[len(magic)-2]++
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 4
	for name, b := range map[string][]byte{
		"empty": nil, "short": good[:20], "cut": good[:len(good)-1], "cut and sealed": sealed(good[:len(good)-1]),
		"longer": sealed(longer), "other version": sealed(other), "flipped": flipped,
	} {
		if _, err := Open(bytes.NewReader(b), int64(len(b)), layers); !errors.Is(err, ErrTree) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(bytes.NewReader(good), int64(len(good)), layers[:1]); !errors.Is(err, ErrTree) {
		t.Errorf("a layer less: %v", err)
	}
}

// TestLayerCut reads a file whose layer has become shorter.
func TestLayerCut(t *testing.T) {
	b := archive(t, regular("f", "0123456789"))
	layers := layersOf(b)
	tree := build(t, layers)
	layers[0].Size = 515
	fs, err := Open(bytes.NewReader(tree), int64(len(tree)), layers)
	if err != nil {
		t.Fatal(err)
	}
	root, _ := fs.Attach("")
	n, err := root.Walk("f")
	if err != nil {
		t.Fatal(err)
	}
	f, _ := n.Open(0)
	if _, err := f.ReadAt(make([]byte, 10), 0); err != fs9p.EIO {
		t.Errorf("read: %v", err)
	}
	if n, err := f.ReadAt(make([]byte, 3), 0); n != 3 || err != nil {
		t.Errorf("read %d: %v", n, err)
	}
}

// TestMemory opens images and reads all that there is of their files: memory does
// not grow with them.
func TestMemory(t *testing.T) {
	allocated := func(files int) uint64 {
		var items []item
		for i := range files {
			items = append(items, regular(fmt.Sprintf("d%d/f%05d-%0100d", i%7, i, i), fmt.Sprint(i)))
		}
		layers := layersOf(archive(t, items...))
		tree := build(t, layers)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fs, err := Open(bytes.NewReader(tree), int64(len(tree)), layers)
		if err != nil {
			t.Fatal(err)
		}
		for id := uint32(1); id <= fs.tree.inodes; id++ {
			if _, err := fs.tree.record(id); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	const cache = pageSize * pageCount
	small, large := allocated(1000), allocated(20_000)
	if large > cache+cache/2 { // the tree has twice as much
		t.Errorf("%d bytes for 1,000 files, %d for 20,000", small, large)
	}
}

// TestMany has more names than the cache of the tree holds.
func TestMany(t *testing.T) {
	var items []item
	const files = 20_000
	for i := range files {
		items = append(items, regular(fmt.Sprintf("d%d/f%05d-%0100d", i%7, i, i), fmt.Sprint(i)))
	}
	layers := layersOf(archive(t, items...))
	tree := build(t, layers)
	fs, err := Open(bytes.NewReader(tree), int64(len(tree)), layers)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree) < 2*pageSize*pageCount {
		t.Fatalf("a tree of %d bytes is too small for this test", len(tree))
	}
	root, _ := fs.Attach("")
	seen := 0
	for i := range 7 {
		d, err := root.Walk(fmt.Sprint("d", i))
		if err != nil {
			t.Fatal(err)
		}
		entries, err := list(d)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(entries)
	}
	if seen != files {
		t.Errorf("%d names are listed", seen)
	}
	for i := 0; i < files; i += 97 {
		d, _ := root.Walk(fmt.Sprint("d", i%7))
		n, err := d.Walk(fmt.Sprintf("f%05d-%0100d", i, i))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := readAll(n); data != fmt.Sprint(i) || err != nil {
			t.Errorf("file %d holds %q, %v", i, data, err)
		}
		for _, name := range []string{"f", "zzz", fmt.Sprintf("f%05d", i)} {
			if _, err := d.Walk(name); err != fs9p.ENOENT {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// explore looks at all that a tree says, up to a bound.
func explore(fs *FS) {
	for id := uint32(0); id <= min(fs.tree.inodes, 200)+1; id++ {
		n, err := fs.node(id)
		if err != nil {
			continue
		}
		n.Attr()
		n.Readlink()
		n.Walk("f")
		n.Walk("..")
		if names, err := n.Xattrs(); err == nil && len(names) > 0 {
			n.Xattr(names[0])
		}
		f, err := n.Open(0)
		if err != nil {
			continue
		}
		p := make([]byte, 3000)
		for _, off := range []uint64{0, 5, n.size - 1, n.size / 2, 1 << 63} {
			f.ReadAt(p, off)
		}
		left := 100
		f.ReadDir(0, func(fs9p.Dirent) bool { left--; return left > 0 })
	}
}

// FuzzOpen reads trees that were not made by Build.
func FuzzOpen(f *testing.F) {
	layers := sampleLayers(f)
	tree := build(f, layers)
	f.Add(tree)
	for _, at := range []int{16, 20, 24, 32, headerSize + 24, headerSize + recordSize, headerSize + 2*recordSize + 72} {
		bad := bytes.Clone(tree)
		bad[at] ^= 0x81
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = sealed(b)
		fs, err := Open(bytes.NewReader(b), int64(len(b)), layers)
		if err == nil {
			explore(fs)
		}
	})
}

// FuzzBuild applies a layer of any bytes on one of files, and checks that what
// comes out is a tree without contradictions.
func FuzzBuild(f *testing.F) {
	lower := archive(f, dir("d"), regular("d/f", "data"), symlink("s", "d"), link("h", "d/f"))
	f.Add(archive(f, regular("d/.wh.f", ""), link("x", "d/f"), symlink("l", "/s/../d"), regular("l/new", "1")))
	f.Add(archive(f, regular("d/.wh..wh..opq", ""), dir("s"), regular("../x", "")))
	f.Add(archive(f, item{pax("SCHILY.xattr.user.k", "v"), "x"}))
	f.Add(sparseArchive(f, "abcd", map[string]string{"size": "1000", "numblocks": "2", "map": "10,2,500,2"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		layers := layersOf(lower, b)
		var tree bytes.Buffer
		if err := Build(&tree, layers, Limits{}); err != nil {
			return
		}
		fs, err := Open(bytes.NewReader(tree.Bytes()), int64(tree.Len()), layers)
		if err != nil {
			t.Fatal(err)
		}
		for id := uint32(1); id <= fs.tree.inodes; id++ {
			n, err := fs.node(id)
			if err != nil {
				t.Fatal(err)
			}
			if n.mode&fs9p.ModeType == fs9p.ModeRegular && n.size > 1<<20 {
				return // dump reads all of it
			}
		}
		dump(t, fs)
	})
}
