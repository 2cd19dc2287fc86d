package main

import (
	"github.com/spf13/cobra"
)

func newTop() *cobra.Command {
	return &cobra.Command{
		Use:   "top NAME [OPTION...]",
		Short: "List the processes in a machine that runs, by the ps of its image",
		Example: `  alpinevm top box
  alpinevm top box -o pid,user,time,args`,
		Args:               some("NAME"),
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "--help" || args[0] == "-h" {
				return c.Help()
			}
			f := execFlags{keys: defaultDetachKeys}
			return f.exec(args[0], append([]string{"ps"}, args[1:]...))
		},
		ValidArgsFunction: completeRunning,
	}
}
