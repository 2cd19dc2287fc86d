package statefs

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

// TestMoved gives the folder another name while the file system is in use: what comes
// then is there at the next Open, and nothing is where it was.
func TestMoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not here: Windows renames no files that are open")
	}
	was := filepath.Join(t.TempDir(), "was")
	f := open(t, was)
	fill(t, f)
	is := filepath.Join(filepath.Dir(was), "is")
	if err := os.Rename(was, is); err != nil {
		t.Fatal(err)
	}
	f.Moved(is)
	c := fstest.Dial(t, fs9p.Config{FS: f})
	c.Put(c.Root, "new", "content")
	c.Close()
	if err := f.journal.rewrite(f.snapshot); err != nil {
		t.Fatal(err)
	}
	z, err := f.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	if folder, err := z.Folder(); err != nil || filepath.Dir(filepath.Dir(folder)) != is {
		t.Errorf("frozen in %s, %v", folder, err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	before := dump(t, f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if after := dump(t, open(t, is)); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	if _, err := os.Lstat(was); err == nil {
		t.Errorf("%s is there again", was)
	}
}
