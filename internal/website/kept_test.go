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
		has  Keeping
		want error
	}{{one, Fresh, nil}, {one, Changes, nil}, {other, Fresh, ErrOtherRoot}, {one, Changes, nil}} {
		if has, err := Kept(s, tt.m); has != tt.has || !errors.Is(err, tt.want) {
			t.Errorf("%d: %v, %v, want %v, %v", i, has, err, tt.has, tt.want)
		}
	}
}
