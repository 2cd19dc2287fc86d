package mem

import (
	"bytes"
	"errors"
	"os"
	"testing"
)

// fill gives a memory pages that differ, with gaps between them.
func fill(t *testing.T, m *Memory) {
	t.Helper()
	for _, page := range []int64{0, 1, 2, 9, 300, int64(m.Size()/PageSize) - 1} {
		if _, err := m.WriteAt(bytes.Repeat([]byte{byte(page%200 + 1)}, PageSize), page*PageSize); err != nil {
			t.Fatal(err)
		}
	}
}

func ram(t *testing.T, m *Memory) []byte {
	t.Helper()
	b := make([]byte, m.Size())
	if _, err := m.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestImage: memories that are made of an image begin with what was frozen, keep
// what they write to themselves, and outlive the image; they can be frozen again.
func TestImage(t *testing.T) {
	m := newMemory(t)
	fill(t, m)
	want := ram(t, m)
	image, err := m.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	m.WriteAt([]byte("later"), 0)
	var clones []*Memory
	for range 3 {
		c, err := image.Thaw()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clones = append(clones, c)
	}
	got := make([]byte, len(want))
	again := m.Still()
	if first, err := again.Thaw(); err != nil || string(ram(t, first)[:5]) != "later" {
		t.Errorf("what is the RAM itself: %v", err)
	} else {
		first.Close()
	}
	stream, err := StreamImage(uint64(m.Size()), func(put func(uint32, []byte) error) error {
		if err := put(m.Size()/PageSize, want[:PageSize]); !errors.Is(err, ErrOutside) {
			t.Errorf("a page behind the end: %v", err)
		}
		return put(0, want)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	streamed, err := stream.Thaw()
	if err != nil {
		t.Fatal(err)
	}
	defer streamed.Close()
	clones = append(clones, streamed)
	pages, failed := image.Pages()
	count := 0
	for first, data := range pages {
		copy(got[first*PageSize:], data)
		count += len(data) / PageSize
	}
	if err := failed(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) || count != 6 {
		t.Errorf("%d pages are in the image, or they are others", count)
	}
	if err := image.Close(); err != nil {
		t.Fatal(err)
	}
	for i, c := range clones {
		if !bytes.Equal(ram(t, c), want) {
			t.Errorf("clone %d differs before anybody has written", i)
		}
		c.WriteAt([]byte{byte(i), 1, 2}, 5000)
	}
	for i, c := range clones {
		b := ram(t, c)
		if b[5000] != byte(i) {
			t.Errorf("clone %d sees what clone %d has written", i, b[5000])
		}
		if b[5000], b[5001], b[5002] = want[5000], want[5001], want[5002]; !bytes.Equal(b, want) {
			t.Errorf("clone %d differs in what nobody has written", i)
		}
		again, err := c.Freeze()
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		thawed, err := again.Thaw()
		if err != nil {
			t.Fatal(err)
		}
		defer thawed.Close()
		if !bytes.Equal(ram(t, thawed), ram(t, c)) {
			t.Errorf("clone %d, frozen again, differs", i)
		}
	}
}

// TestMapImage: RAM can be a part of a file, which stays as it is.
func TestMapImage(t *testing.T) {
	m := newMemory(t)
	fill(t, m)
	want := ram(t, m)
	f, err := os.CreateTemp(t.TempDir(), "ram")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(want, 3*PageSize); err != nil {
		t.Fatal(err)
	}
	image, err := MapImage(f.Fd(), 3*PageSize, uint64(m.Size()))
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("not here: the host maps no files")
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := image.Thaw()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	image.Close()
	if !bytes.Equal(ram(t, c), want) {
		t.Error("the memory differs from the file")
	}
	c.WriteAt([]byte("the guest's"), 0)
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 3*PageSize); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the guest has written to the file: %v", err)
	}
}

// TestPutBounds: what is no whole page, or lies outside, is refused.
func TestPutBounds(t *testing.T) {
	image, err := NewImage(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	for _, tt := range []struct {
		first uint32
		n     int
		ok    bool
	}{{0, 1 << 20, true}, {255, PageSize, true}, {256, PageSize, false}, {1<<32 - 1, PageSize, false}, {0, 1, false}, {255, 2 * PageSize, false}} {
		if err := image.Put(tt.first, make([]byte, tt.n)); (err == nil) != tt.ok {
			t.Errorf("%d bytes at page %d: %v", tt.n, tt.first, err)
		}
	}
	for _, n := range []uint64{0, 1, MaxRAM + 1<<20} {
		if i, err := NewImage(n); err == nil {
			i.Close()
			t.Errorf("NewImage(%d)", n)
		}
	}
}
