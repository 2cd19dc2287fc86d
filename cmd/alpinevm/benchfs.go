package main

import (
	"github.com/spf13/cobra"

	"alpinevm/bench"
)

const benchFSLong = `Measure a file system as a static program in the guest sees it:

  write-small            2,500 files of 2,000 bytes
  cat-small              one cat of them, nothing cached
  write-large            200 MiB in order, to the disk
  read-large             the same back, nothing cached
  create-rename-unlink   10,000 times

What is read is compared with what was written.

With --vs qemu guest and peer boot from one initial root file system and work in
memory, or in a FOLDER of the host, which each shares by its own 9P server and
the kernel mounts with the same options.`

func newBenchFS() *cobra.Command {
	f := &benchFlags{}
	work := bench.WorkRoot
	peers := []string{bench.Native, bench.QEMU}
	c := &cobra.Command{
		Use:   "fs",
		Short: "Measure the guest's file system: small files, a large file, changes of folders",
		Long:  benchFSLong,
		Example: `  alpinevm bench fs
  alpinevm bench fs --work . --vs native,qemu
  alpinevm bench fs --work tmpfs --vs qemu`,
		Args: want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.measure(c, peers, func(t *task) (*bench.Result, error) {
				b := bench.Files{Machine: t.onRoot, Work: work, Vs: f.vs, Runs: f.runs, Report: t.report}
				if err := b.Check(); err != nil {
					return nil, err
				}
				var err error
				if b.Program, err = t.guestProgram(); err != nil {
					return nil, err
				}
				return b.Run(t.ctx)
			})
		},
	}
	f.add(c, "512M", true, peers...)
	f.addProgram(c)
	c.Flags().StringVar(&work, "work", work, "what is measured: root (the guest's root file system), tmpfs or a `FOLDER` of the host")
	completeOrFile(c, "work", bench.WorkRoot, bench.WorkTmpfs)
	return c
}
