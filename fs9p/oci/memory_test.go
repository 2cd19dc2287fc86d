package oci

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// heap is how much of the heap is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestBuildMemory has layers that say much in few bytes: what is kept of an
// entry is a constant and the name that it adds.
func TestBuildMemory(t *testing.T) {
	const entries = 20_000
	deep := strings.Repeat("deep/", 700)
	for _, tt := range []struct {
		name string
		item func(i int) item
	}{
		{"folders", func(i int) item { return dir(fmt.Sprint(i)) }},
		{"folders in folders", func(i int) item { return dir(fmt.Sprintf("%d/%d", i/2, i)) }},
		{"files", func(i int) item { return regular(fmt.Sprint(i), "") }},
		{"long ways", func(i int) item { return regular(fmt.Sprint(deep, i), "") }},
		{"long ways to folders", func(i int) item { return dir(fmt.Sprint(deep, i)) }},
		{"hard links before their target", func(i int) item {
			if i == entries-1 {
				return regular("t", "")
			}
			return link(fmt.Sprint(i), "t")
		}},
		{"hidden", func(i int) item { return regular(fmt.Sprintf("%d/.wh.x", i), "") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var items []item
			for i := range entries {
				items = append(items, tt.item(i))
			}
			layer := layersOf(archive(t, items...))[0]
			before := heap()
			b := &builder{limits: DefaultLimits}
			b.root = b.directory(nil)
			if err := b.applyLayer(newScanner(0, layer)); err != nil {
				t.Fatal(err)
			}
			if each := (heap() - before) / entries; each > 300 {
				t.Errorf("%d bytes an entry", each)
			}
			runtime.KeepAlive(b)
			runtime.KeepAlive(layer)
		})
	}
}

// TestLimits has images that are at a limit and beyond it.
func TestLimits(t *testing.T) {
	long := strings.Repeat("n", 250)
	pad := regular("0", "")
	for _, tt := range []struct {
		name   string
		limits Limits
		layers [][]item
		fits   bool
	}{
		{"names", Limits{3, 1000}, [][]item{{pad, dir("1"), regular("2", "")}}, true},
		{"one more", Limits{3, 1000}, [][]item{{pad, dir("1"), regular("2", ""), regular("3", "")}}, false},
		{"missing parents", Limits{3, 1000}, [][]item{{regular("a/b/c/d", "")}}, false},
		{"hard links", Limits{3, 1000}, [][]item{{pad, link("1", "0"), link("2", "0"), link("3", "0")}}, false},
		{"replaced", Limits{3, 1000}, [][]item{{pad, dir("1"), regular("1/2", "")}, {regular("1", ""), regular("3", "")}}, true},
		{"hidden", Limits{3, 1000}, [][]item{{pad, regular("1", ""), regular("2", "")}, {regular(".wh.1", ""), regular("3", "")}}, true},
		{"long names", Limits{100, 400}, [][]item{{regular("a"+long, ""), regular("b"+long, "")}}, false},
		{"long targets", Limits{100, 400}, [][]item{{symlink("a", long), symlink("b", long)}}, false},
		{"hard links to nothing", Limits{100, 400}, [][]item{{link("a", long), link("b", long)}}, false},
		{"attributes", Limits{100, 400}, [][]item{{item{pax("SCHILY.xattr.user.a", strings.Repeat("v", 400)), ""}}}, false},
	} {
		var archives [][]byte
		for _, l := range tt.layers {
			archives = append(archives, archive(t, l...))
		}
		var out strings.Builder
		err := Build(&out, layersOf(archives...), tt.limits)
		var many *TooManyError
		if tt.fits && err != nil || !tt.fits && (!errors.As(err, &many) || !strings.Contains(err.Error(), "layer ")) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
