package linux

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestTerm gives a program the TERM that its root knows.
func TestTerm(t *testing.T) {
	base := "etc/terminfo/x/xterm-256color etc/terminfo/v/vt100 etc/terminfo/s/screen etc/terminfo/d/dumb"
	for _, tt := range []struct {
		name, root string // files; link>target
		host, want string
	}{
		{"known", base, "vt100", "vt100"},
		{"kitty", base, "xterm-kitty", commonTerm},
		{"alacritty", base, "alacritty", commonTerm},
		{"tmux", base, "tmux-256color", commonTerm},
		{"ghostty", base, "xterm-ghostty", commonTerm},
		{"known to this root", base + " usr/share/terminfo/x/xterm-kitty", "xterm-kitty", "xterm-kitty"},
		{"in lib", base + " lib/terminfo/x/xterm-kitty", "xterm-kitty", "xterm-kitty"},
		{"in lib, which is a link", base + " lib>usr/lib usr/lib/terminfo/x/xterm-kitty", "xterm-kitty", "xterm-kitty"},
		{"folders by code", "usr/share/terminfo/78/xterm-kitty", "xterm-kitty", "xterm-kitty"},
		{"through an absolute link", base + " usr/share/terminfo/x/xterm-kitty>/opt/kitty opt/kitty", "xterm-kitty", "xterm-kitty"},
		{"a link to nothing", base + " usr/share/terminfo/x/xterm-kitty>/opt/kitty", "xterm-kitty", commonTerm},
		{"a folder of that name", base + " usr/share/terminfo/x/xterm-kitty/file", "xterm-kitty", commonTerm},
		{"the common one is not there", "etc/terminfo/x/xterm etc/terminfo/v/vt100", "xterm-kitty", "xterm"},
		{"nor is the lesser one", "etc/terminfo/v/vt100", "xterm-kitty", "vt100"},
		{"of no use", "etc/terminfo/w/wyse60", "xterm-kitty", commonTerm},
		{"nothing is known, kitty", "", "xterm-kitty", commonTerm},
		{"nothing is known, common", "", "vt100", "vt100"},
		{"nothing is known, linux", "", "linux", "linux"},
		{"dumb", base, "dumb", "dumb"},
		{"dumb, nothing is known", "", "dumb", "dumb"},
		{"dumb, unknown", "etc/terminfo/x/xterm-256color", "dumb", "dumb"},
		{"empty", base, "", commonTerm},
		{"empty, nothing is known", "", "", commonTerm},
		{"empty, vt100 is known", "etc/terminfo/v/vt100", "", "vt100"},
		{"a path", base + " etc/passwd", "../../../passwd", commonTerm},
		{"a path inside", base, "x/xterm-256color", commonTerm},
		{"a dot", base, ".", commonTerm},
		{"control characters", base, "xterm\x1b]0;", commonTerm},
		{"long", base, strings.Repeat("x", 5000), commonTerm},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{"etc/group": &fstest.MapFile{}}
			for _, name := range strings.Fields(tt.root) {
				if link, target, ok := strings.Cut(name, ">"); ok {
					root[link] = &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
					continue
				}
				root[name] = &fstest.MapFile{}
			}
			p := Program{Terminal: true, Term: tt.host}
			k, err := p.In(root)
			if err != nil || !slices.Contains(k.Env, "TERM="+tt.want) {
				t.Errorf("%v, %v; want TERM=%s", k.Env, err, tt.want)
			}
		})
	}
	p := Program{Terminal: true, Term: "vt100", Env: []string{"TERM=mine"}}
	if k, err := p.In(fstest.MapFS{}); err != nil || !slices.Contains(k.Env, "TERM=mine") {
		t.Errorf("%v, %v; want the image's or the user's TERM", k.Env, err)
	}
	if k, err := (&Program{}).In(fstest.MapFS{}); err != nil || slices.ContainsFunc(k.Env, func(e string) bool { return strings.HasPrefix(e, "TERM=") }) {
		t.Errorf("%v, %v; want no TERM without a terminal", k.Env, err)
	}
}
