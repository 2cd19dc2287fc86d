package hostfs

import (
	"slices"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
)

// TestListUnderOverlay lists a folder that is the lower layer of an overlay, some
// entries at a time, as a guest's root is that --rootfs DIR names.
func TestListUnderOverlay(t *testing.T) {
	const entries = 1000
	dir := t.TempDir()
	files(t, dir, entries)
	fs, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: open(t, dir)})
	check(t, err)
	c := fstest.Dial(t, fs9p.Config{FS: fs})
	c.Put(c.Root, "upper", "")
	fid, other := c.MustOpen(c.Root, "", fs9p.ORdonly), c.MustOpen(c.Root, "", fs9p.ORdonly)
	var got []string
	for cookie := uint64(2); ; {
		list := c.Readdir(fid, cookie, 500)
		if len(list) == 0 {
			break
		}
		for _, d := range list {
			got = append(got, d.Name)
		}
		cookie = list[len(list)-1].Cookie
		if again := c.Readdir(other, cookie, 500); len(again) == 0 && len(list) > 0 && list[len(list)-1].Name != "upper" {
			t.Fatalf("behind %d entries another opening has none", len(got))
		}
	}
	slices.Sort(got)
	if n := len(slices.Compact(got)); n != entries+1 || len(got) != n {
		t.Errorf("%d names, %d of them different, want %d", len(got), n, entries+1)
	}
}
