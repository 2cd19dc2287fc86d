package website

import (
	"errors"
	"testing"

	"alpinevm/fs9p/storage"
	"alpinevm/internal/chunked"
)

// TestKept takes a storage for one root, and refuses it for another.
func TestKept(t *testing.T) {
	s := &storage.Memory{}
	one := &Machine{Root: Tree{Archive: chunked.File{Size: 1, Chunks: []string{"a"}}}}
	other := &Machine{Root: Tree{Archive: chunked.File{Size: 1, Chunks: []string{"b"}}}}
	for i, tt := range []struct {
		m    *Machine
		want error
	}{{one, nil}, {one, nil}, {other, ErrOtherRoot}, {one, nil}} {
		if err := Kept(s, tt.m); !errors.Is(err, tt.want) {
			t.Errorf("%d: %v, want %v", i, err, tt.want)
		}
	}
}
