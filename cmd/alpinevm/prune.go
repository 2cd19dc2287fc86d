package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm/internal/machines"
	"alpinevm/launch"
)

func newRename() *cobra.Command {
	return &cobra.Command{
		Use:     "rename NAME NEW",
		Short:   "Give a kept machine that does not run another name",
		Example: `  alpinevm rename box old-box`,
		Args:    cobra.ExactArgs(2),
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
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := machines.List()
			if err != nil {
				return err
			}
			if !force {
				fmt.Fprint(c.OutOrStdout(), "This removes all machines that do not run, with all that is in them. Go on? [y/N] ")
				answer, _ := bufio.NewReader(c.InOrStdin()).ReadString('\n')
				if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
					return nil
				}
			}
			var sum int64
			for _, l := range list {
				if l.Running {
					continue
				}
				if err := machines.Remove(c.Context(), l.Name); err != nil {
					return err
				}
				sum += l.Size
				fmt.Fprintln(c.OutOrStdout(), l.Name)
			}
			if err := errors.Join(machines.Sweep(), launch.ForgetWarm()); err != nil { // kernels are kept again
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "Total reclaimed space: %s\n", units.HumanSizeWithPrecision(float64(sum), 3))
			return nil
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return c
}
