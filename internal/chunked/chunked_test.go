package chunked

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/iotest"
)

// folder is a place for chunks.
type folder struct {
	chunks map[string][]byte
	asked  int
}

func (f *folder) put(name string, data []byte) error {
	f.chunks[name] = bytes.Clone(data)
	return nil
}

func (f *folder) get(name string) ([]byte, error) {
	f.asked++
	if data, ok := f.chunks[name]; ok {
		return data, nil
	}
	return nil, errors.New("there is none")
}

// content is n bytes, of which the first half is the same again and again.
func content(n int) []byte {
	data := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := n / 2; i < n; i++ {
		data[i] = byte(rng.Uint32())
	}
	return data
}

func split(t *testing.T, data []byte) (*folder, File) {
	t.Helper()
	f := &folder{chunks: map[string][]byte{}}
	file, err := Split(bytes.NewReader(data), int64(len(data)), f.put)
	if err != nil {
		t.Fatal(err)
	}
	return f, file
}

func open(t *testing.T, f *folder, file File, kept int) *Reader {
	t.Helper()
	c, err := NewCache(f.get, kept)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReader reads files of all kinds of lengths as they were.
func TestReader(t *testing.T) {
	for _, n := range []int{0, 1, Size - 1, Size, Size + 1, 5*Size + 17} {
		data := content(n)
		f, file := split(t, data)
		r := open(t, f, file, 2)
		if r.Size() != int64(n) {
			t.Errorf("%d bytes of %d", r.Size(), n)
		}
		if err := iotest.TestReader(io.NewSectionReader(r, 0, int64(n)), data); err != nil {
			t.Errorf("of %d bytes: %v", n, err)
		}
	}
}

// TestLarge reads files of large chunks beside one of small ones, through a cache that
// keeps one large one, or four small ones, and asks for nothing that it keeps.
func TestLarge(t *testing.T) {
	f, small := split(t, content(4*Size))
	for _, n := range []int{0, 1, Large - 1, Large, Large + 1, 3*Large + 17} {
		data := content(n)
		file, err := SplitLarge(bytes.NewReader(data), int64(n), f.put)
		if err != nil {
			t.Fatal(err)
		}
		if want := (n + Large - 1) / Large; len(file.Chunks) != want {
			t.Errorf("%d bytes are %d chunks, want %d", n, len(file.Chunks), want)
		}
		r := open(t, f, file, Large/Size)
		other, err := r.store.Open(small)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got := make([]byte, n)
			if m, err := r.ReadAt(got, 0); m != n || err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d of %d bytes, %v", m, n, err)
			}
			got = make([]byte, 4*Size)
			if _, err := other.ReadAt(got, 0); err != nil {
				t.Error(err)
			}
			f.asked = 0
			if _, err := other.ReadAt(got, 0); err != nil || f.asked != 0 || !bytes.Equal(got, content(4*Size)) {
				t.Errorf("asked %d times for what was there: %v", f.asked, err)
			}
		}
	}
}

// TestRoom: to go through a file takes the memory of the chunks that are kept, however
// long it is.
func TestRoom(t *testing.T) {
	f := &folder{chunks: map[string][]byte{}}
	data := content(16 * Large)
	file, err := SplitLarge(bytes.NewReader(data), int64(len(data)), f.put)
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, f, file, 1)
	var before, after runtime.MemStats
	part := make([]byte, 4096)
	runtime.ReadMemStats(&before)
	for at := int64(0); at < r.Size(); at += int64(len(part)) {
		if _, err := r.ReadAt(part, at); err != nil || !bytes.Equal(part, data[at:at+int64(len(part))]) {
			t.Fatal(at, err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 6*Large {
		t.Errorf("%d bytes were allocated to read %d", n, len(data))
	}
}

// TestOnce has what is the same once, and asks once for what is used again.
func TestOnce(t *testing.T) {
	f, file := split(t, make([]byte, 10*Size))
	if len(f.chunks) != 1 || len(file.Chunks) != 10 {
		t.Errorf("%d chunks for %d", len(f.chunks), len(file.Chunks))
	}
	r := open(t, f, file, 1)
	if _, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size())); err != nil || f.asked != 1 {
		t.Error(f.asked, err)
	}
}

