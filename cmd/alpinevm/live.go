package main

import (
	"cmp"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"alpinevm"
	"alpinevm/internal/control"
	"alpinevm/internal/machines"
)

// errKilled is the cause of an end by alpinevm kill, or by a stop that took too
// long.
var errKilled = signalled{syscall.SIGKILL}

// announce makes the socket by which other commands reach the machine. One that
// has no name gets one, and runs all the same where there can be no socket.
func (f *runFlags) announce() (*machines.Live, error) {
	name := cmp.Or(f.name, f.passing, f.background)
	if name == "" {
		name = machines.NewName()
	}
	live, err := machines.Announce(name)
	if err != nil {
		if f.name == "" && f.passing == "" && f.background == "" {
			return nil, nil
		}
		return nil, err
	}
	return live, nil
}

// keepLog begins to keep what is printed by machines that stay or run in the
// background.
func (f *runFlags) keepLog(live *machines.Live) error {
	if f.machine == nil && f.background == "" {
		return nil
	}
	return live.KeepLog(f.machine)
}

// serve lets other commands reach the machine.
func (f *runFlags) serve(live *machines.Live, cfg *alpinevm.Config, args []string, m *alpinevm.Machine, w *watch) {
	about := &live.About
	about.Image, about.Command, about.Kept, about.PID, about.Memory = f.madeFrom(), commandOf(cfg, args), f.machine != nil, os.Getpid(), cfg.Memory
	if cfg.Session != nil {
		about.Root = "9p" // there is one
	}
	if f.machine != nil {
		created := f.machine.Created
		about.Created = &created
	}
	about.Labels = f.docker.labelMap()
	about.TTY = cfg.Consoles.Terminal != nil
	about.Stdin = f.background != "" && (f.interactive || f.from != nil)
	for i, a := range m.Forwarded() {
		forward := cfg.Network.Forwards[i]
		about.Ports = append(about.Ports, control.Port{Host: a.String(), Guest: forward.Guest, Proto: forward.Network})
	}
	volumes, _ := parseVolumes(f.volumes) // which have been parsed before
	for _, v := range volumes {
		about.Volumes = append(about.Volumes, control.Volume{Host: absolute(v.Host), Guest: v.Guest, ReadOnly: v.ReadOnly})
	}
	if live.Run = invocation(); f.machine != nil {
		live.Run = f.machine.Run
	}
	live.Stop, live.Kill = w.stop, func() { w.cut(errKilled) }
	live.Serve(w.ctx, m, cfg.Session)
}

// commandOf is what the machine runs.
func commandOf(cfg *alpinevm.Config, args []string) []string {
	switch s := cfg.Session; {
	case s == nil:
		return args
	case s.Init:
		return nil
	default:
		return s.Args
	}
}

// madeFrom is what the machine is made from, as people call it.
func (f *runFlags) madeFrom() string {
	switch {
	case f.machine != nil && f.machine.From != "":
		return f.machine.From
	case f.image.name != "":
		return f.image.name
	case f.rootfs != "":
		return f.rootfs
	case f.initrd != "":
		return f.initrd
	case f.fromFile != "":
		return f.fromFile
	}
	return f.kernel + f.firmware
}

// stopRequest is a request to stop: the number of the signal that the command gets.
type stopRequest int

// Signal is part of os.Signal.
func (stopRequest) Signal() {}

func (s stopRequest) String() string { return "stop" }

// stop ends the guest as SIGTERM does, by another signal if that is not 0, and the
// machine if it takes longer than grace, where that is not nil.
func (w *watch) stop(grace *time.Duration, signal int) {
	select {
	case w.signals <- stopRequest(cmp.Or(signal, w.stopSignal, int(syscall.SIGTERM))):
	default: // enough signals are on their way
	}
	if grace != nil {
		time.AfterFunc(*grace, func() { w.cut(errKilled) })
	}
}

// share shows others what a guest prints to our user: w is nil for none.
func share(w io.Writer, live *machines.Live, stream string) io.Writer {
	if live == nil {
		return w
	}
	return &shared{w, live.Console.Output(stream)}
}

// shared is an output with others who look on. What they do never fails.
type shared struct{ own, others io.Writer }

func (s *shared) Write(p []byte) (int, error) {
	n, err := s.own.Write(p)
	s.others.Write(slices.Clone(p[:n]))
	return n, err
}
