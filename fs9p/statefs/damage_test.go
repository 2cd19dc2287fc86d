package statefs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alpinevm/fs9p"
)

// little makes a file system of a few files, each made by changes of its own,
// and ends its use. It gives the folder and the names.
func little(t *testing.T) (dir string, names []string) {
	t.Helper()
	dir = t.TempDir()
	f, err := Open(Config{Dir: dir, disk: newTestDisk(), Now: timeZero})
	if err != nil {
		t.Fatal(err)
	}
	top := root(t, f)
	for i := range 8 {
		name := fmt.Sprint("file", i)
		names = append(names, name)
		n, h, err := top.Create(name, fs9p.ORdwr, 0o644, fs9p.Owner{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.WriteAt([]byte(name), 0); err != nil {
			t.Fatal(err)
		}
		n.Release()
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, names
}

// TestAnyByte changes every byte of the journal of a use that was ended in
// order, and cuts it at every one. Either nothing is lost; or it is refused, in
// one line, with nothing changed, and a salvage finds all that was made before
// and all behind it that does not need what is lost.
func TestAnyByte(t *testing.T) {
	dir, names := little(t)
	name := filepath.Join(dir, journalFile)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(whole, "\x00"))
	whole = whole[:end+200] // of the room that is not used yet some will do
	clean := filepath.Join(dir, cleanFile)
	contents, err := filepath.Glob(filepath.Join(dir, dataDir, "*", "*"))
	if err != nil || len(contents) != len(names) {
		t.Fatalf("%d contents, %v", len(contents), err)
	}
	refused, unharmed, total := 0, 0, 0
	try := func(what string, b []byte) {
		t.Helper()
		total++
		for _, path := range []string{name, clean} {
			text := b
			if path == clean {
				text = nil
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f, err := Open(Config{Dir: dir, disk: newTestDisk(), Now: timeZero})
		if err == nil {
			if got := strings.Join(namesIn(t, f), " "); got != strings.Join(names, " ") {
				t.Fatalf("%s: nothing is said, and there is %q", what, got)
			}
			f.shut()
			unharmed++
			return
		}
		refused++
		if text := err.Error(); !errors.Is(err, ErrDamaged) || strings.Contains(text, "\n") || !strings.Contains(text, dir) {
			t.Fatalf("%s: %v", what, err)
		}
		if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, b) {
			t.Fatalf("%s: the journal was changed, %v", what, err)
		}
		if _, err := os.Stat(clean); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		told := ""
		f, err = Open(Config{Dir: dir, disk: newTestDisk(), Now: timeZero, Salvage: true, Tell: func(s string) { told = s }})
		if err != nil {
			t.Fatalf("%s: the salvage says %v", what, err)
		}
		defer f.shut()
		kept, err := filepath.Glob(name + ".damaged-*")
		if err != nil || len(kept) != 1 || !strings.Contains(told, kept[0]) {
			t.Fatalf("%s: it is kept as %q, %v, and the user told %q", what, kept, err, told)
		}
		if was, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(was, b) {
			t.Fatalf("%s: what is kept is not what was there, %v", what, err)
		}
		os.Remove(kept[0])
		there := namesIn(t, f)
		// A byte is one change; the rest of a journal that was cut is many.
		if len(b) == len(whole) && len(there) < len(names)-1 {
			t.Fatalf("%s: the salvage finds only %q", what, there)
		}
		lost, _ := filepath.Glob(filepath.Join(dir, lostDir, "*"))
		if len(there)+len(lost) != len(names) {
			t.Fatalf("%s: there are %d files, and %d contents without", what, len(there), len(lost))
		}
		for _, l := range lost { // for the next
			id, _ := parseID(filepath.Base(l))
			os.Rename(l, f.dataName(id))
		}
	}
	step := 1
	if testing.Short() {
		step = 7 // so that it meets each kind of change
	}
	for at := 0; at < len(whole); at += step {
		if padding(at) {
			continue
		}
		b := bytes.Clone(whole)
		b[at] ^= []byte{1, 2, 4, 8, 16, 32, 64, 128, 255}[at%9]
		try(fmt.Sprintf("byte %d of %d, which ends at %d", at, len(whole), end), b)
	}
	for at := 0; at < end; at += step {
		if padding(at) {
			continue
		}
		try(fmt.Sprintf("cut at byte %d of %d", at, end), whole[:at])
	}
	t.Logf("%d changes of a journal of %d bytes: %d harmless, %d refused", total, end, unharmed, refused)
	if refused < (end-int(framesAt))*3/2/step {
		t.Errorf("only %d were refused", refused)
	}
}

// padding tells whether a place is one between headers and marks, of which not
// every byte has to be tried.
func padding(at int) bool {
	return at > headerLen && at < int(framesAt) && at%headerAt > headerLen && at%101 != 0
}

// namesIn gives the names in the root that hold what they held.
func namesIn(t *testing.T, f *FS) (names []string) {
	t.Helper()
	top := root(t, f)
	opened(t, top, 0).ReadDir(fs9p.DirStart, func(d fs9p.Dirent) bool {
		p := make([]byte, 100)
		n, err := opened(t, child(t, top, d.Name), fs9p.ONoatime).ReadAt(p, 0)
		if err != nil || string(p[:n]) != d.Name {
			t.Errorf("%s holds %q, %v", d.Name, p[:n], err)
		}
		names = append(names, d.Name)
		return true
	})
	return names
}

// TestDamageOfTheDead has a byte changed that was synced by a process that died.
// What was synced must be there, even if it is the last frame.
func TestDamageOfTheDead(t *testing.T) {
	f := open(t, t.TempDir())
	top := root(t, f)
	for _, name := range []string{"a", "b"} {
		if _, err := top.Mkdir(name, 0o755, fs9p.Owner{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := opened(t, top, 0).Sync(false); err != nil {
		t.Fatal(err)
	}
	last := f.journal.end - 1
	f.shut()
	b, err := os.ReadFile(f.path(journalFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.path(journalFile), change(b, int(last)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: f.cfg.Dir}); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(f.path(journalFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, f.cfg.Dir)
}

func timeZero() time.Time { return time.Unix(0, 0) }
