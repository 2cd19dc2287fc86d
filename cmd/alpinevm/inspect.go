package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alpinevm/internal/control"
	"alpinevm/internal/machines"
)

func newInspect() *cobra.Command {
	var format, kind string
	c := &cobra.Command{
		Use:   "inspect NAME...",
		Short: "Print what is known of machines, or of images and volumes, as JSON",
		Example: `  alpinevm inspect box
  alpinevm inspect --format '{{.State.Status}} {{.State.ExitCode}}' box`,
		Args: some("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			list := []any{}
			var result error
			for _, name := range args {
				m, err := inspectAny(c, kind, name)
				if err != nil {
					result = told(err)
					continue
				}
				list = append(list, m)
			}
			return cmp.Or(printList(c.OutOrStdout(), format, list), result)
		},
		ValidArgsFunction: completeMachines,
	}
	c.Flags().StringVarP(&format, "format", "f", "", "print each as this `FORMAT` says, or json")
	c.Flags().StringVar(&kind, "type", "", "look for a `KIND` only: machine (or container), image or volume")
	return c
}

// inspectAny gathers what is known of a machine or, if there is none of that name, of
// an image or a volume.
func inspectAny(c *cobra.Command, kind, name string) (any, error) {
	switch kind {
	case "", "machine", "container", "image", "volume":
	default:
		return nil, fmt.Errorf("--type %s: want machine, image or volume", kind)
	}
	var first error
	if kind != "image" && kind != "volume" {
		m, err := inspect(name)
		if err == nil {
			return m, nil
		}
		first = err
	}
	if kind == "" || kind == "image" {
		i, err := inspectImage(c, name)
		if err == nil {
			return i, nil
		}
		first = cmp.Or(first, err)
	}
	if kind == "" || kind == "volume" {
		v, err := machines.FindVolume(name)
		if err == nil {
			return showVolume(v), nil
		}
		first = cmp.Or(first, err)
	}
	return nil, first
}

// inspected is a machine as inspect shows it, by docker's names where it has them.
type inspected struct {
	Name    string
	Image   string
	ImageID string `json:",omitempty"`
	Command []string
	Created time.Time
	Kept    bool
	State   state
	Config  struct {
		Memory    int64
		Tty       bool
		OpenStdin bool
		Labels    map[string]string `json:",omitempty"`
	}
	Ports   []control.Port
	Mounts  []control.Volume
	LogPath string `json:",omitempty"`
	Guest   *guestState
}

// state is what a machine does.
type state struct {
	Status                string
	Running, Paused       bool
	Pid, ExitCode         int
	StartedAt, FinishedAt time.Time
}

// guestState is how a guest has fared.
type guestState struct {
	Instructions uint64
	BusySeconds  float64
	Execs        int
}

// inspect gathers what is known of a machine.
func inspect(name string) (*inspected, error) {
	r, kept := machines.Find(name)
	reply, err := machines.Ask(name, &control.Request{Verb: control.Info})
	if err != nil && kept != nil {
		return nil, err
	}
	i := &inspected{Name: name}
	if kept == nil {
		i.Kept, i.Image, i.ImageID, i.Created, i.Command = true, r.From, r.ID, r.Created, r.Command
		i.State = state{Status: "exited", ExitCode: r.ExitCode, StartedAt: r.Started, FinishedAt: r.Ended}
		if r.Ended.Before(r.Started) {
			i.State.ExitCode, i.State.FinishedAt = 128+9, time.Time{} // it was killed
		}
		i.Config.Labels = r.Labels
		i.LogPath, _ = machines.LogOf(name)
	}
	if err != nil {
		return i, nil
	}
	m := reply.Machine
	s := showRunning(*m, time.Now())
	i.Image, i.Command, i.LogPath, i.Ports, i.Mounts = m.Image, m.Command, m.Log, m.Ports, m.Volumes
	if i.Created.IsZero() {
		i.Created = m.Started
	}
	i.State = state{Status: s.State, Running: true, Paused: m.Paused, Pid: m.PID, StartedAt: m.Started}
	i.Config.Memory, i.Config.Tty, i.Config.OpenStdin, i.Config.Labels = m.Memory, m.TTY, m.Stdin, m.Labels
	i.Guest = &guestState{m.Instructions, m.Busy.Seconds(), m.Jobs}
	return i, nil
}

func newPort() *cobra.Command {
	return &cobra.Command{
		Use:   "port NAME [GUEST[/PROTOCOL]]",
		Short: "Print the host's ports that lead into a machine",
		Example: `  alpinevm port web
  alpinevm port web 80`,
		Args: want(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := machines.Ask(args[0], &control.Request{Verb: control.Info})
			if err != nil {
				return err
			}
			found := false
			for _, p := range r.Machine.Ports {
				guest := strconv.Itoa(int(p.Guest)) + "/" + p.Proto
				switch {
				case len(args) == 1:
					fmt.Fprintf(c.OutOrStdout(), "%s -> %s\n", guest, p.Host)
				case guest == args[1] || !strings.Contains(args[1], "/") && guest == args[1]+"/tcp":
					fmt.Fprintln(c.OutOrStdout(), p.Host)
				default:
					continue
				}
				found = true
			}
			if len(args) == 2 && !found {
				return fmt.Errorf("machine %s: no port of the host leads to %s; run -p HOST:GUEST makes one", args[0], args[1])
			}
			return nil
		},
		ValidArgsFunction: completeRunning,
	}
}
