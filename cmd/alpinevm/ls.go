package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm/internal/control"
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
		Args: want(0, 0),
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
	var force bool
	c := &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove machines that are kept, with all that is in them",
		Example: `  alpinevm rm box
  # what is in it, as a tarball, first
  alpinevm export -o box.tar box && alpinevm rm box`,
		Args: some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return each(c.OutOrStdout(), args, func(name string) error {
				if force {
					if err := killed(name); err != nil {
						return err
					}
					if _, err := machines.Find(name); errors.Is(err, machines.ErrNone) { // it was not kept
						return nil
					}
				}
				return machines.Remove(c.Context(), name)
			})
		},
		ValidArgsFunction: completeMachines,
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "switch them off first if they run")
	accepted(c.Flags(), "v,volumes")
	return c
}

// killed switches a machine off if it runs, and waits for its end.
func killed(name string) error {
	_, err := machines.Ask(name, &control.Request{Verb: control.Signal, Signal: 9})
	if errors.Is(err, machines.ErrNotRunning) {
		return nil
	}
	if err == nil {
		_, err = await(name, &control.Request{Verb: control.Wait})
	}
	if errors.Is(err, machines.ErrNotRunning) || errors.Is(err, machines.ErrNone) {
		return nil // it has ended in between
	}
	return err
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
