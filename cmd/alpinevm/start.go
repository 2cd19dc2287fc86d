package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"alpinevm"
	"alpinevm/internal/machines"
)

// run is alpinevm run from its flags to the guest's end. justArgs tells that args
// do not begin with an image.
func (f *runFlags) run(ctx context.Context, args []string, justArgs bool) (err error) {
	if f.background = os.Getenv(backgroundVariable); f.detach && f.background == "" {
		return f.detached(ctx)
	}
	if f.fromFile != "" {
		if err := f.takeSnapshot(); err != nil {
			return err
		}
		defer f.from.Close()
	}
	if f.background != "" && !f.remove && f.keepable() {
		f.name = f.background
	}
	if err := f.pass(); err != nil {
		return err
	}
	var live *machines.Live
	defer func() {
		if live != nil {
			live.End(codeOfError(err), failure(err))
		}
	}()
	if f.name != "" {
		if err := f.takeMachine(ctx); err != nil {
			return err
		}
		defer f.machine.Close()
	}
	defer f.releaseVolumes()
	if args, err = f.settle(args, justArgs); err != nil {
		return err
	}
	beside, err := parseSize("--host-memory", f.hostMemory)
	if err != nil {
		return err
	}
	keepBrokenPipes()
	if live, err = f.announce(); err != nil {
		return err
	}
	if err := f.docker.writeCIDFile(live); err != nil {
		return err
	}
	host, err := f.host(live)
	if err != nil {
		return err
	}
	defer func() { err = host.lost(err) }()
	f.network.policy.tell = func(text string) { say(host.messages, "%s", text) }
	defer f.network.policy.finish()
	if f.machine != nil {
		f.machine.Salvage = f.salvage
		f.machine.Storage, _ = f.docker.limit() // which was checked
		f.machine.Tell = func(text string) { say(host.messages, "machine %s: %s", f.machine.Name(), text) }
	}
	f.network.open = f.lookOut()
	cfg, closeAll, err := f.config(ctx, args)
	if err != nil {
		return f.explain(err)
	}
	if err := f.keepLog(live); err != nil {
		return errors.Join(err, closeAll())
	}
	if err := f.openDebug(&cfg.Debug, host); err != nil {
		return failed(err, closeAll())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := newWatch(cancel, f.grace())
	defer w.close()
	busy := false // the host's files are still being called
	defer func() {
		if !busy {
			err = failed(err, closeAll())
		}
	}()
	defer cancel(nil)
	f.docker.stop(w, cfg.Session)
	w.note, w.abandon = note(host.messages, f.quiet), abandon(host.tty)
	w.program, w.proxy = cfg.Session != nil && !f.init, f.proxied(host)
	if f.machine != nil {
		w.disk = f.machine.Failed()
	}
	w.ctx = ctx
	f.connect(cfg, host, w, live)
	if f.machine != nil && f.machine.IsNew && f.background == "" {
		w.note("%s", newMachine(f.name, machineNames()))
	}

	m, err := f.machineOf(cfg)
	if err != nil {
		return f.explain(err)
	}
	defer func() {
		if e := m.Close(); e != nil {
			busy = true
			err = cmp.Or(err, e)
		}
	}()
	if f.from != nil {
		host.isUp()
	}
	tidy()
	w.m, w.limit = m, newMemoryLimit(cfg.Memory, beside)
	w.start(f.timeout)
	defer w.ends()
	f.tell(m, cfg, w.note)
	leave, err := host.enter(m)
	if err != nil {
		return err
	}
	defer leave()
	if f.machine != nil {
		if err := f.begin(cfg, args); err != nil {
			return err
		}
		defer func() {
			if e := f.machine.End(codeOfError(err)); err == nil {
				err = e
			}
		}()
	}
	if live != nil {
		f.serve(live, cfg, args, m, w)
	}
	f.confine(cfg.Network != nil, w.note)
	if f.from != nil {
		f.from.command(ctx, m, host, w.typed, cancel)
	}
	if cfg.Session == nil {
		host.isUp()
	}
	end, err := m.Run(ctx)
	w.ends()
	defer func(end error) {
		if end != nil {
			err = failed(err, end)
		}
	}(w.spare(func() error { return f.profile.write(m) }))
	if result, is := reported(err); is {
		return result
	}
	if errors.Is(err, errQuit) {
		if host.tty != nil && !f.quiet {
			fmt.Fprintln(host.messages) // the guest's line stays as it is
		}
		w.note("switched off")
	}
	return w.report(end, err)
}

// settle finds out what the flags and args come to, and gives what is to run; what
// makes no sense it refuses.
func (f *runFlags) settle(args []string, justArgs bool) ([]string, error) {
	if err := f.checkName(); err != nil {
		return nil, err
	}
	if err := f.expand(); err != nil {
		return nil, err
	}
	args = f.choose(args, justArgs)
	if err := f.check(args); err != nil {
		return nil, err
	}
	return args, f.image.fetch.check(f.quiet)
}

// begin records that the machine runs, and how it is started again.
func (f *runFlags) begin(cfg *alpinevm.Config, args []string) error {
	f.machine.Labels, f.machine.Volumes = f.docker.labelMap(), f.named
	f.machine.Command = commandOf(cfg, args)
	if f.from == nil {
		f.machine.Run = invocation()
	} else if f.machine.IsNew { // else what made it says that
		f.machine.Run = f.later(cfg)
	}
	return f.machine.Begin()
}

// machineOf makes the machine, or has one go on.
func (f *runFlags) machineOf(cfg *alpinevm.Config) (*alpinevm.Machine, error) {
	if f.from != nil {
		return f.from.Clone(*cfg)
	}
	return alpinevm.New(*cfg)
}

// openDebug makes what the flags about debugging name.
func (f *runFlags) openDebug(d *alpinevm.Debug, host *host) (err error) {
	if host.trace, err = f.trace.create(); err != nil {
		return err
	}
	if err := f.profile.create(); err != nil {
		return err
	}
	return f.gdb.listen(d, note(host.messages, f.quiet))
}

// releaseVolumes lets volumes that are kept by name be removed.
func (f *runFlags) releaseVolumes() {
	for _, release := range f.release {
		release()
	}
}

// failure is what is told of an end that has no exit code of the guest.
func failure(err error) error {
	var code exitCode
	if errors.As(err, &code) {
		return nil
	}
	return err
}

// keepable tells whether there is a root file system that can be kept.
func (f *runFlags) keepable() bool {
	return f.initrd == "" && f.firmware == "" && (f.from == nil || f.from.was.Image != "")
}

// takeMachine locks the machine that --name names. What flags do not say is as
// when it was made.
func (f *runFlags) takeMachine(ctx context.Context) error {
	m, err := machines.Open(ctx, f.name)
	if err != nil {
		return err
	}
	f.machine = m
	if m.IsNew {
		m.Kernel, m.Modules, m.Busybox = f.kernel, f.modules, f.busybox
		return nil
	}
	if f.kernel == "" && f.modules == "" {
		f.kernel, f.modules = m.Kernel, m.Modules
	}
	if f.busybox == "" {
		f.busybox = m.Busybox
	}
	return nil
}

// tell says what the user has to know of the machine.
func (f *runFlags) tell(m *alpinevm.Machine, cfg *alpinevm.Config, note func(format string, args ...any)) {
	f.network.chosen(m.Forwarded(), note)
	if f.hasRoot() {
		return
	}
	for i, v := range cfg.Volumes {
		mount := alpinevm.VolumeMount(i, v)
		note("-v in the guest: mount -t %s -o %s %s %s", mount.Type, mount.Options, mount.Source, mount.Target)
	}
}

// complain tells of what goes wrong at the end.
func complain(err error) {
	if err != nil {
		say(os.Stderr, "%s", err)
	}
}

// failed is what a run that ended with err comes to if something goes wrong at
// its end. Of a machine's disk the user was told.
func failed(err, end error) error {
	if end == nil {
		return err
	}
	var disk *machines.DiskError
	if !errors.As(end, &disk) {
		complain(end)
	}
	var code exitCode
	if err == nil || errors.As(err, &code) {
		return exitCode(exitFailure)
	}
	return err
}

// gcPercent has the collector come at one and a quarter times what is in use: most
// of the heap is the processor's decoded code and the guest's files, which stay.
const gcPercent = 25

// tidy gives the host back what loading took, and keeps garbage low from here on.
func tidy() {
	debug.SetGCPercent(gcPercent)
	debug.FreeOSMemory()
}
