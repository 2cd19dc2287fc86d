package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/fs9p"
)

// TestSparse reads what GNU tar 1.34 wrote, in each of its four formats, of
// these files, with -S: sparse has a page of letters every 300,000 bytes, rounded
// down to whole pages; holes is one hole; few has four bytes at 1 MiB; after
// is none.
func TestSparse(t *testing.T) {
	sparse := make([]byte, 9_100_000)
	for i := range 30 {
		copy(sparse[i*300_000/4096*4096:], bytes.Repeat([]byte{'A' + byte(i%26)}, 4096))
	}
	few := make([]byte, 3<<20)
	copy(few[1<<20:], "data")
	for _, format := range []string{"gnu", "pax00", "pax01", "pax10"} {
		t.Run(format, func(t *testing.T) {
			f, err := os.Open(filepath.Join("testdata", "sparse-"+format+".tar.gz"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			fs, err := open(layersOf(b))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []struct {
				name   string
				data   []byte
				blocks uint64 // at most
			}{{"sparse", sparse, 30 * 8}, {"holes", make([]byte, 5_000_000), 0}, {"few", few, 8}, {"after", []byte("after"), 8}} {
				checkFile(t, fs, want.name, want.data, want.blocks)
			}
		})
	}
}

func checkFile(t *testing.T, fs fs9p.FS, name string, want []byte, blocks uint64) {
	t.Helper()
	root, err := fs.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	n, err := root.Walk(name)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := n.Attr(); err != nil || a.Size != uint64(len(want)) || a.Blocks > blocks {
		t.Errorf("%s: %d bytes in %d blocks: %v; want %d in %d", name, a.Size, a.Blocks, err, len(want), blocks)
	}
	file, err := n.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{len(want), 100_000, 4096, 77_777} {
		p := make([]byte, size)
		for off := 0; off < len(want); off += size {
			n, err := file.ReadAt(p, uint64(off))
			if w := want[off:min(off+size, len(want))]; err != nil || !bytes.Equal(p[:n], w) {
				t.Fatalf("%s: %d bytes at %d differ: got %d, %v", name, size, off, n, err)
			}
		}
	}
}

// sparseArchive has a file in PAX format 0.1 with the given records, which
// archive/tar writes only under another name.
func sparseArchive(t testing.TB, data string, records map[string]string) []byte {
	h := tar.Header{Typeflag: tar.TypeReg, Name: "f", Mode: 0o644, PAXRecords: map[string]string{}}
	for k, v := range records {
		h.PAXRecords["XYZ.sparse."+k] = v
	}
	b := archive(t, item{h, data}, regular("after", "x"))
	return bytes.ReplaceAll(b, []byte("XYZ.sparse."), []byte("GNU.sparse."))
}

func TestSparseHostile(t *testing.T) {
	const exa = "1152921504606846976"
	fs, err := open(layersOf(sparseArchive(t, "abcd", map[string]string{"size": exa, "numblocks": "1", "map": "1000000,4"})))
	if err != nil {
		t.Fatal(err)
	}
	root, _ := fs.Attach("")
	n, err := root.Walk("f")
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := n.Attr(); fmt.Sprint(a.Size) != exa {
		t.Errorf("size %d", a.Size)
	}
	file, _ := n.Open(0)
	p := make([]byte, 8)
	if n, err := file.ReadAt(p, 999_998); err != nil || string(p[:n]) != "\x00\x00abcd\x00\x00" {
		t.Errorf("read %q, %v", p, err)
	}
	if n, err := file.ReadAt(p, 1<<60-3); err != nil || n != 3 {
		t.Errorf("read %d at the end, %v", n, err)
	}
	for _, tt := range []map[string]string{
		{"size": "100", "numblocks": "1", "map": "0,5"},       // more than there is
		{"size": "100", "numblocks": "1", "map": "0,3"},       // less
		{"size": "3", "numblocks": "1", "map": "0,4"},         // beyond the end
		{"size": "100", "numblocks": "2", "map": "50,2,10,2"}, // not in order
		{"size": "100", "numblocks": "1", "map": "0"},         // not in pairs
		{"size": "100", "numblocks": "1", "map": "-4,4"},      // before the start
		{"size": "9e9", "numblocks": "1", "map": "0,4"},       // no number
		{"major": "1", "minor": "0", "realsize": "100"},       // no map in the data
		{"size": "-1", "numblocks": "1", "map": "0,4"},        // negative
		{"size": "100", "numblocks": "1", "map": exa + "0,4"}, // too large
		{"size": "100", "numblocks": "1", "map": "0,4611686018427387904"},
	} {
		_, err := open(layersOf(sparseArchive(t, "abcd", tt)))
		if err == nil || !strings.Contains(err.Error(), "layer 1 (L1): ") {
			t.Errorf("%v: %v", tt, err)
		}
	}
}
