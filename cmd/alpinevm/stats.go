package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"alpinevm/internal/control"
	"alpinevm/internal/machines"
)

func newStats() *cobra.Command {
	var noStream bool
	var format string
	c := &cobra.Command{
		Use:   "stats [NAME...]",
		Short: "Show what machines that run take of the host",
		Long: `Show what machines that run take of the host, once a second: CPU is how much of
the time the guest was busy, MIPS the instructions that it has executed in a
millionth of a second, MEM what the process holds of the host's memory, beside
the guest's size, where the host tells.`,
		Example: `  alpinevm stats
  alpinevm stats --no-stream box`,
		RunE: func(c *cobra.Command, args []string) error {
			return stats(c.OutOrStdout(), args, noStream, format)
		},
		ValidArgsFunction: completeRunning,
	}
	accepted(c.Flags(), "no-trunc")
	c.Flags().BoolVar(&noStream, "no-stream", false, "show it once")
	c.Flags().StringVar(&format, "format", "table", "print a table, json, or each as this `FORMAT` says")
	return c
}

// statsEvery is the time between two looks.
const statsEvery = time.Second

// usageRow is what a machine takes.
type usageRow struct {
	Name, CPUPerc, MIPS, MemUsage string
	PIDs                          int // commands in the machine
}

func stats(out io.Writer, names []string, once bool, format string) error {
	before, err := look(names)
	if err != nil {
		return err
	}
	for {
		at := time.Now()
		time.Sleep(statsEvery)
		now, err := look(names)
		if err != nil {
			return err
		}
		var rows []usageRow
		for _, m := range now {
			rows = append(rows, usageOf(before[m.Name], m, time.Since(at)))
		}
		if err := printUsage(out, rows, format); err != nil || once {
			return err
		}
		before = map[string]control.Machine{}
		for _, m := range now {
			before[m.Name] = m
		}
		if len(now) == 0 && len(names) > 0 {
			return nil
		}
	}
}

// look asks the machines, all where there are no names.
func look(names []string) (map[string]control.Machine, error) {
	found := map[string]control.Machine{}
	if len(names) == 0 {
		list, err := machines.Running()
		for _, m := range list {
			found[m.Name] = m
		}
		return found, err
	}
	for _, name := range names {
		r, err := machines.Ask(name, &control.Request{Verb: control.Info})
		if err != nil {
			return nil, err
		}
		found[name] = *r.Machine
	}
	return found, nil
}

func usageOf(before, now control.Machine, d time.Duration) usageRow {
	row := usageRow{Name: now.Name, CPUPerc: "0.00%", MIPS: "0", MemUsage: "- / " + units.BytesSize(float64(now.Memory)), PIDs: now.Jobs + 1}
	if before.Started.Equal(now.Started) && now.Instructions >= before.Instructions && !now.Paused {
		row.CPUPerc = fmt.Sprintf("%.2f%%", min(100, 100*float64(max(0, now.Busy-before.Busy))/float64(d)))
		row.MIPS = fmt.Sprintf("%.1f", float64(now.Instructions-before.Instructions)/1e6/d.Seconds())
	}
	if n := resident(now.PID); n > 0 {
		row.MemUsage = units.BytesSize(float64(n)) + " / " + units.BytesSize(float64(now.Memory))
	}
	return row
}

// resident is how much memory a process holds in bytes (proc(5), statm), 0 where
// the host does not tell.
func resident(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

func printUsage(out io.Writer, rows []usageRow, format string) error {
	if format != "table" {
		return printEach(out, format, rows)
	}
	w := tabwriter.NewWriter(out, 10, 1, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tCPU %\tMIPS\tMEM USAGE / GUEST\tPIDS")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", r.Name, r.CPUPerc, r.MIPS, r.MemUsage, r.PIDs)
	}
	return w.Flush()
}
