package linux

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/kernel"
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
		if u, err := LookupUser(fs9p.IOFS(m), "u:g"); err != nil || u.UID != 5 || u.GID != 7 {
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
			_, err := LookupUser(fs9p.IOFS(m), who)
			if found := errors.Is(err, fs9p.ErrTooLarge) && strings.Contains(err.Error(), file); refused && !found {
				t.Errorf("%s, %q: %v", file, who, err)
			} else if !refused && errors.Is(err, fs9p.ErrTooLarge) {
				t.Errorf("%s, %q: %v", file, who, err)
			}
		}
	}
}

// TestUsers looks users up as docker does.
func TestUsers(t *testing.T) {
	long := strings.Repeat("x", 1<<17)
	m := memfs.New(memfs.Config{})
	var crowd strings.Builder
	for i := range kernel.MaxGroups + 1 {
		fmt.Fprintf(&crowd, "c%d:x:%d:busy\n", i, 100000+i)
	}
	for name, text := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n" + long + ":x:9:9::/:/bin/sh\nshort:x:1\n" +
			"u:x:5:6:a:/home/u:/bin/sh\r\n77:x:8:8::/digits:/bin/sh\nbad:x:y:z::/:/bin/sh\nbusy:x:11:11::/:/bin/sh\nlast:x:12:13::/l:/bin/sh",
		"etc/group": "root:x:0:root\nbin:x:1:root,daemon\n" + long + ":x:70:" + strings.Repeat("x,", 1<<16) + "u\n" +
			"g:x:7:uu,u2\nwheel:x:10:root,u\nsame:x:6:u\ntwice:x:10:u\nbadgid:x:q:u\nunlisted:x:14:\nthree:x:15\n" + crowd.String(),
	} {
		if err := m.Add(name, memfs.Entry{Data: strings.NewReader(text)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		who      string
		uid, gid uint32
		groups   []uint32
		home     string
		err      string
	}{
		{"", 0, 0, []uint32{0, 1, 10}, "/root", ""},
		{"root", 0, 0, []uint32{0, 1, 10}, "/root", ""},
		{"0", 0, 0, []uint32{0, 1, 10}, "/root", ""},
		{":7", 0, 7, []uint32{7}, "/root", ""},
		{"u", 5, 6, []uint32{6, 70, 10}, "/home/u", ""},
		{"5", 5, 6, []uint32{6, 70, 10}, "/home/u", ""},
		{"u:", 5, 6, []uint32{6, 70, 10}, "/home/u", ""},
		{"u:g", 5, 7, []uint32{7}, "/home/u", ""},
		{"u:three", 5, 15, []uint32{15}, "/home/u", ""},
		{"u:4242", 5, 4242, []uint32{4242}, "/home/u", ""},
		{"1234", 1234, 0, []uint32{0}, "/", ""},
		{"1234:", 1234, 0, []uint32{0}, "/", ""},
		{"1234:wheel", 1234, 10, []uint32{10}, "/", ""},
		{"77", 77, 0, []uint32{0}, "/", ""},
		{"last", 12, 13, []uint32{13}, "/l", ""},
		{"last:unlisted", 12, 14, []uint32{14}, "/l", ""},
		{"nobody", 0, 0, nil, "", `"nobody" is not in the image's /etc/passwd`},
		{"bad", 0, 0, nil, "", `the line of "bad" in the image's /etc/passwd is malformed`},
		{"u:none", 0, 0, nil, "", `the group "none" is not in the image's /etc/group`},
		{"u:badgid", 0, 0, nil, "", `the line of "badgid" in the image's /etc/group is malformed`},
		{"busy", 0, 0, nil, "", `"busy" is in more than 65536 groups of the image's /etc/group`},
	} {
		u, err := LookupUser(fs9p.IOFS(m), tt.who)
		switch {
		case tt.err != "":
			if err == nil || err.Error() != tt.err {
				t.Errorf("%q: %v, want %s", tt.who, err, tt.err)
			}
		case err != nil || u.UID != tt.uid || u.GID != tt.gid || u.Home != tt.home || !slices.Equal(u.Groups, tt.groups):
			t.Errorf("%q: %+v, %v; want %+v", tt.who, u, err, tt)
		}
	}
}
