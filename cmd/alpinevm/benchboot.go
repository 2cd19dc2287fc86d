package main

import (
	"os"
	"slices"

	"github.com/spf13/cobra"

	"alpinevm/bench"
)

const benchBootLong = `Measure the way from the start of alpinevm to a shell's prompt, part by part:
seconds, and instructions of the guest. The kernel logs to the serial port
meanwhile, which costs about 1 % of the instructions.

With --vs qemu both boot the same kernel to the first line of a program in the
same initial root file system.`

func newBenchBoot() *cobra.Command {
	f := &benchFlags{}
	peers := []string{bench.QEMU}
	c := &cobra.Command{
		Use:   "boot",
		Short: "Measure the way from the start to a prompt, phase by phase",
		Long:  benchBootLong,
		Example: `  alpinevm bench boot
  alpinevm bench boot --kernel vmlinuz --modules lib/modules --rootfs alpine-minirootfs.tar.gz --runs 5
  alpinevm bench boot --vs qemu`,
		Args: want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.measure(c, peers, func(t *task) (*bench.Result, error) {
				b := bench.Boot{Machine: t.onRoot, Vs: f.vs, Runs: f.runs, Report: t.report}
				var err error
				if b.Exec, err = os.Executable(); err != nil {
					return nil, err
				}
				if slices.Contains(f.vs, bench.QEMU) {
					b.Machine = t.bare
					if b.Program, err = t.guestProgram(); err != nil {
						return nil, err
					}
				}
				return b.Run(t.ctx)
			})
		},
	}
	f.add(c, "512M", true, peers...)
	f.addProgram(c)
	return c
}
