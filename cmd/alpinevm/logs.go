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
	l, err := logOf(name)
	if err != nil {
		return err
	}
	running, r := l.pid != 0, machines.ReadLog(l.base)
	lines, err := r.Next()
	if err != nil && running {
		if l, e := renamedLog(l); e == nil && l.pid != 0 {
			r.Moved(l.base)
			lines, err = r.Next()
		}
	}
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
		now, err := logOf(name) // asked first: what comes then is the last
		if err != nil || now.pid != l.pid {
			now, err = renamedLog(l)
		}
		if err == nil && now.pid != 0 {
			name = now.name
			r.Moved(now.base)
		}
		running = now.pid != 0
		next, e := r.Next()
		if e != nil { // it went with its machine
			return nil
		}
		lines = next
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

// keptLog is where a machine's log is.
type keptLog struct {
	name, base string // of the machine, and of the log's files
	pid        int    // of its process; 0: it does not run
}

// logOf finds a machine's log.
func logOf(name string) (keptLog, error) {
	r, err := machines.Ask(name, &control.Request{Verb: control.Info})
	switch {
	case err == nil && r.Machine.Log == "":
		return keptLog{}, fmt.Errorf("machine %s: %w", name, machines.ErrNoLog)
	case err == nil:
		return keptLog{name, r.Machine.Log, r.Machine.PID}, nil
	case errors.Is(err, machines.ErrNotRunning), errors.Is(err, control.ErrGone):
		base, err := machines.LogOf(name)
		return keptLog{name: name, base: base}, err
	}
	return keptLog{}, err
}

// renamedLog finds the log of a machine that has another name by now.
func renamedLog(l keptLog) (keptLog, error) {
	list, err := machines.Running()
	for _, m := range list {
		if m.PID == l.pid && m.Log != "" {
			return keptLog{m.Name, m.Log, m.PID}, nil
		}
	}
	return keptLog{}, err
}
