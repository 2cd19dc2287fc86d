package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"alpinevm/internal/machines"
	"alpinevm/internal/printable"
)

func newDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff NAME",
		Short: "List what a machine has changed in its image's files",
		Long: `List what a machine has changed in its image's files, whether it runs or not, as
docker does: A is before what was added, C before what was changed, or a folder
with anything in it that was, D before what was removed.`,
		Example: `  alpinevm diff box`,
		Args:    want(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := machines.OpenFiles(c.Context(), args[0])
			if err != nil {
				return err
			}
			list, err := f.Diff(c.Context())
			if err = errors.Join(err, f.Close()); err != nil {
				return err
			}
			for _, l := range list {
				if _, err := fmt.Fprintf(c.OutOrStdout(), "%c %s\n", l.Kind, printable.Text(l.Name)); err != nil {
					return err
				}
			}
			return nil
		},
		ValidArgsFunction: completeMachines,
	}
}
