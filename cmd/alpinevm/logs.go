package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"alpinevm/internal/control"
	"alpinevm/internal/machines"
)

// logsFlags are the flags of alpinevm logs.
type logsFlags struct {
	follow, timestamps bool
	tail, since, until string
}

func newLogs() *cobra.Command {
	var f logsFlags
	c := &cobra.Command{
		Use:   "logs NAME",
		Short: "Print what a machine's own program has printed",
		Long: `Print what a machine's own program has printed since it was started: what came
to its terminal or standard output, and to standard error. That is kept for
machines with a name and those of run -d, its last 8 to 16 MB.`,
		Example: `  alpinevm logs --tail 20 -f box`,
		Args:    want(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			keepBrokenPipes()
			return f.print(args[0], c.OutOrStdout(), os.Stderr)
		},
		ValidArgsFunction: completeMachines,
	}
	fl := c.Flags()
	fl.BoolVarP(&f.follow, "follow", "f", false, "go on until the machine ends")
	fl.BoolVarP(&f.timestamps, "timestamps", "t", false, "print when it came")
	fl.StringVarP(&f.tail, "tail", "n", "all", "print the last `N` lines only")
	fl.StringVar(&f.until, "until", "", "print what came before this `TIME`")
	accepted(fl, "details")
	fl.StringVar(&f.since, "since", "", "print what came since this `TIME`: 2026-01-02T15:04:05Z, or 10m ago")
	return c
}

// logPoll is how often a log that is followed is looked at.
const logPoll = 100 * time.Millisecond

func (f *logsFlags) print(name string, stdout, stderr io.Writer) error {
	tail, since, until, err := f.parse(time.Now())
	if err != nil {
		return err
	}
	base, running, err := logOf(name)
	if err != nil {
		return err
	}
	r := machines.ReadLog(base)
	lines, err := r.Next()
	if err != nil {
		return fmt.Errorf("machine %s: %w", name, err)
	}
	if tail >= 0 && len(lines) > tail {
		lines = lines[len(lines)-tail:]
	}
	for {
		for _, l := range lines {
			if l.Time.Before(since) || l.Time.After(until) {
				continue
			}
			w, text := stdout, l.Log
			if l.Stream == "stderr" {
				w = stderr
			}
			if f.timestamps {
				text = l.Time.Format(time.RFC3339Nano) + " " + text
			}
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
		}
		if !f.follow || !running || time.Now().After(until) {
			return nil
		}
		time.Sleep(logPoll)
		_, running, err = logOf(name) // asked first: what comes then is the last
		next, e := r.Next()
		if e != nil { // it went with its machine
			return nil
		}
		lines = next
		if err != nil {
			running = false
		}
	}
}

// endOfTime is later than all that is logged.
var endOfTime = time.Unix(1<<40, 0)

func (f *logsFlags) parse(now time.Time) (tail int, since, until time.Time, err error) {
	tail = -1
	if f.tail != "all" {
		if tail, err = strconv.Atoi(f.tail); err != nil || tail < 0 {
			return 0, since, until, fmt.Errorf("--tail %s: want a number of lines, or all", f.tail)
		}
	}
	if since, err = parseTime("--since", f.since, now, time.Time{}); err == nil {
		until, err = parseTime("--until", f.until, now, endOfTime)
	}
	return tail, since, until, err
}

// timeForms are what docker takes besides a number of seconds since 1970.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02T15", time.DateTime, time.DateOnly}

// parseTime reads a time, or how long ago it was.
func parseTime(flag, s string, now, none time.Time) (time.Time, error) {
	if s == "" {
		return none, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && n >= 0 && n < 1<<40 {
		return time.UnixMicro(int64(n * 1e6)), nil
	}
	for _, form := range timeForms {
		if t, err := time.ParseInLocation(form, s, time.Local); err == nil {
			return t, nil
		}
	}
	return none, fmt.Errorf("%s %s: want a time such as 2026-01-02T15:04:05Z, or 10m", flag, s)
}

// logOf finds a machine's log, and whether the machine runs.
func logOf(name string) (base string, running bool, err error) {
	r, err := machines.Ask(name, &control.Request{Verb: control.Info})
	switch {
	case err == nil && r.Machine.Log == "":
		return "", true, fmt.Errorf("machine %s: %w", name, machines.ErrNoLog)
	case err == nil:
		return r.Machine.Log, true, nil
	case errors.Is(err, machines.ErrNotRunning), errors.Is(err, control.ErrGone):
		base, err := machines.LogOf(name)
		return base, false, err
	}
	return "", false, err
}
