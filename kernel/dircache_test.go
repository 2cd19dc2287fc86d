package kernel

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDirCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	c := DirCache(dir)
	if _, ok := c.Load("key"); ok {
		t.Error("an empty cache has something")
	}
	for _, want := range []string{"one", "two"} {
		c.Store("key", []byte(want))
		if got, ok := c.Load("key"); !ok || string(got) != want {
			t.Errorf("load gives %q, %v", got, ok)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%d files in the folder, %v", len(left), err)
	}
	// A folder that cannot be made is no error.
	c = DirCache(filepath.Join(dir, "key", "sub"))
	c.Store("key", []byte("x"))
	if _, ok := c.Load("key"); ok {
		t.Error("a folder inside a file")
	}
}
