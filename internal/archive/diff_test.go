package archive

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
)

// lowerTree is what the lower file system of these tests has.
func lowerTree(t *testing.T) *memfs.FS {
	t.Helper()
	lower := memfs.New(memfs.Config{})
	for _, name := range []string{"etc/a", "etc/b", "etc/deep/c", "etc/deep/d", "usr/x", "usr/y", "old/x", "old/y"} {
		if err := lower.Add(name, memfs.Entry{Mode: 0o644, Data: strings.NewReader(name)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := lower.Add("link", memfs.Entry{Mode: fs9p.ModeSymlink | 0o777, Target: "etc/a"}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * diffStep {
		if err := lower.Add(fmt.Sprintf("many/%03d", i), memfs.Entry{Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
	}
	return lower
}

// TestDiff makes changes in a union and wants what docker diff tells of them.
func TestDiff(t *testing.T) {
	type change = func(root fs9p.FS) error
	in := func(dir string, f func(n fs9p.Node) error) change {
		return func(root fs9p.FS) error {
			n, err := fs9p.Lookup(root, dir, false)
			if err != nil {
				return err
			}
			defer n.Release()
			return f(n)
		}
	}
	make := func(dir, name string) change {
		return in(dir, func(n fs9p.Node) error {
			c, f, err := n.Create(name, fs9p.OWronly, 0o600, fs9p.Owner{})
			if err == nil {
				f.Close()
				c.Release()
			}
			return err
		})
	}
	mkdir := func(dir, name string) change {
		return in(dir, func(n fs9p.Node) error { _, err := n.Mkdir(name, 0o755, fs9p.Owner{}); return err })
	}
	remove := func(dir, name string, folder bool) change {
		return in(dir, func(n fs9p.Node) error { return n.Unlink(name, folder) })
	}
	move := func(dir, name, to, as string) change {
		return func(root fs9p.FS) error {
			return in(dir, func(n fs9p.Node) error {
				return in(to, func(d fs9p.Node) error { return n.Rename(name, d, as) })(root)
			})(root)
		}
	}
	mode := func(name string, m uint32) change {
		return in(name, func(n fs9p.Node) error { return n.SetAttr(fs9p.SetAttr{Valid: fs9p.SetMode, Mode: m}) })
	}
	for _, tt := range []struct {
		what string
		do   []change
		want string
	}{
		{"nothing", nil, ""},
		{"a file, and a folder with one", []change{make("etc", "new"), mkdir("", "top"), mkdir("top", "sub"), make("top/sub", "f")}, "C /etc|A /etc/new|A /top|A /top/sub|A /top/sub/f"},
		{"a file is gone", []change{remove("etc/deep", "c", false)}, "C /etc|C /etc/deep|D /etc/deep/c"},
		{"a folder is gone", []change{remove("etc/deep", "c", false), remove("etc/deep", "d", false), remove("etc", "deep", true)}, "C /etc|D /etc/deep"},
		{"one that came and went", []change{make("etc", "new"), remove("etc", "new", false)}, ""},
		{"modes", []change{mode("etc/a", 0o600), mode("usr", 0o700)}, "C /etc|C /etc/a|C /usr"},
		{"a file goes elsewhere", []change{move("etc", "a", "usr", "z")}, "C /etc|D /etc/a|C /usr|A /usr/z"},
		{"and takes another's place", []change{move("etc", "a", "etc", "b")}, "C /etc|D /etc/a|C /etc/b"},
		{"a folder goes elsewhere", []change{move("etc", "deep", "", "deep")}, "A /deep|A /deep/c|A /deep/d|C /etc|D /etc/deep"},
		{"and takes another's place, with files of the same names", []change{
			remove("usr", "x", false), remove("usr", "y", false), remove("", "usr", true), move("", "old", "", "usr"),
		}, "D /old|C /usr|C /usr/x|C /usr/y"},
		{"a file becomes a folder", []change{remove("etc", "a", false), mkdir("etc", "a"), make("etc/a", "in")}, "C /etc|C /etc/a|A /etc/a/in"},
		{"a folder becomes a file", []change{remove("usr", "x", false), remove("usr", "y", false), remove("", "usr", true), make("", "usr")}, "C /usr"},
		{"a link leads elsewhere", []change{remove("", "link", false), in("", func(n fs9p.Node) error { _, err := n.Symlink("link", "usr/x", fs9p.Owner{}); return err })}, "C /link"},
		{"one of many", []change{remove("many", "100", false)}, "C /many|D /many/100"},
		{"what is left out", []change{make("usr", "skipped"), mkdir("etc", "skipped"), make("etc/skipped", "x")}, ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			root, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: lowerTree(t)})
			if err != nil {
				t.Fatal(err)
			}
			for _, do := range tt.do {
				if err := do(root); err != nil {
					t.Fatal(err)
				}
			}
			var got []Change
			tree := &Tree{FS: root}
			skip := func(name string) bool { return strings.HasSuffix(name, "/skipped") }
			if err := tree.Diff(t.Context(), skip, func(c Change) error { got = append(got, c); return nil }); err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(got, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
			var lines []string
			for _, c := range got {
				lines = append(lines, fmt.Sprintf("%c %s", c.Kind, c.Name))
			}
			if s := strings.Join(lines, "|"); s != tt.want {
				t.Errorf("%s\nwant %s", s, tt.want)
			}
		})
	}
	if err := (&Tree{FS: lowerTree(t)}).Diff(t.Context(), nil, nil); !errors.Is(err, ErrNoLower) {
		t.Errorf("without a lower: %v", err)
	}
}
