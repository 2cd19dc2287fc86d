package alpinevm

import (
	"errors"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
)

// TestHostileUsers looks for a user where a guest or an image has put what
// nobody can read whole.
func TestHostileUsers(t *testing.T) {
	for _, file := range []string{"etc/passwd", "etc/group"} {
		m := memfs.New(memfs.Config{})
		for name, text := range map[string]string{"etc/passwd": "u:x:5:6::/:/bin/sh\n", "etc/group": "g:x:7:\n"} {
			if err := m.Add(name, memfs.Entry{Data: strings.NewReader(text)}); err != nil {
				t.Fatal(err)
			}
		}
		if u, err := lookupUser(fs9p.IOFS(m), "u:g"); err != nil || u.uid != 5 || u.gid != 7 {
			t.Fatalf("%+v, %v", u, err)
		}
		root, err := m.Attach(file[:3])
		if err != nil {
			t.Fatal(err)
		}
		n, err := root.Walk(file[4:])
		if err != nil {
			t.Fatal(err)
		}
		if err := n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetSize, Size: 8 << 40}); err != nil {
			t.Fatal(err)
		}
		for who, refused := range map[string]bool{
			"": false, "0": false, "5:7": false, "nobody": file == "etc/passwd", "5:nobody": file == "etc/group",
		} {
			_, err := lookupUser(fs9p.IOFS(m), who)
			if found := errors.Is(err, fs9p.ErrTooLarge) && strings.Contains(err.Error(), file); refused && !found {
				t.Errorf("%s, %q: %v", file, who, err)
			} else if !refused && errors.Is(err, fs9p.ErrTooLarge) {
				t.Errorf("%s, %q: %v", file, who, err)
			}
		}
	}
}
