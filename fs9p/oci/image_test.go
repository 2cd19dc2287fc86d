package oci

import (
	"compress/gzip"
	"io"
	"os"
	"slices"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/internal/guesttest"
)

// TestAlpine compares a real root file system with what memfs makes of it.
func TestAlpine(t *testing.T) {
	f, err := os.Open(guesttest.RootFile(t))
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
	got, want := dump(t, fs), dump(t, guesttest.Root(t, nil))
	if !slices.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("line %d:\n got %s\nwant %s", i, got[i], want[i])
			}
		}
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
}

// TestOverlay runs the acceptance suite on an image under an overlay.
func TestOverlay(t *testing.T) {
	layers := layersOf(
		archive(t, dir("lower"), regular("lower/f", "data"), link("lower/h", "lower/f"), symlink("s", "lower")),
		archive(t, regular("lower/.wh.h", ""), regular("lower/g", "more")))
	fstest.Run(t, func(t *testing.T) fs9p.FS {
		lower, err := open(layers)
		if err != nil {
			t.Fatal(err)
		}
		fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: lower})
		if err != nil {
			t.Fatal(err)
		}
		return fs
	})
}