// TestDamaged refuses chunks that are not what they are called, are larger, or are
// missing, and files that cannot be.
func TestDamaged(t *testing.T) {
	data := content(3 * Size)
	f, file := split(t, data)
	last := file.Chunks[2]
	larger, _ := split(t, content(2*Size))
	for what, bad := range map[string][]byte{
		"empty": {}, "cut": f.chunks[last][:100], "another": f.chunks[file.Chunks[0]], "noise": data[2*Size:], "none": nil,
		"a bomb": larger.chunks[name(make([]byte, Size))],
	} {
		f.chunks[last] = bad
		if bad == nil {
			delete(f.chunks, last)
		}
		if n, err := open(t, f, file, 4).ReadAt(make([]byte, 10), 3*Size-10); n != 0 || err == nil {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
	for _, bad := range []File{{Size: -1}, {Size: 1}, {Size: 1 << 50}, {Chunks: []string{"x"}},
		{Size: 1, Part: -1, Chunks: []string{"x"}}, {Size: 1, Part: Large + 1, Chunks: []string{"x"}}, {Size: 2, Part: 1, Chunks: []string{"x"}}} {
		c, _ := NewCache(f.get, 1)
		if _, err := c.Open(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// TestAgain: what is damaged is got once more, past copies, and what is damaged then too is
// refused.
func TestAgain(t *testing.T) {
	for _, whole := range []bool{true, false} {
		f, file := split(t, content(Size+1))
		bad := file.Chunks[1]
		packed := f.chunks[bad]
		f.chunks[bad] = []byte("<!doctype html>")
		r := open(t, f, file, 2)
		asked := []string{}
		r.store.Again = func(name string) ([]byte, error) {
			asked = append(asked, name)
			if whole {
				return packed, nil
			}
			return f.get(name)
		}
		got := make([]byte, Size+1)
		n, err := r.ReadAt(got, 0)
		if whole && (err != nil || !bytes.Equal(got, content(Size+1))) {
			t.Errorf("%d, %v", n, err)
		}
		if !whole && (n != Size || !errors.Is(err, ErrChunk)) {
			t.Errorf("%d, %v, want %v", n, err, ErrChunk)
		}
		if len(asked) != 1 || asked[0] != bad {
			t.Errorf("asked again for %q, want %q", asked, bad)
		}
	}
}

// TestWhole reads a file at once: what is kept stays so, a part that is damaged is fetched
// again, and one that stays so is refused.
func TestWhole(t *testing.T) {
	want := content(3*Large + 5)
	f := &folder{chunks: map[string][]byte{}}
	file, err := SplitLarge(bytes.NewReader(want), int64(len(want)), f.put)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, f, file, 1).store
	if got, err := c.Whole(file); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if len(c.kept) != 0 {
		t.Errorf("%d parts are kept", len(c.kept))
	}
	for at, damaged := range [][]byte{nil, f.chunks[file.Chunks[2]], []byte("<!doctype html>")} {
		packed := f.chunks[file.Chunks[at]]
		f.chunks[file.Chunks[at]] = damaged
		if _, err := c.Whole(file); !errors.Is(err, ErrChunk) {
			t.Errorf("part %d is damaged: %v", at, err)
		}
		c.Again = func(string) ([]byte, error) { return packed, nil }
		if got, err := c.Whole(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("part %d, again: %d bytes, %v", at, len(got), err)
		}
		c.Again, f.chunks[file.Chunks[at]] = nil, packed
	}
	file.Chunks = file.Chunks[1:]
	if _, err := c.Whole(file); err == nil {
		t.Error("a part is missing, and nobody says so")
	}
}

// TestDigest: what a chunk is called is asked of the host where that computes digests,
// and a chunk whose digest is another one is refused, as is a digest that cannot be one.
func TestDigest(t *testing.T) {
	f, file := split(t, content(Size+1))
	broken := errors.New("no digest today")
	for _, tt := range []struct {
		name   string
		digest func(data []byte) ([]byte, error)
		want   error // nil: some error
	}{
		{"of other bytes", func(data []byte) ([]byte, error) { s := sha256.Sum256(data[1:]); return s[:], nil }, ErrChunk},
		{"none", func([]byte) ([]byte, error) { return nil, broken }, broken},
		{"short", func(data []byte) ([]byte, error) { s := sha256.Sum256(data); return s[:16], nil }, nil},
	} {
		r := open(t, f, file, 1)
		r.store.Digest = tt.digest
		if _, err := r.ReadAt(make([]byte, 1), 0); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	r, asked := open(t, f, file, 2), 0
	r.store.Digest = func(data []byte) ([]byte, error) {
		asked++
		s := sha256.Sum256(data)
		return s[:], nil
	}
	got := make([]byte, Size+1)
	if _, err := r.ReadAt(got, 0); err != nil || !bytes.Equal(got, content(Size+1)) || asked != 2 {
		t.Errorf("%v; asked %d times for 2 chunks", err, asked)
	}
}
