package main

import (
	"github.com/spf13/cobra"
)

func newTop() *cobra.Command {
	c := &cobra.Command{
		Use:   "top NAME [OPTION...]",
		Short: "List the processes in a machine that runs, by the ps of its image",
		Example: `  alpinevm top box
  alpinevm top box -o pid,user,time,args`,
		Args: some("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			f := execFlags{keys: defaultDetachKeys}
			return f.exec(args[0], append([]string{"ps"}, args[1:]...))
		},
		ValidArgsFunction: completeRunning,
	}
	c.Flags().SetInterspersed(false) // what is behind the name is ps's
	return c
}
