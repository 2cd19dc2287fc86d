package linux

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"sync"

	"alpinevm/kernel"
)

// terminfos are where libraries look for what they know of terminals (ncurses as
// Alpine, Debian and Fedora build it), besides what a user brings along.
var terminfos = []string{"etc/terminfo", "lib/terminfo", "usr/lib/terminfo", "usr/share/terminfo"}

// terminalName matches the name of a type of terminal that can be one of a file.
var terminalName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._@-]{0,63}$`) })

// commonTerm is what nearly every terminal of today is or takes itself for. lesserTerms are
// for roots that know nothing of it.
const commonTerm = "xterm-256color"

var lesserTerms = []string{commonTerm, "xterm", "vt220", "vt100", "linux", "ansi"}

// dumbTerm is a terminal that can do nothing, which every program understands.
const dumbTerm = "dumb"

// everywhere are the types that any distribution's smallest set has, and programs
// that have their own idea of terminals know.
var everywhere = []string{
	"ansi", "linux", "rxvt", "screen", "screen-256color", "sun", "vt52", "vt100", "vt102", "vt220", "xterm", "xterm-256color", "xterm-color",
}

// term is the TERM of a program on a root: the host's, unless the root does not
// know it.
func (p *Program) term(root fs.FS) string {
	want := p.Term
	if !terminalName().MatchString(want) {
		want = ""
	}
	if want == dumbTerm || want != "" && knowsTerm(root, want) {
		return want
	}
	for _, t := range lesserTerms {
		if knowsTerm(root, t) {
			return t
		}
	}
	if slices.Contains(everywhere, want) {
		return want
	}
	return commonTerm
}

// knowsTerm tells whether a root has a description of a type of terminal: under its
// first letter, or, where names are kept that differ by case alone, under that
// letter's code.
func knowsTerm(root fs.FS, name string) bool {
	for _, dir := range terminfos {
		for _, letter := range []string{name[:1], fmt.Sprintf("%02x", name[0])} {
			at, err := kernel.Resolve(root, path.Join(dir, letter, name))
			if err != nil {
				continue
			}
			if info, err := fs.Stat(root, at); err == nil && info.Mode().IsRegular() {
				return true
			}
		}
	}
	return false
}
