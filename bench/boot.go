package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"alpinevm"
)

// Boot measures the way from the start of alpinevm to a shell's prompt, part by
// part. With QEMU guest and peer boot the same kernel to the first line of a
// program in the same initial root file system instead.
type Boot struct {
	// Machine makes the configuration of the guest: kernel and root, with QEMU
	// among Vs the kernel alone.
	Machine func() (alpinevm.Config, func(), error)
	Exec    string // this program's file: how long it takes to start is measured
	Program string // with QEMU: the guest's program
	Vs      []string
	Runs    int
	Report  func(string)
}

// bootLog has the kernel say where it is, from its first line on. It costs a
// guest some 1 % of its instructions.
const bootLog = "loglevel=7 earlycon=uart8250,io,0x3f8"

// Run measures. What was measured before an error or the end of ctx is in the
// Result all the same.
func (b *Boot) Run(ctx context.Context) (*Result, error) {
	r := &Result{Workload: "Boot"}
	var ram []byte
	if slices.Contains(b.Vs, QEMU) {
		r.Workload = "BootBare"
		var err error
		if ram, err = initrd(b.Program); err != nil {
			return r, err
		}
		r.Notes = append(r.Notes, "to a program in an initial root file system, not to a shell; "+
			"loader is, on qemu, its start, its firmware and the kernel's own decompression", qemuNote(ctx))
	}
	return r, inTurn(b.Runs, b.Vs, b.Report, func(where string) error { return b.run(ctx, where, ram, r) })
}

func (b *Boot) run(ctx context.Context, where string, ram []byte, r *Result) error {
	p := &phases{where: where, r: r, report: b.Report, left: bootPhases()}
	p.begin(time.Now())
	if where != QEMU && b.Exec != "" {
		if err := exec.CommandContext(ctx, b.Exec, "version").Run(); err != nil {
			return fmt.Errorf("%s version: %w", b.Exec, err)
		}
		p.step("exec", time.Now())
	}
	cfg, closeAll, err := b.Machine()
	if err != nil {
		return err
	}
	defer closeAll()
	boot := &cfg.Boot
	boot.Append = strings.TrimSpace(boot.Append + " " + bootLog)
	if ram != nil {
		boot.Initrd, boot.Append = ram, boot.Append+" -- ready"
	}
	if where == QEMU {
		p.begin(time.Now())
		return runQEMU(ctx, cfg, r, b.Report, p)
	}
	p.step("files", time.Now())
	return b.guest(ctx, cfg, p)
}

// guest boots a machine until the last phase is over.
func (b *Boot) guest(ctx context.Context, cfg alpinevm.Config, p *phases) error {
	ctx, ready := context.WithCancelCause(ctx)
	defer ready(nil)
	pr, pw := io.Pipe()
	cfg.Consoles.Serial = pw
	if cfg.Session != nil {
		cfg.Consoles.Terminal = &alpinevm.Terminal{Out: &prompt{seen: func() { io.WriteString(pw, markReady+"\n") }}, Cols: 80, Rows: 24}
	}
	engineFor(p.where, &cfg)
	m, err := alpinevm.New(cfg)
	if err != nil {
		return err
	}
	defer m.Close()
	p.step("machine", time.Now())
	n := newCounter(m)
	p.count = n.retired
	marks := &marker{where: p.where, r: p.r, report: b.Report, other: p}
	var done sync.WaitGroup
	done.Go(func() {
		marks.read(pr, func() bool {
			if p.done {
				ready(errReady)
			}
			return !p.done
		})
		pr.Close()
	})
	end, err := m.Run(ctx)
	n.stop()
	pw.Close()
	done.Wait()
	switch {
	case p.done:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s: the guest ended by %v before it was up; it said:\n%s\n%s", p.r.Workload, end.Cause, p.log.String(), end.Detail)
}

// errReady ends a machine whose boot has been measured.
var errReady = errors.New("booted")

// prompt waits for a shell's.
type prompt struct {
	text []byte
	seen func()
}

// shellPrompt is how a root shell's ends.
const shellPrompt = "# "

func (p *prompt) Write(b []byte) (int, error) {
	if p.seen != nil {
		p.text = append(p.text, b...)
		if bytes.Contains(p.text, []byte(shellPrompt)) {
			p.seen()
			p.seen, p.text = nil, nil
		}
	}
	return len(b), nil
}
