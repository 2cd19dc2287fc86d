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

What is read is compared with what was written.`

func newBenchFS() *cobra.Command {
	f := &benchFlags{}
	work := bench.WorkRoot
	c := &cobra.Command{
		Use:   "fs",
		Short: "Measure the guest's file system: small files, a large file, changes of folders",
		Long:  benchFSLong,
		Example: `  alpinevm bench fs
  alpinevm bench fs --work . --vs native`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return f.measure(c, []string{bench.Native}, func(t *task) (*bench.Result, error) {
				program, err := t.guestProgram()
				if err != nil {
					return nil, err
				}
				b := bench.Files{Machine: t.onRoot, Program: program, Work: work, Vs: f.vs, Runs: f.runs, Report: t.report}
				return b.Run(t.ctx)
			})
		},
	}
	f.add(c, "512M", true, bench.Native)
	f.addProgram(c)
	c.Flags().StringVar(&work, "work", work, "what is measured: root (the guest's root file system), tmpfs or a `FOLDER` of the host")
	completeOrFile(c, "work", bench.WorkRoot, bench.WorkTmpfs)
	return c
}
