package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"alpinevm"
	"alpinevm/launch"
)

// goingOn is a machine that goes on from a snapshot.
type goingOn struct {
	*alpinevm.Snapshot
	was  *launch.Origin
	args []string // a command to run in it, in place of following its own program
}

// takeSnapshot opens the file that --from names.
func (f *runFlags) takeSnapshot() error {
	s, err := openSnapshot(f.fromFile, false)
	if err != nil {
		return err
	}
	was, err := launch.ReadOrigin(s)
	if err != nil {
		s.Close()
		return fmt.Errorf("snapshot %s: %w", f.fromFile, err)
	}
	f.from = &goingOn{Snapshot: s, was: was}
	if err := f.checkFrom(); err != nil {
		s.Close()
		return err
	}
	f.init = was.Init
	if f.hostname == defaultHostname {
		f.hostname = "" // it keeps what it has
	}
	return nil
}

// settled are the flags of what a machine has been made with, and what it goes on with in
// their place.
var settled = []struct{ flags, with string }{
	{"rootfs kernel modules module firmware initrd busybox cmdline append sysctl cold", "the kernel and the root that it has"},
	{"deterministic", "time as it has it"},
	{"memory", "the memory that it has"},
	{"tmpfs shm-size read-only", "its file systems as they are mounted"},
	{"boot entrypoint", "the program that runs in it"},
	{"env env-file", "the environment that its programs have"},
	{"user", "the user that its programs run as"},
	{"workdir", "the folders that its programs are in"},
}

// checkFrom refuses what a snapshot says by itself.
func (f *runFlags) checkFrom() error {
	for _, s := range settled {
		for _, name := range strings.Fields(s.flags) {
			if f.flags.Changed(name) {
				return fmt.Errorf("--from %s: the machine goes on with %s: leave out --%s", f.fromFile, s.with, name)
			}
		}
	}
	for _, m := range f.mounts {
		if isTmpfs(m) {
			return fmt.Errorf("--from %s: the machine goes on with its file systems as they are mounted: leave out --mount %s", f.fromFile, m)
		}
	}
	if f.name != "" && f.from.was.Image == "" {
		return fmt.Errorf("--from %s: the machine's root was %s, not an image, which --name cannot keep: leave out --name", f.fromFile, f.from.was.Rootfs)
	}
	return nil
}

// sameNetwork refuses to take its network from a machine that goes on, and to give it one.
func (f *runFlags) sameNetwork() error {
	n := &f.network
	if f.from.was.Network {
		if n.kind == networkNone {
			return fmt.Errorf("--from %s: the machine has a network, and goes on as it was: leave out --network %s", f.fromFile, n.kind)
		}
		return nil
	}
	for _, flag := range []struct {
		name  string
		given bool
	}{
		{"--network " + n.kind, n.kind != "" && n.kind != networkNone}, {"--publish", n.publish != nil}, {"--dns", n.dns != nil}, {"--add-host", n.addHost != nil},
		{"--mac-address", n.mac != ""}, {"--host-loopback", n.hostLoopback}, {"--private-networks", n.privateNetworks}, {"--host-names", n.hostNames},
		{n.policy.given(), n.policy.given() != ""},
	} {
		if flag.given {
			return fmt.Errorf("--from %s: the machine has no network, and goes on as it was: leave out %s", f.fromFile, flag.name)
		}
	}
	return nil
}

// checkName refuses to have a machine go on that is there, unless the snapshot was
// made for it: alpinevm clone makes both.
func (f *runFlags) checkName() error {
	if f.from == nil || f.machine == nil || f.machine.IsNew || launch.IsApart(f.from.Snapshot) {
		return nil
	}
	return fmt.Errorf("machine %s: there is one of that name; alpinevm start %s goes on with it, alpinevm rm %s removes it", f.name, f.name, f.name)
}

// terminal tells whether the machine's own program has one, which it keeps. A
// command has our own.
func (g *goingOn) terminal(ours bool) bool {
	return g.was.Terminal && len(g.args) == 0 || len(g.args) > 0 && ours
}

// connect connects what the machine has to the host, or, where a command is run in
// it, to nothing.
func (g *goingOn) connect(cfg *alpinevm.Config, h *host, keys io.Reader) {
	var in io.Reader = silent{} // its end would end what reads it
	out := io.Discard
	if len(g.args) == 0 {
		in, out = input(), h.stdout
		if h.tty != nil {
			in, out = keys, h.tty
		}
	}
	if g.was.Terminal {
		cols, rows := uint16(80), uint16(24)
		if h.tty != nil {
			cols, rows = windowSize()
		}
		cfg.Consoles.Terminal = &alpinevm.Terminal{In: in, Out: out, Cols: cols, Rows: rows}
		return
	}
	cfg.Session.Stdin, cfg.Session.Stdout, cfg.Session.Stderr = in, out, out
	if len(g.args) == 0 && h.tty == nil {
		cfg.Session.Stderr = h.stderr
	}
}

// silent is an input at which nobody types.
type silent struct{}

// Read waits for ever.
func (silent) Read([]byte) (int, error) { select {} }

// commandEnded is the cause of the end of a machine in which a command has.
type commandEnded struct {
	code int
	err  error
}

func (c commandEnded) Error() string { return "the command has ended" }

// command runs the command while the machine runs, which it then ends by cancel.
func (g *goingOn) command(ctx context.Context, m *alpinevm.Machine, h *host, keys io.Reader, cancel context.CancelCauseFunc) {
	if len(g.args) == 0 {
		return
	}
	p := alpinevm.Process{Args: g.args}
	if h.background == nil {
		p.Stdin, p.Stdout, p.Stderr = input(), h.stdout, h.stderr
	} else {
		console := h.background.live.Console
		p.Stdout, p.Stderr = console.Output("stdout"), console.Output("stderr")
	}
	if h.tty != nil {
		p.TTY, p.Stdin, p.Stdout, p.Stderr, p.Term = true, keys, h.tty, nil, os.Getenv("TERM")
		p.Cols, p.Rows = windowSize()
	}
	go func() {
		var c commandEnded
		var j *alpinevm.Job
		if j, c.err = m.Exec(ctx, p); c.err == nil {
			c.code, c.err = j.Wait()
		}
		cancel(c)
	}()
}

// reported is what a run that ended with err comes to.
func reported(err error) (result error, is bool) {
	var c commandEnded
	if !errors.As(err, &c) {
		return nil, false
	}
	if c.err != nil {
		return c.err, true
	}
	return exitCode(c.code), true
}
