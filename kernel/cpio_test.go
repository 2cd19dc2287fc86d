package kernel

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// cpioEntry is what readCPIO finds.
type cpioEntry struct {
	mode, major, minor uint64
	data               string
}

// readCPIO reads a newc archive as the kernel does (init/initramfs.c), checking alignment and the trailer.
func readCPIO(t *testing.T, b []byte) (names []string, entries map[string]cpioEntry) {
	t.Helper()
	entries = map[string]cpioEntry{}
	whole := b
	for {
		if len(b) < 110 || string(b[:6]) != "070701" {
			t.Fatalf("no header at %d", len(whole)-len(b))
		}
		field := func(i int) uint64 {
			v, err := strconv.ParseUint(string(b[6+8*i:14+8*i]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		e := cpioEntry{mode: field(1), major: field(9), minor: field(10)}
		size, nameSize := int(field(6)), int(field(11))
		name := string(b[110 : 110+nameSize-1])
		if b[110+nameSize-1] != 0 {
			t.Fatalf("%s: the name does not end with a zero byte", name)
		}
		at := (110 + nameSize + 3) &^ 3
		if name == "TRAILER!!!" {
			if len(b) != at {
				t.Errorf("%d bytes after the trailer", len(b)-at)
			}
			return names, entries
		}
		e.data = string(b[at : at+size])
		names = append(names, name)
		entries[name] = e
		b = b[(at+size+3)&^3:]
	}
}

func TestCPIO(t *testing.T) {
	var c CPIO
	c.File("/a/b/odd", 0o755, []byte("12345"))
	c.Dir("/a")
	c.Symlink("a/link", "b/odd")
	c.CharDevice("/dev/console", 0o600, 5, 1)
	b, err := c.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	names, e := readCPIO(t, b)
	if want := []string{"a", "a/b", "a/b/odd", "a/link", "dev", "dev/console"}; !slices.Equal(names, want) {
		t.Errorf("entries %q, want %q", names, want)
	}
	if got := e["a/b/odd"]; got != (cpioEntry{mode: 0o100755, data: "12345"}) {
		t.Errorf("file %+v", got)
	}
	if got := e["a/link"]; got.mode != 0o120777 || got.data != "b/odd" {
		t.Errorf("link %+v", got)
	}
	if got := e["dev/console"]; got != (cpioEntry{mode: 0o020600, major: 5, minor: 1}) {
		t.Errorf("device %+v", got)
	}
	if got := e["a/b"]; got.mode != 0o040755 {
		t.Errorf("folder %+v", got)
	}
	if again, _ := c.Bytes(); !bytes.Equal(again, b) {
		t.Error("a second archive differs")
	}
}

func TestCPIORefuses(t *testing.T) {
	for name, add := range map[string]func(*CPIO){
		"empty name": func(c *CPIO) { c.Dir("/") },
		"trailer":    func(c *CPIO) { c.File(cpioTrailer, 0, nil) },
		"zero byte":  func(c *CPIO) { c.File("a\x00b", 0, nil) },
		"twice":      func(c *CPIO) { c.File("a", 0, nil); c.Symlink("/a", "b") },
		"long name":  func(c *CPIO) { c.Dir(strings.Repeat("a/", 2048) + "b") },
		"file above": func(c *CPIO) { c.File("a", 0, nil); c.File("a/b/c", 0, nil) },
		"then a dir": func(c *CPIO) { c.File("a", 0, nil); c.Dir("a") },
	} {
		var c CPIO
		add(&c)
		if _, err := c.Bytes(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzCPIO composes archives of whatever names and contents: what is not refused
// is read back as it was, below folders that come before it.
func FuzzCPIO(f *testing.F) {
	f.Add("lib/modules/6.1/kernel/9p.ko", []byte("module"), "etc/mtab", "../proc/mounts")
	f.Add("/a//b/../c", []byte("1"), "a/c/d", "")
	f.Add("a", []byte{}, "a", "a")
	f.Add("TRAILER!!!/x", []byte("070701"), "b\x00", "c")
	f.Fuzz(func(t *testing.T, name string, data []byte, link, target string) {
		var c CPIO
		c.File(name, 0o644, data)
		c.Symlink(link, target)
		b, err := c.Bytes()
		if err != nil {
			return
		}
		names, entries := readCPIO(t, b)
		for i, n := range names {
			if d := path.Dir(n); d != "." && !slices.Contains(names[:i], d) {
				t.Errorf("%q comes before its folder", n)
			}
		}
		for n, want := range map[string]cpioEntry{
			name: {mode: 0o100644, data: string(data)}, link: {mode: 0o120777, data: target},
		} {
			if got := entries[strings.TrimPrefix(path.Clean("/"+n), "/")]; got != want {
				t.Errorf("%q: %+v, want %+v", n, got, want)
			}
		}
	})
}
