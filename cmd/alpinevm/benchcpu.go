package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"alpinevm/bench"
)

const benchCPULong = `Measure the processor: a program without a root file system runs

  integer       arithmetic in registers, 10,000 rounds
  interpreter   branches that are hard to predict, 25,000 instructions of a toy machine
  sequential    a read, a write and a read of 1 MiB in order
  random        a chain through each line of 1 MiB, out of order
  float         64-bit floating point, five bodies for 100 steps
  x87           80-bit floating point, 10,000 rounds
  sse2          packed integers and numbers, 5,000 rounds
  syscall       200 calls of the kernel
  pipe          64 KiB through a pipe
  fault         256 fresh pages of memory
  process       start of a process and its end

Each is repeated for --time. It checks its own result: a wrong one is an error,
never a figure. The program is built by the host's Go.`

func newBenchCPU() *cobra.Command {
	f := &benchFlags{}
	var d time.Duration
	peers := []string{bench.Native, bench.QEMU}
	c := &cobra.Command{
		Use:   "cpu [flags] [WORKLOAD...]",
		Short: "Measure the processor: arithmetic, branches, memory, system calls, faults",
		Long:  benchCPULong,
		Example: `  alpinevm bench cpu
  alpinevm bench cpu --vs native,qemu integer fault
  alpinevm bench cpu --kernel vmlinuz --runs 10 -o new.txt`,
		ValidArgs: bench.CPUWorkloads(),
		Args:      cobra.OnlyValidArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if d < shortest {
				return fmt.Errorf("--time %s: want %s or more", d, shortest)
			}
			return f.measure(c, peers, func(t *task) (*bench.Result, error) {
				program, err := t.guestProgram()
				if err != nil {
					return nil, err
				}
				b := bench.CPU{Machine: t.machine, Program: program, Time: d, Only: args, Vs: f.vs, Runs: f.runs, Report: t.report}
				return b.Run(t.ctx)
			})
		},
	}
	f.add(c, "256M", false, peers...)
	f.addProgram(c)
	c.Flags().DurationVar(&d, "time", time.Second, "measure each workload for about this `TIME`")
	complete(c, "time", "100ms", "1s", "5s")
	return c
}
