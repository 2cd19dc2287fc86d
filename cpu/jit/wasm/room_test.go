package wasm

import (
	"bytes"
	"slices"
	"testing"

	"alpinevm/cpu"
	"alpinevm/cpu/mem"
)

// noHost runs nothing.
type noHost struct {
	tables  Tables
	loaded  [][]byte
	dropped []uint32
}

func (h *noHost) Layout() Layout { return Layout{Shared: &h.tables} }

func (h *noHost) Load(code []byte, _ []uint32) error {
	h.loaded = append(h.loaded, code)
	return nil
}

func (h *noHost) Drop(places []uint32) { h.dropped = append(h.dropped, places...) }

func (h *noHost) Enter(_, _, _, _ uint32) uint32 { panic("there is no code") }

func (h *noHost) Close() {}

// newIdle gives a translator whose host runs nothing.
func newIdle(t *testing.T, cfg Config) (*Translator, *noHost) {
	t.Helper()
	m, err := mem.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	c, err := cpu.New(cpu.Config{Mem: m})
	if err != nil {
		t.Fatal(err)
	}
	h := &noHost{}
	tr, err := New(c, h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr, h
}

// TestEvict: what nobody has entered since three quarters were in use goes first, the oldest of
// it, and then the oldest of the rest, each time a third of the modules.
func TestEvict(t *testing.T) {
	for _, tt := range []struct {
		name          string
		used          []uint32
		dropped, left []uint32
	}{
		{"none is in use", nil, []uint32{1, 2, 3, 4}, []uint32{5, 6, 7, 8, 9, 10, 11, 12}},
		{"the oldest are", []uint32{1, 4}, []uint32{5, 6, 7, 8}, []uint32{1, 2, 3, 4, 9, 10, 11, 12}},
		{"all but one are", []uint32{2, 4, 6, 10, 12}, []uint32{7, 8, 1, 2}, []uint32{3, 4, 5, 6, 9, 10, 11, 12}},
		{"all are", []uint32{1, 3, 5, 7, 9, 11}, []uint32{1, 2, 3, 4}, []uint32{5, 6, 7, 8, 9, 10, 11, 12}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr, h := newIdle(t, Config{Kept: 12})
			for range 6 {
				first, _ := tr.store.place()
				second, _ := tr.store.place()
				tr.store.modules = append(tr.store.modules, []uint32{first, second})
			}
			if fn, ok := tr.store.place(); ok {
				t.Fatalf("place %d beyond the most", fn)
			}
			for _, fn := range tt.used {
				h.tables.Used[fn] = true
			}
			tr.evict()
			if left := slices.Concat(tr.store.modules...); !slices.Equal(left, tt.left) || !slices.Equal(h.dropped, tt.dropped) {
				t.Errorf("%d left, %d dropped; want %d, %d", left, h.dropped, tt.left, tt.dropped)
			}
			if fn := tr.place(); !slices.Contains(tt.dropped, fn) {
				t.Errorf("the next place is %d, of what was dropped %d", fn, tt.dropped)
			}
		})
	}
}

// TestWatch: use from before three quarters of the room are taken does not count, and from
// then on it does, until room is made.
func TestWatch(t *testing.T) {
	tr, h := newIdle(t, Config{Kept: 16})
	load := func() {
		fn, _ := tr.store.place()
		tr.store.modules = append(tr.store.modules, []uint32{fn})
		h.tables.Used[fn] = true
		tr.watch()
	}
	used := func() (n int) {
		for _, u := range h.tables.Used {
			if u {
				n++
			}
		}
		return n
	}
	for range 2 {
		before := used()
		for len(tr.store.modules) < 11 {
			load()
			before++
		}
		if n := used(); n != before {
			t.Errorf("%d in use with %d modules, want %d", n, len(tr.store.modules), before)
		}
		for range 5 {
			load()
		}
		if n := used(); n != 4 {
			t.Errorf("%d in use since that was watched, want 4", n)
		}
		tr.evict()
	}
}

// TestModulesWithoutTable: what engines keep for each instance that knows the table, they
// need not keep for those of regions.
func TestModulesWithoutTable(t *testing.T) {
	_, h := newIdle(t, Config{})
	region := module{funcs: [][]byte{{0, opUnreachable, opEnd}}, places: []uint32{firstRegion}}
	for _, tt := range []struct {
		name string
		code []byte
		want bool
	}{{"the dispatcher", h.loaded[0], true}, {"a region", region.encode(), false}} {
		if got := bytes.Contains(tt.code, []byte(ImportTable)); got != tt.want {
			t.Errorf("%s imports the table: %v, want %v", tt.name, got, tt.want)
		}
	}
}
