package memfs

import (
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/fstest"
)

func TestSmoke(t *testing.T) {
	c := fstest.Dial(t, fs9p.Config{FS: New(Config{})})
	d := c.Dir()
	c.Put(d, "f", "hello")
	if s := c.Cat(d, "f"); s != "hello" {
		t.Fatal(s)
	}
	c.OK(c.Rename(d, "f", d, "g"))
	if l := c.List(d, ""); len(l) != 1 || l[0] != "g" {
		t.Fatal(l)
	}
}
