package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// nothing are, by command, arguments that name machines, images, volumes and files
// that there are not. "" is of a command that has none to name.
var nothing = map[string]string{
	"run": "127.0.0.1:1/nosuch", "exec": "nosuch true",
	"start": "nosuch", "stop": "nosuch", "restart": "nosuch", "clone": "nosuch new", "kill": "nosuch", "pause": "nosuch", "unpause": "nosuch", "wait": "nosuch",
	"rm": "nosuch", "rename": "nosuch new", "prune": "", "ps": "", "ls": "", "cp": "nosuch:/f f", "export": "nosuch", "attach": "nosuch", "logs": "nosuch",
	"inspect": "nosuch", "port": "nosuch", "stats": "nosuch", "diff": "nosuch", "top": "nosuch",
	"pull": "127.0.0.1:1/nosuch", "push": "127.0.0.1:1/nosuch", "images": "", "rmi": "nosuch", "tag": "nosuch new", "save": "nosuch", "load": "-i nosuch",
	"import": "nosuch", "commit": "nosuch new", "history": "nosuch",
	"image ls": "", "image pull": "127.0.0.1:1/nosuch", "image push": "127.0.0.1:1/nosuch", "image rm": "nosuch", "image tag": "nosuch new", "image save": "nosuch",
	"image load": "-i nosuch", "image import": "nosuch", "image inspect": "nosuch", "image history": "nosuch", "image prune": "",
	"snapshot inspect": "nosuch", "snapshot ls": "nosuch", "snapshot rm": "nosuch", "snapshot pack": "nosuch new", "snapshot unpack": "nosuch new", "snapshot save": "nosuch",
	"volume create": "no/name", "volume ls": "", "volume inspect": "nosuch", "volume rm": "nosuch", "volume prune": "",
	"system df": "", "system info": "", "system prune": "", "info": "",
	"serve": "127.0.0.1:1/nosuch", "web build": "-o new 127.0.0.1:1/nosuch", "mcp": "--memory nosuch", "doctor": "", "version": "", "man": "",
	"bench boot": "--kernel nosuch --rootfs nosuch", "bench cpu": "--kernel nosuch", "bench fs": "--kernel nosuch --rootfs nosuch",
	"bench go-build": "--kernel nosuch --rootfs nosuch", "bench net": "--kernel nosuch --rootfs nosuch",
}

// TestExitCodes gives every command a wrong flag, an argument too few and too many, and
// what there is not.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	h := home{t: t, dir: t.TempDir()}
	check := func(want int, path string, args ...string) {
		t.Helper()
		args = append(strings.Fields(path), args...)
		cmd := h.command(args...)
		cmd.Dir = h.dir
		var errs strings.Builder
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
		if code := codeOf(t, cmd.Wait()); code != want {
			t.Errorf("alpinevm %q: exit code %d, want %d: %s", args, code, want, errs.String())
		}
	}
	in := func(path string, args ...string) int {
		c, err := newCommand(), error(nil)
		c.SetArgs(append(strings.Fields(path), args...))
		c, err = c.ExecuteC()
		return exitOf(c.Name(), err)
	}
	for path, c := range commands(newCommand()) {
		own := exitError
		if name := c.Name(); name == "run" || name == "exec" {
			own = exitFailure
		}
		if code := in(path, "--no-such-flag"); code != 125 {
			t.Errorf("%s --no-such-flag: exit code %d", path, code)
		}
		if code := in(path, "--help="); code != 125 {
			t.Errorf("%s --help=: exit code %d", path, code)
		}
		if c.HasSubCommands() {
			if code := in(path, "nosuch"); code != 1 {
				t.Errorf("%s nosuch: exit code %d", path, code)
			}
			continue
		}
		if c.Args != nil && c.Args(c, nil) != nil && in(path) != own {
			t.Errorf("%s without arguments: exit code %d", path, in(path))
		}
		many := strings.Fields(strings.Repeat("a ", 9))
		if c.Args != nil && c.Args(c, many) != nil && in(path, many...) != own {
			t.Errorf("%s with too many: exit code %d", path, in(path, many...))
		}
		args, ok := nothing[strings.TrimPrefix(path, "container ")]
		switch {
		case !ok:
			t.Errorf("%s: name something that there is not", path)
		case args != "" && !strings.HasPrefix(path, "container "):
			check(own, path, strings.Fields(args)...)
		}
	}
	check(0, "")
	check(0, "--version")
	check(0, "run --help")
	check(125, "--no-such-flag")
	check(1, "nosuch")
	check(125, "run -nographic")
	check(125, "-enable-kvm")
	if err := os.WriteFile(filepath.Join(h.dir, "text"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(125, "run --kernel text")
	check(1, "load -i text")
	check(1, "snapshot inspect text")
}

// commands are c and all below it that are for users, by what is typed behind alpinevm.
func commands(c *cobra.Command) map[string]*cobra.Command {
	all := map[string]*cobra.Command{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Name() != lookoutWord {
				all[strings.TrimPrefix(sub.CommandPath(), c.Root().Name()+" ")] = sub
				walk(sub)
			}
		}
	}
	walk(c)
	return all
}
