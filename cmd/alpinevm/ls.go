package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm/internal/machines"
)

func newLs() *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the machines that run --name keeps",
		Long: `List the machines that alpinevm run --name keeps between runs, the newest first.

SIZE is what a machine takes on the disk besides its image.`,
		Example: `  alpinevm ls
  # remove all that are not running
  alpinevm rm $(alpinevm ls -q)`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := machines.List()
			if err != nil {
				return err
			}
			return printMachines(c.OutOrStdout(), list, quiet, time.Now())
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print names only")
	return c
}

// printMachines prints a table like docker's.
func printMachines(out io.Writer, list []machines.Listed, quiet bool, now time.Time) error {
	w := tabwriter.NewWriter(out, 10, 1, 3, ' ', 0)
	if !quiet {
		fmt.Fprintf(w, "NAME\tIMAGE\tSIZE\tCREATED\tSTATUS\n")
	}
	for _, l := range list {
		if quiet {
			fmt.Fprintln(w, l.Name)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s ago\t%s\n", l.Name, l.From, units.HumanSizeWithPrecision(float64(l.Size), 3),
			units.HumanDuration(now.Sub(l.Created)), status(l, now))
	}
	return w.Flush()
}

// status is what the machine does or how its last run has ended.
func status(l machines.Listed, now time.Time) string {
	switch {
	case l.Running:
		return "Up " + units.HumanDuration(now.Sub(l.Started))
	case l.Ended.Before(l.Started):
		return "Killed"
	}
	return fmt.Sprintf("Exited (%d) %s ago", l.ExitCode, units.HumanDuration(now.Sub(l.Ended)))
}

func newRm() *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove machines that run --name keeps, with all that is in them",
		Example: `  alpinevm rm box
  # what is in it, as a tarball, first
  alpinevm run --name box -- tar cz -C / --exclude ./proc --exclude ./sys --exclude ./dev . >box.tar.gz && alpinevm rm box`,
		Args: some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			var result error
			for _, name := range args {
				if err := machines.Remove(c.Context(), name); err != nil {
					say(os.Stderr, "%s", err)
					result = exitCode(1)
					continue
				}
				fmt.Fprintln(c.OutOrStdout(), name)
			}
			return result
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return machineNames(), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// machineNames completes the names of machines.
func machineNames() []string {
	list, _ := machines.List()
	var names []string
	for _, l := range list {
		names = append(names, l.Name)
	}
	return names
}

// newMachine says that there was no machine of that name, which may be mistyped.
func newMachine(name string, others []string) string {
	text := "new machine " + name
	if near := meant(name, others); near != "" && near != name {
		text += "; there is a machine " + near
	}
	return text
}
