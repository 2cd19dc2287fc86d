package alpinevm

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"alpinevm/kernel"
)

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func terminalType(t *Terminal) string {
	if t != nil && t.Term != "" {
		return t.Term
	}
	return "linux"
}

// program is what the session runs, with the environment that docker would
// give it.
func program(root fs.FS, cfg *Config) (kernel.Program, error) {
	s, terminal := cfg.Session, cfg.Consoles.Terminal
	u, err := lookupUser(root, s.User)
	if err != nil {
		return kernel.Program{}, &ConfigError{"User", err}
	}
	p := kernel.Program{Args: s.Args, Dir: s.Dir, UID: u.uid, GID: u.gid, Groups: u.groups}
	if len(p.Args) == 0 {
		p.Args = []string{"/bin/sh"}
	}
	if p.Dir == "" {
		p.Dir = "/"
	}
	if !path.IsAbs(p.Dir) {
		return kernel.Program{}, &ConfigError{"Dir", errors.New("want an absolute path in the guest")}
	}
	if info, err := fs.Stat(root, strings.TrimPrefix(path.Clean(p.Dir), "/")); err == nil && info.Mode().IsRegular() {
		return kernel.Program{}, &ConfigError{"Dir", errors.New("it is a file; want a folder of the guest")}
	}
	env := []string{defaultPath, "HOSTNAME=" + cfg.Hostname, "HOME=" + u.home}
	if cfg.Hostname == "" {
		env[1] = "HOSTNAME=alpine"
	}
	if terminal != nil {
		env = append(env, "TERM="+terminalType(terminal))
	}
	p.Env = mergeEnv(env, s.Env)
	return p, nil
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
