package kernel

import (
	"bytes"
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
	// What was changed is not there, until it is stored again.
	file := filepath.Join(dir, "key")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"emptied": nil, "cut": good[:len(good)-1], "nearly emptied": good[:3], "longer": append(bytes.Clone(good), 0),
		"changed": append([]byte{good[0] ^ 1}, good[1:]...), "another version's": []byte("two"),
	} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := c.Load("key"); ok {
			t.Errorf("%s: %q", name, got)
		}
	}
	c.Store("key", nil)
	if got, ok := c.Load("key"); !ok || len(got) != 0 {
		t.Errorf("nothing at all: %q, %v", got, ok)
	}
	// A folder that cannot be made is no error.
	c = DirCache(filepath.Join(dir, "key", "sub"))
	c.Store("key", []byte("x"))
	if _, ok := c.Load("key"); ok {
		t.Error("a folder inside a file")
	}
}
