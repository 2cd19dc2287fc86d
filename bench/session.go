package bench

import (
	"context"
	"fmt"
	"io"
	"sync"

	"alpinevm"
)

// runSession runs the program cfg.Session.Args in a machine made of cfg and adds its
// steps to r, as those of a place. What the guest prints otherwise is in the error of a step that
// fails.
func runSession(ctx context.Context, where string, cfg alpinevm.Config, r *Result, report func(string)) error {
	pr, pw := io.Pipe()
	var said tail
	s := cfg.Session
	s.Stdin, s.Stdout, s.Stderr, cfg.Consoles.Terminal = nil, pw, &said, nil
	end, marks, err := drive(ctx, where, cfg, r, report, pr, pw, &said)
	switch {
	case err != nil:
		return err
	case marks.failed != "":
		return fmt.Errorf("%s: %s in the guest:\n%s", r.Workload, marks.failed, said.String())
	case end.Cause != alpinevm.Exited || end.Code != 0:
		return fmt.Errorf("%s: the guest ended by %v %d:\n%s\n%s", r.Workload, end.Cause, end.Code, said.String(), end.Detail)
	}
	return nil
}

// runBare boots cfg with an initial root file system alone, whose program
// speaks on the serial port.
func runBare(ctx context.Context, where string, cfg alpinevm.Config, r *Result, report func(string)) error {
	pr, pw := io.Pipe()
	var said tail
	cfg.Consoles.Serial = pw
	end, marks, err := drive(ctx, where, cfg, r, report, pr, pw, &said)
	if err != nil {
		return err
	}
	return marks.bareEnd(&said, fmt.Sprintf("the guest ended by %v\n%s", end.Cause, end.Detail))
}

// bareEnd is the error of a machine that has ended, if it has not done all.
func (k *marker) bareEnd(said *tail, how string) error {
	switch {
	case k.failed != "":
		return fmt.Errorf("%s on %s: %s; it said:\n%s", k.r.Workload, k.where, k.failed, said.String())
	case !k.done:
		return fmt.Errorf("%s on %s: %s; it said:\n%s", k.r.Workload, k.where, how, said.String())
	}
	return nil
}

// drive runs the machine of a place, whose output comes out of pr.
func drive(ctx context.Context, where string, cfg alpinevm.Config, r *Result, report func(string), pr *io.PipeReader, pw *io.PipeWriter, said *tail) (alpinevm.End, *marker, error) {
	engineFor(where, &cfg)
	m, err := alpinevm.New(cfg)
	if err != nil {
		return alpinevm.End{}, nil, err
	}
	defer m.Close()
	n := newCounter(m)
	marks := &marker{where: where, r: r, report: report, count: n.retired, other: said}
	var done sync.WaitGroup
	done.Go(func() { marks.read(pr, nil) })
	end, err := m.Run(ctx)
	n.stop()
	pw.Close()
	done.Wait()
	return end, marks, err
}

// counter asks a running machine for its count of instructions.
type counter struct {
	m     *alpinevm.Machine
	ended chan struct{}
	all   uint64 // the count at the end
}

func newCounter(m *alpinevm.Machine) *counter { return &counter{m: m, ended: make(chan struct{})} }

// stop is called when the machine runs no more, where it ran.
func (c *counter) stop() {
	c.all = c.m.Instructions()
	close(c.ended)
}

// retired is the count so far: whoever asks too late gets that at the end.
func (c *counter) retired() uint64 {
	n := make(chan uint64, 1)
	c.m.Kick(func() { n <- c.m.Instructions() })
	select {
	case count := <-n:
		return count
	case <-c.ended:
		return c.all
	}
}
