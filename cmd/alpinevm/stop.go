package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"alpinevm/internal/control"
	"alpinevm/internal/machines"
)

func newStop() *cobra.Command {
	var seconds int
	var signal string
	c := &cobra.Command{
		Use:   "stop NAME...",
		Short: "End machines in an orderly way",
		Long: `End machines in an orderly way, as SIGTERM does: the program is told, then all
others, and files are written. With -t what has not ended then is switched off;
otherwise a guest has the time that it needs, up to a minute or so.`,
		Example: `  alpinevm stop box
  alpinevm stop -t 5 $(alpinevm ps -q)`,
		Args: some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			by := 0
			if signal != "" {
				var err error
				if by, err = parseSignal(signal); err != nil {
					return err
				}
			}
			return each(c.OutOrStdout(), args, func(name string) error { return stop(name, grace(c, seconds), by) })
		},
		ValidArgsFunction: completeRunning,
	}
	c.Flags().IntVarP(&seconds, "time", "t", 0, "switch it off after so many `SECONDS`")
	c.Flags().StringVarP(&signal, "signal", "s", "", "ask the command by this `SIGNAL` (default run's --stop-signal)")
	c.Flags().SetNormalizeFunc(timeout)
	return c
}

// timeout gives --time docker's newer name.
func timeout(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "timeout" {
		name = "time"
	}
	return pflag.NormalizedName(name)
}

// grace is what -t says, nil where it does not.
func grace(c *cobra.Command, seconds int) *time.Duration {
	if !c.Flags().Changed("time") {
		return nil
	}
	d := max(0, time.Duration(seconds)*time.Second)
	return &d
}

// stop stops a machine, by a signal if that is not 0; one that does not run is
// stopped.
func stop(name string, grace *time.Duration, signal int) error {
	_, err := await(name, &control.Request{Verb: control.Stop, Grace: grace, Signal: signal})
	if errors.Is(err, machines.ErrNotRunning) {
		return nil
	}
	return err
}

// await sends a request that ends with the machine, and gives its exit code.
func await(name string, r *control.Request) (int, error) {
	conn, err := machines.Dial(name, r)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	exit, err := conn.Stream(io.Discard, io.Discard)
	var text control.Error
	switch {
	case err == nil:
	case !errors.As(err, &text): // it was ending when it was asked, or its process was killed
		return lastCode(name), nil
	case exit.Error == "":
		return 0, err // the request was refused
	}
	return exit.Code, nil
}

// lastCode is the exit code of a machine's last run, as far as that is known: a
// machine that is not kept, and a process that was killed, leave nothing.
func lastCode(name string) int {
	r, err := machines.Find(name)
	if err != nil || r.Ended.Before(r.Started) {
		return exitKilled
	}
	return r.ExitCode
}

func newWait() *cobra.Command {
	return &cobra.Command{
		Use:     "wait NAME...",
		Short:   "Wait for machines to end, and print their exit codes",
		Example: `  alpinevm wait box`,
		Args:    some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			for _, name := range args {
				code, err := await(name, &control.Request{Verb: control.Wait})
				if errors.Is(err, machines.ErrNotRunning) {
					code, err = lastCode(name), nil
				}
				if err != nil {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), code)
			}
			return nil
		},
		ValidArgsFunction: completeMachines,
	}
}

func newKill() *cobra.Command {
	var signal string
	c := &cobra.Command{
		Use:   "kill NAME...",
		Short: "Switch machines off at once, or send their programs a signal",
		Long: `Switch machines off at once: what their programs had been told is done is there.
With -s another signal than KILL is sent to the program that runs in them.`,
		Example: `  alpinevm kill box
  alpinevm kill -s HUP web`,
		Args: some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := parseSignal(signal)
			if err != nil {
				return err
			}
			return each(c.OutOrStdout(), args, func(name string) error {
				_, err := machines.Ask(name, &control.Request{Verb: control.Signal, Signal: n})
				return err
			})
		},
		ValidArgsFunction: completeRunning,
	}
	c.Flags().StringVarP(&signal, "signal", "s", "KILL", "send this `SIGNAL`, by name or number")
	return c
}

// signalNames are Linux's, from 1 on (include/uapi/asm-generic/signal.h).
var signalNames = strings.Fields("HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS")

// parseSignal reads a signal's name or number.
func parseSignal(s string) (int, error) {
	if n, err := strconv.Atoi(s); err == nil && 0 < n && n <= 64 {
		return n, nil
	}
	for i, name := range signalNames {
		if strings.TrimPrefix(strings.ToUpper(s), "SIG") == name {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("signal %q: want a name such as TERM, or a number from 1 to 64", s)
}

func newPause() *cobra.Command {
	return simple("pause", "Have machines execute nothing until unpause", control.Pause)
}

func newUnpause() *cobra.Command {
	return simple("unpause", "Have machines go on that were paused", control.Unpause)
}

// simple is a command that is one request.
func simple(name, short, verb string) *cobra.Command {
	return &cobra.Command{
		Use: name + " NAME...", Short: short, Example: "  alpinevm " + name + " box", Args: some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return each(c.OutOrStdout(), args, func(name string) error {
				_, err := machines.Ask(name, &control.Request{Verb: verb})
				return err
			})
		},
		ValidArgsFunction: completeRunning,
	}
}
