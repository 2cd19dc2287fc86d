package seal

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSeal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	content := []byte("content")
	for name, change := range map[string]func() error{
		"written anew": func() error { return os.WriteFile(file, content, 0o600) },
		"emptied":      func() error { return os.Truncate(file, 0) },
		"longer":       func() error { return os.Truncate(file, 100) },
		"one byte": func() error {
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteAt([]byte{'C'}, 0)
				f.Close()
			}
			return err
		},
		"another name": func() error { return os.Rename(file, file+"2") },
		"another time": func() error { return os.Chtimes(file, time.Time{}, time.Unix(1_700_000_000, 0)) },
		"removed":      func() error { return os.Remove(file) },
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if Holds(file) {
			t.Errorf("%s: a new file is sealed", name)
		}
		if err := Set(file, "file"); err != nil {
			t.Fatal(err)
		}
		if !Holds(file) {
			t.Fatalf("%s: the seal does not hold", name)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if Holds(file) || Holds(file+"2") {
			t.Errorf("%s: the seal holds", name)
		}
		os.Remove(file + "2")
	}
	os.Remove(file)
	if err := Set(file, "file"); err == nil {
		t.Error("a file that is not there is sealed")
	}
}

// TestSealCopied keeps the time and moves the file to its place.
func TestSealCopied(t *testing.T) {
	dir := t.TempDir()
	making, place, copied := filepath.Join(dir, "making-123"), filepath.Join(dir, "place"), filepath.Join(dir, "copy", "place")
	if err := os.WriteFile(making, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Set(making, "place"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(making, place); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(place)
	if err != nil {
		t.Fatal(err)
	}
	os.Mkdir(filepath.Join(dir, "copy"), 0o755)
	if err := os.WriteFile(copied, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(copied, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if !Holds(place) || !Holds(copied) {
		t.Errorf("in its place %v, copied %v", Holds(place), Holds(copied))
	}
}
