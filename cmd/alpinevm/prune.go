package main

import (
	"errors"

	"github.com/spf13/cobra"

	"alpinevm/internal/machines"
)

func newRename() *cobra.Command {
	return &cobra.Command{
		Use:     "rename NAME NEW",
		Short:   "Give a machine another name, also while it runs",
		Example: `  alpinevm rename box old-box`,
		Args:    want(2, 2),
		RunE: func(c *cobra.Command, args []string) error {
			return machines.Rename(c.Context(), args[0], args[1])
		},
		ValidArgsFunction: completeMachines,
	}
}

func newPrune() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:     "prune",
		Short:   "Remove all kept machines that do not run, and what is made again",
		Example: `  alpinevm prune -f`,
		Args:    want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if !force && !confirmed(c, "This removes all machines that do not run, with all that is in them.") {
				return nil
			}
			sum, err := pruneMachines(c.Context(), c.OutOrStdout())
			if err != nil {
				return err
			}
			warm, err := pruneWarm() // they are kept again
			if err := errors.Join(machines.Sweep(), err); err != nil {
				return err
			}
			return reclaimed(c.OutOrStdout(), sum+warm)
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return c
}
