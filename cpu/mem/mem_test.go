package mem

import (
	"bytes"
	"testing"
)

type fakeDevice struct {
	reads, writes []uint32
}

func (f *fakeDevice) Read(off uint32, size int) uint32 {
	f.reads = append(f.reads, off)
	return 0x11223344
}
func (f *fakeDevice) Write(off uint32, size int, v uint32) { f.writes = append(f.writes, off, v) }

type fakeWatcher struct {
	written  [][2]uint32
	remapped int
}

func (f *fakeWatcher) CodeWritten(off, n uint32) { f.written = append(f.written, [2]uint32{off, n}) }
func (f *fakeWatcher) Remapped()                 { f.remapped++ }

func newMemory(t *testing.T) *Memory {
	t.Helper()
	m, err := New(2 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestNewRefusesSizes(t *testing.T) {
	for _, n := range []uint64{0, 1, 1<<20 + 1, MaxRAM + 1<<20} {
		if m, err := New(n); err == nil {
			m.Close()
			t.Errorf("New(%d) = nil error", n)
		}
	}
}

func TestLinesMask(t *testing.T) {
	for _, tt := range []struct {
		off, n uint32
		want   uint64
	}{
		{0, 1, 1}, {63, 1, 1}, {63, 2, 3}, {64, 64, 2}, {0, 4096, ^uint64(0)},
		{4095, 1, 1 << 63}, {0x1000 + 128, 65, 3 << 2},
	} {
		if got := Lines(tt.off, tt.n); got != tt.want {
			t.Errorf("Lines(%#x, %d) = %#x, want %#x", tt.off, tt.n, got, tt.want)
		}
	}
}

func TestCodeMarksReachWatcher(t *testing.T) {
	m := newMemory(t)
	w := &fakeWatcher{}
	m.Attach(w)
	m.SetCode(0x2000, Lines(0x2040, 4))
	if _, ok := m.View(0x2000, 64, true); !ok || len(w.written) != 0 {
		t.Fatalf("a write beside the code told the watcher %v", w.written)
	}
	if _, ok := m.View(0x1ff0, 0x80, true); !ok || len(w.written) != 1 || w.written[0] != [2]uint32{0x2000, 0x70} {
		t.Fatalf("a write over the code told the watcher %x", w.written)
	}
	if _, ok := m.View(0x2040, 4, false); !ok || len(w.written) != 1 {
		t.Fatalf("a read told the watcher %v", w.written)
	}
}

// TestStore: a processor's store is told before it is done, and only where it
// touches code.
func TestStore(t *testing.T) {
	m := newMemory(t)
	w := &fakeWatcher{}
	a := m.Attach(w)
	m.SetCode(0x2000, Lines(0x2040, 4))
	m.Store(0x2000, []byte{1, 2, 3, 4})
	if len(w.written) != 0 || a.Load32(0x2000) != 0x04030201 {
		t.Fatalf("told %v of a store beside the code; %#x is there", w.written, a.Load32(0x2000))
	}
	m.Store(0x203e, []byte{5, 6, 7, 8})
	if len(w.written) != 1 || w.written[0] != [2]uint32{0x203e, 4} || a.Load32(0x203e) != 0x08070605 {
		t.Fatalf("told %x of a store into the code; %#x is there", w.written, a.Load32(0x203e))
	}
}

func TestViewBounds(t *testing.T) {
	m := newMemory(t)
	for _, tt := range []struct {
		gpa uint64
		n   int
		ok  bool
	}{
		{0, 0, true}, {0, 2 << 20, true}, {0, 2<<20 + 1, false}, {2 << 20, 0, true}, {2 << 20, 1, false},
		{1<<64 - 1, 2, false}, {5, -1, false},
	} {
		if b, ok := m.View(tt.gpa, tt.n, false); ok != tt.ok || ok && len(b) != tt.n {
			t.Errorf("View(%#x, %d) = %d bytes, %v", tt.gpa, tt.n, len(b), ok)
		}
	}
}

func TestDevicesAndROM(t *testing.T) {
	m := newMemory(t)
	w := &fakeWatcher{}
	arena := m.Attach(w)
	d := &fakeDevice{}
	if err := m.Map(0xfe000000, 0x2000, d); err != nil {
		t.Fatal(err)
	}
	if err := m.Map(0xfe001000, 0x1000, d); err == nil {
		t.Error("an overlapping device was mapped")
	}
	if err := m.AddROM(0xffff0000, bytes.Repeat([]byte{0xea}, 0x10000)); err != nil {
		t.Fatal(err)
	}
	if w.remapped != 2 {
		t.Errorf("remapped %d times, want 2", w.remapped)
	}
	off, k := m.Lookup(0xfffffff0)
	if k != ROM || arena.Load8(off) != 0xea {
		t.Errorf("reset vector: kind %v, byte %#x", k, arena.Load8(off))
	}
	if _, k := m.Lookup(0xfe000004); k != MMIO || m.ReadMMIO(0xfe000004, 4) != 0x11223344 || d.reads[0] != 4 {
		t.Errorf("device read: kind %v, offsets %v", k, d.reads)
	}
	m.WriteMMIO(0xfe000008, 2, 7)
	if len(d.writes) != 2 || d.writes[0] != 8 || d.writes[1] != 7 {
		t.Errorf("device write: %v", d.writes)
	}
	m.Unmap(0xfe000000)
	if got := m.ReadMMIO(0xfe000004, 2); got != 0xffff {
		t.Errorf("an empty address reads %#x, want ffff", got)
	}
}

func TestArenaIsLittleEndian(t *testing.T) {
	a := newMemory(t).Attach(&fakeWatcher{})
	a.Store32(0x101, 0x04030201)
	if got := a.Bytes(0x101, 4); !bytes.Equal(got, []byte{1, 2, 3, 4}) {
		t.Errorf("bytes %v", got)
	}
	if a.Load16(0x102) != 0x0302 || a.Load64(0x101) != 0x04030201 || a.Load8(0x104) != 4 {
		t.Error("unaligned loads differ from the bytes stored")
	}
}
