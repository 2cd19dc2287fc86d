package machines

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestLockMoves has a lock's file take the place of another one that somebody waits
// for: who gets that one has nothing.
func TestLockMoves(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not here: Windows renames no files that are open")
	}
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	running, err := lock(t.Context(), "was")
	if err != nil {
		t.Fatal(err)
	}
	defer running.lock.Close()
	renaming, err := lock(t.Context(), "is")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(running.lock.Path(), renaming.lock.Path()); err != nil {
		t.Fatal(err)
	}
	if renaming.lockIsThere() {
		t.Error("the file that is locked has another's place")
	}
	renaming.lock.Close()
	if _, err := lock(t.Context(), "is"); !errors.Is(err, errRunning) {
		t.Errorf("locked twice: %v", err)
	}
	free, err := lock(t.Context(), "was")
	if err != nil {
		t.Fatalf("the old name: %v", err)
	}
	free.lock.Close()
}

// TestRenames renames all of a list or none.
func TestRenames(t *testing.T) {
	dir := t.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	for _, s := range []string{"a", "b", "taken.sock"} {
		if err := os.WriteFile(name(s), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range [][2]string{{name("nosuch"), name("y")}, {name("b"), name("taken.sock")}} {
		list := renames{{name("a"), name("x")}, bad}
		if err := list.do(); err == nil {
			t.Errorf("%s: no error", bad)
		}
		if b, err := os.ReadFile(name("a")); err != nil || string(b) != "a" {
			t.Errorf("%s: a is %q, %v", bad, b, err)
		}
	}
	list := renames{{name("a"), name("x")}, {name("b"), name("free.sock")}}
	if err := list.do(); err != nil {
		t.Error(err)
	}
	there, err := os.ReadDir(dir)
	if err != nil || len(there) != 3 || there[0].Name() != "free.sock" || there[2].Name() != "x" {
		t.Errorf("%v, %v", there, err)
	}
}
