package linux

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"strings"

	"alpinevm/kernel"
)

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Program is a program to run in a guest, as docker's users describe one.
type Program struct {
	Args []string // empty: a shell
	Env  []string // "NAME=value", added to what docker gives
	Dir  string   // working folder, an absolute name; "" is "/"
	User string   // as LookupUser has it

	Hostname string // of the guest
	// Terminal says that the program has a terminal. Term is its type, in whose
	// place comes one that the root knows.
	Terminal bool
	Term     string
}

// In gives the program as the guest's init runs it on a root, with the
// environment that docker would give it. A FieldError is about "User" or "Dir".
func (p *Program) In(root fs.FS) (kernel.Program, error) {
	u, err := LookupUser(root, p.User)
	if err != nil {
		return kernel.Program{}, &FieldError{"User", err}
	}
	k := kernel.Program{Args: p.Args, Dir: cmp.Or(p.Dir, "/"), UID: u.UID, GID: u.GID, Groups: u.Groups}
	if len(k.Args) == 0 {
		k.Args = []string{"/bin/sh"}
	}
	if !path.IsAbs(k.Dir) {
		return kernel.Program{}, &FieldError{"Dir", errors.New("want an absolute path in the guest")}
	}
	if info, err := fs.Stat(root, strings.TrimPrefix(path.Clean(k.Dir), "/")); err == nil && info.Mode().IsRegular() {
		return kernel.Program{}, &FieldError{"Dir", errors.New("it is a file; want a folder of the guest")}
	}
	env := []string{defaultPath, "HOSTNAME=" + p.Hostname, "HOME=" + u.Home}
	if p.Terminal {
		env = append(env, "TERM="+p.term(root))
	}
	k.Env = mergeEnv(env, p.Env)
	return k, nil
}

// mergeEnv adds the settings of extra to env; later ones win.
func mergeEnv(env, extra []string) []string {
	for _, e := range extra {
		name, _, _ := strings.Cut(e, "=")
		kept := env[:0:0]
		for _, old := range env {
			if n, _, _ := strings.Cut(old, "="); n != name {
				kept = append(kept, old)
			}
		}
		env = append(kept, e)
	}
	return env
}
