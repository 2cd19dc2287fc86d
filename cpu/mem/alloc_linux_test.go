package mem

import (
	"bytes"
	"testing"
)

// TestBelow: memory that is made of an image knows which of its pages need not be
// looked at, and is frozen whole all the same: what the image has, what was written
// since, and what was made zero.
func TestBelow(t *testing.T) {
	m := newMemory(t)
	fill(t, m)
	image, err := m.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	if image.bank.part() == nil {
		t.Skip("not here: the host keeps no memory in files without a name")
	}
	c, err := image.Thaw()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.WriteAt(bytes.Repeat([]byte{9}, PageSize), 77*PageSize)
	c.WriteAt(make([]byte, PageSize), 9*PageSize)
	want := ram(t, c)
	if c.below == nil {
		t.Skip("not here: the host does not tell of the holes of files")
	}
	n := 0
	for _, may := range c.below {
		if may {
			n++
		}
	}
	if n < 6 { // a host may keep it in large pages
		t.Errorf("%d of %d pages may be other than zero; 6 are", n, len(c.below))
	}
	again, err := c.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	d, err := again.Thaw()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if !bytes.Equal(ram(t, d), want) {
		t.Error("what was frozen is not what was there")
	}
}
