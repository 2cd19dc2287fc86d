package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm/internal/control"
	"alpinevm/internal/machines"
)

// psFlags are the flags of alpinevm ps.
type psFlags struct {
	all, quiet, noTrunc, latest bool
	last                        int
	filters                     []string
	format                      string
}

func newPs() *cobra.Command {
	var f psFlags
	c := &cobra.Command{
		Use:   "ps",
		Short: "List the machines that run, and with -a those that are kept",
		Example: `  alpinevm ps
  alpinevm ps -a --format json
  # their names and states
  alpinevm ps --format '{{.Names}} {{.State}}'`,
		Args: want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			filters, err := parseFilters(f.filters)
			if err != nil {
				return err
			}
			list, err := allMachines(f.all || f.latest || f.last > 0 || filters["status"] != nil || filters["exited"] != nil)
			if err != nil {
				return err
			}
			list = slices.DeleteFunc(list, func(s shown) bool { return !filters.match(s) })
			if f.latest {
				f.last = 1
			}
			if f.last > 0 && len(list) > f.last {
				list = list[:f.last]
			}
			return f.print(c.OutOrStdout(), list, time.Now())
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	fl := c.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "show those that do not run too")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print names only")
	fl.BoolVarP(&f.latest, "latest", "l", false, "show the newest one only, whatever it does")
	fl.IntVarP(&f.last, "last", "n", 0, "show the newest `N`, whatever they do")
	fl.StringArrayVarP(&f.filters, "filter", "f", nil, "show those for which `NAME=VALUE` is so: name, status, label, ancestor, exited, volume, publish")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "print whole commands")
	fl.StringVar(&f.format, "format", "table", "print a table, json, or each as this `FORMAT` says")
	return c
}

// shown is a machine as ps shows it, by docker's names.
type shown struct {
	Names, Image, Command, CreatedAt, RunningFor, State, Status, Ports, Mounts, Labels string

	created  time.Time
	exitCode int
	labels   map[string]string
}

// allMachines gives the machines that run and, if all is set, those that are kept,
// the newest first.
func allMachines(all bool) ([]shown, error) {
	running, err := machines.Running()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var list []shown
	had := map[string]bool{}
	for _, m := range running {
		had[m.Name] = true
		list = append(list, showRunning(m, now))
	}
	if all {
		kept, err := machines.List()
		if err != nil {
			return nil, err
		}
		for _, l := range kept {
			if !had[l.Name] {
				state := "exited"
				if l.Running {
					state = "starting"
				}
				list = append(list, shown{
					Names: l.Name, Image: l.From, Command: quoteCommand(l.Command), State: state, Status: status(l, now), created: l.Created,
					exitCode: l.ExitCode, labels: l.Labels,
				})
			}
		}
	}
	for i := range list {
		list[i].Labels = labelList(list[i].labels)
		list[i].CreatedAt = list[i].created.Local().Format(time.RFC3339)
		list[i].RunningFor = units.HumanDuration(now.Sub(list[i].created)) + " ago"
	}
	slices.SortStableFunc(list, func(a, b shown) int { return b.created.Compare(a.created) })
	return list, nil
}

func showRunning(m control.Machine, now time.Time) shown {
	s := shown{
		Names: m.Name, Image: m.Image, Command: quoteCommand(m.Command), State: "running",
		Status: "Up " + units.HumanDuration(now.Sub(m.Started)), created: m.Started,
		labels: m.Labels,
	}
	if m.Created != nil {
		s.created = *m.Created
	}
	switch {
	case m.Paused:
		s.State, s.Status = "paused", s.Status+" (Paused)"
	case !m.Up && m.Root != "":
		s.State, s.Status = "starting", "Starting"
	}
	var ports, mounts []string
	for _, p := range m.Ports {
		ports = append(ports, fmt.Sprintf("%s->%d/%s", p.Host, p.Guest, p.Proto))
	}
	for _, v := range m.Volumes {
		mounts = append(mounts, v.Host)
	}
	s.Ports, s.Mounts = strings.Join(ports, ", "), strings.Join(mounts, ",")
	return s
}

// quoteCommand is a command line as docker shows it.
func quoteCommand(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return `"` + strings.Join(args, " ") + `"`
}

// commandWidth is how much of a command a table shows, in characters.
const commandWidth = 20

func (f psFlags) print(out io.Writer, list []shown, now time.Time) error {
	if f.quiet {
		for _, s := range list {
			fmt.Fprintln(out, s.Names)
		}
		return nil
	}
	if f.format != "table" {
		return printEach(out, f.format, list)
	}
	w := tabwriter.NewWriter(out, 10, 1, 3, ' ', 0)
	fmt.Fprintln(w, "NAMES\tIMAGE\tCOMMAND\tCREATED\tSTATUS\tPORTS")
	for _, s := range list {
		command := []rune(s.Command)
		if !f.noTrunc && len(command) > commandWidth {
			command = append(command[:commandWidth-2], '…', '"')
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Names, s.Image, string(command), s.RunningFor, s.Status, s.Ports)
	}
	return w.Flush()
}
