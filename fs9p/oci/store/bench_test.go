package store

import (
	"fmt"
	"os"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// manyFiles is an image of 50,000 files of 20 KB in ten layers, 1 GB.
func manyFiles(b *testing.B) v1.Image {
	data := string(make([]byte, 20_000))
	var layers []v1.Layer
	for l := range 10 {
		files := map[string]string{}
		for i := range 5000 {
			files[fmt.Sprintf("usr/share/folder%02d/sub%d/file-%d-%d", i%50, l, l, i)] = data
		}
		layers = append(layers, layer(b, "gzip", files))
	}
	return image(b, "386", layers...)
}

// BenchmarkStart measures what an image costs at the start of a machine when
// it is cached, and the first time ("unpack": without the download).
func BenchmarkStart(b *testing.B) {
	srv := newServer(b)
	srv.push(b, "many:1", manyFiles(b))
	ref := srv.host + "/many:1"
	s := newStore(b, b.TempDir())
	if _, _, err := s.Pull(ctx, ref); err != nil {
		b.Fatal(err)
	}
	start := func(b *testing.B) {
		img, err := s.Image(ctx, ref, Missing)
		if err != nil {
			b.Fatal(err)
		}
		root, err := s.Open(ctx, img)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := fs9pReadFile(root, "usr/share/folder49/sub9/file-9-4999"); err != nil {
			b.Fatal(err)
		}
		root.Close()
	}
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			start(b)
		}
	})
	for _, tt := range []struct {
		name string
		dirs []string
	}{{"index", []string{treesDir}}, {"unpack", []string{treesDir, layersDir}}} {
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				for _, d := range tt.dirs {
					if err := os.RemoveAll(s.path(d)); err != nil {
						b.Fatal(err)
					}
					if err := os.Mkdir(s.path(d), 0o755); err != nil {
						b.Fatal(err)
					}
				}
				start(b)
			}
		})
	}
}
