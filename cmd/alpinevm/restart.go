package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"alpinevm/internal/machines"
)

func newStart() *cobra.Command {
	return &cobra.Command{
		Use:     "start NAME...",
		Short:   "Start kept machines again in the background, as they were run the last time",
		Example: `  alpinevm start box`,
		Args:    some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return each(c.OutOrStdout(), args, func(name string) error { return startAgain(c.Context(), name) })
		},
		ValidArgsFunction: completeMachines,
	}
}

func newRestart() *cobra.Command {
	var seconds int
	c := &cobra.Command{
		Use:     "restart NAME...",
		Short:   "Stop kept machines and start them again in the background",
		Example: `  alpinevm restart box`,
		Args:    some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return each(c.OutOrStdout(), args, func(name string) error {
				if _, err := machines.Find(name); err != nil {
					return err
				}
				if err := stop(name, grace(c, seconds), 0); err != nil {
					return err
				}
				return startAgain(c.Context(), name)
			})
		},
		ValidArgsFunction: completeMachines,
	}
	c.Flags().IntVarP(&seconds, "time", "t", 0, "switch it off after so many `SECONDS`")
	c.Flags().SetNormalizeFunc(timeout)
	return c
}

// startAgain runs a kept machine as it was run.
func startAgain(ctx context.Context, name string) error {
	r, err := machines.Find(name)
	if err != nil {
		return err
	}
	if r.Run == nil {
		return fmt.Errorf("machine %s: it was last run by a version of alpinevm that did not note how; alpinevm run -d --name %s starts it", name, name)
	}
	return startBackground(ctx, name, r.Run.Args, r.Run.Dir)
}
