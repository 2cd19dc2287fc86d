package bench

import (
	"context"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"alpinevm"
)

// CPU measures workloads of the processor: arithmetic, branches, memory, calls
// of the kernel, faults, processes. The guest is a kernel with an initial root
// file system that holds one program, and the peers run the same.
type CPU struct {
	// Machine makes the configuration of the guest: kernel and memory.
	Machine func() (alpinevm.Config, func(), error)
	Program string        // the guest's program: its file
	Time    time.Duration // of each workload
	Only    []string      // workloads; empty: all
	Vs      []string
	Runs    int
	Report  func(string)
}

// CPUWorkloads are the names that CPU.Only may have.
func CPUWorkloads() []string {
	return []string{"integer", "interpreter", "sequential", "random", "float", "x87", "sse2", "syscall", "pipe", "fault", "process"}
}

// Run measures, the places in turn. What was measured before an error or the end
// of ctx is in the Result all the same.
func (b *CPU) Run(ctx context.Context) (*Result, error) {
	r := &Result{Workload: "CPU"}
	ram, err := initrd(b.Program)
	if err != nil {
		return r, err
	}
	args := append([]string{"cpu", "-time=" + b.Time.String()}, b.Only...)
	if slices.Contains(b.Vs, QEMU) {
		r.Notes = append(r.Notes, qemuNote(ctx))
	}
	return r, inTurn(b.Runs, b.Vs, b.Report, func(where string) error { return b.run(ctx, where, ram, args, r) })
}

func (b *CPU) run(ctx context.Context, where string, ram []byte, args []string, r *Result) error {
	if where == Native {
		return runNative(ctx, exec.CommandContext(ctx, b.Program, args...), r, b.Report)
	}
	cfg, closeAll, err := b.Machine()
	if err != nil {
		return err
	}
	defer closeAll()
	cfg.Boot.Initrd = ram
	cfg.Boot.Append = strings.TrimSpace(cfg.Boot.Append + " -- " + strings.Join(args, " "))
	if where == QEMU {
		return runQEMU(ctx, cfg, r, b.Report, io.Discard)
	}
	return runBare(ctx, where, cfg, r, b.Report)
}
