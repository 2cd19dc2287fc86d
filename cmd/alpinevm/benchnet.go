package main

import (
	"github.com/spf13/cobra"

	"alpinevm/bench"
)

const benchNetLong = `Measure TCP between a static program in the guest and one on the host:

  connect      200 connections that are made and ended
  round-trip   one byte there and back, 1,000 times
  send         64 MiB from the guest
  receive      64 MiB to the guest

What arrives is checked. The native peer is the same program on the host, over
the host's loopback. With --vs qemu guest and peer boot from one initial root
file system, with a virtio network card each.`

func newBenchNet() *cobra.Command {
	f := &benchFlags{}
	peers := []string{bench.Native, bench.QEMU}
	c := &cobra.Command{
		Use:   "net",
		Short: "Measure TCP between guest and host, both ways",
		Long:  benchNetLong,
		Example: `  alpinevm bench net
  alpinevm bench net --runs 5 -o new.txt
  alpinevm bench net --vs native,qemu`,
		Args: want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			f.run.network.kind, f.run.network.hostLoopback = networkUser, true
			return f.measure(c, peers, func(t *task) (*bench.Result, error) {
				program, err := t.guestProgram()
				if err != nil {
					return nil, err
				}
				b := bench.Network{Machine: t.onRoot, Program: program, Vs: f.vs, Runs: f.runs, Report: t.report}
				return b.Run(t.ctx)
			})
		},
	}
	f.add(c, "512M", true, peers...)
	f.addProgram(c)
	return c
}
