package chunked

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
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
	for _, bad := range []File{{Size: -1}, {Size: 1}, {Size: 1 << 50}, {Chunks: []string{"x"}}} {
		c, _ := NewCache(f.get, 1)
		if _, err := c.Open(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
