package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"alpinevm/internal/machines"
)

const cloneLong = `Make a machine NEW that goes on from where the machine NAME is, which goes on too,
or with -n several, NEW-1, NEW-2 and so on. They run in the background, with the
memory and the files of NAME, what is shared with it and its rules of the network.
They share memory and files until one of them changes some.

A clone has its own name, as that of its host too, its own address of its network
card, the date, and its own random numbers. Connections of NAME are reset in it,
and ports of the host are not forwarded to it unless -p says so. It is kept if NAME
is, and can be started again (alpinevm start) when it has ended.

Of a machine that is kept and does not run the files are copied; alpinevm start
starts the clone.`

// cloning is a clone as its flags ask for it.
type cloning struct {
	name     string // of the machine
	count    int
	publish  []string
	hostname string
	quiet    bool
}

// mostClones is how many one command makes.
const mostClones = 1000

func newClone() *cobra.Command {
	f := &cloning{}
	c := &cobra.Command{
		Use:   "clone NAME NEW",
		Short: "Make copies of a machine that go on from where it is",
		Long:  cloneLong,
		Example: `  alpinevm clone box twin
  alpinevm clone box worker -n 10
  alpinevm clone -p 8081:80 box canary`,
		Args: want(2, 2),
		RunE: func(c *cobra.Command, args []string) error {
			f.name = args[0]
			names := []string{args[1]}
			if c.Flags().Changed("number") {
				if f.count < 1 || f.count > mostClones {
					return fmt.Errorf("-n %d: want 1 to %d clones", f.count, mostClones)
				}
				names = nil
				for i := range f.count {
					names = append(names, fmt.Sprint(args[1], "-", i+1))
				}
			}
			made, err := f.clone(c.Context(), names)
			for _, name := range made {
				fmt.Fprintln(c.OutOrStdout(), name)
			}
			return err
		},
		ValidArgsFunction: completeMachines,
	}
	fl := c.Flags()
	fl.IntVarP(&f.count, "number", "n", 1, "make so many: NEW-1 to NEW-`NUMBER`")
	fl.StringArrayVarP(&f.publish, "publish", "p", nil, "forward a host port to the clone: `[IP:]HOST:GUEST[/udp]`")
	fl.StringVar(&f.hostname, "hostname", "", "`NAME` of the guest (default the clone's)")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but names and errors")
	return c
}

// clone makes the machines of those names, and gives those that have come to be.
func (f *cloning) clone(ctx context.Context, names []string) ([]string, error) {
	for _, name := range names {
		if err := machines.Free(name); err != nil {
			return nil, err
		}
	}
	if err := f.checkPorts(len(names)); err != nil {
		return nil, err
	}
	file, err := machines.NewScratch()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	s, err := machines.Save(ctx, f.name, file, false, true)
	if errors.Is(err, machines.ErrNotRunning) {
		return machines.CloneStopped(ctx, f.name, names, f.later)
	}
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if !f.quiet {
		say(os.Stderr, "machine %s stood still for %d ms", f.name, s.Stood.Milliseconds())
	}
	made := make([]bool, len(names))
	var work errgroup.Group
	work.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i, name := range names {
		work.Go(func() error {
			err := f.start(ctx, s, file.Name(), name)
			made[i] = err == nil
			return err
		})
	}
	err = work.Wait()
	var list []string
	for i, name := range names {
		if made[i] {
			list = append(list, name)
		}
	}
	return list, err
}

// checkPorts refuses ports of the host that several clones would have.
func (f *cloning) checkPorts(clones int) error {
	for _, p := range f.publish {
		list, err := portRange(p)
		if err != nil {
			return err
		}
		for _, p := range list {
			forward, err := parseForward(p)
			if err != nil {
				return err
			}
			if forward.Port != 0 && clones > 1 {
				return fmt.Errorf("-p %s: %d clones cannot have one port of the host; -p %d has the host choose one for each", p, clones, forward.Guest)
			}
		}
	}
	return nil
}

// start starts a clone, which reads the snapshot in file.
func (f *cloning) start(ctx context.Context, s *machines.Saving, file, name string) (err error) {
	given, _, _, err := splitRun(s.Run.Args)
	if err != nil {
		return fmt.Errorf("machine %s: how it was run is not to be read: %w", f.name, err)
	}
	given = slices.DeleteFunc(given, func(g givenFlag) bool { return g.name == "mount" && isTmpfs(g.value) }) // which the snapshot has
	args := append([]string{"run", "-d"}, flagArgs(given, carried)...)
	if s.Folder != "" {
		if err := f.keep(ctx, s, name); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				complain(machines.Remove(context.WithoutCancel(ctx), name))
			}
		}()
		args = append(args, "--name="+name)
	} else {
		args = append(args, "--rm")
	}
	args = append(args, "--from="+file, "--hostname="+f.hostOf(name))
	if networked(given) {
		args = append(args, "--mac-address="+newMAC())
		for _, p := range f.publish {
			args = append(args, "--publish="+p)
		}
	} else if len(f.publish) > 0 {
		return fmt.Errorf("-p %s: machine %s has no network", f.publish[0], f.name)
	}
	if err := startBackground(ctx, name, args, s.Run.Dir); err != nil {
		return told(err)
	}
	return nil
}

// keep makes a clone one that is kept.
func (f *cloning) keep(ctx context.Context, s *machines.Saving, name string) error {
	later, err := f.later(s.Run, name)
	if err != nil {
		return err
	}
	return machines.CloneKept(ctx, f.name, s.Folder, name, later)
}

// hostOf is the name that a clone's guest gets.
func (f *cloning) hostOf(name string) string {
	if f.hostname != "" {
		return f.hostname
	}
	return strings.Trim(strings.NewReplacer("_", "-", ".", "-").Replace(name), "-")
}

// networked tells whether a machine that was run so has a network.
func networked(given []givenFlag) bool {
	for _, g := range given {
		if g.name == "network" && g.value == networkNone {
			return false
		}
	}
	return true
}

// newMAC makes up the address of a network card, as QEMU's are.
func newMAC() string {
	mac := net.HardwareAddr{0x52, 0x54, 0, 0, 0, 0}
	rand.Read(mac[3:])
	return mac.String()
}

// later is how a clone is started again.
func (f *cloning) later(was *machines.Invocation, name string) (*machines.Invocation, error) {
	if was == nil {
		return nil, nil
	}
	given, rest, dash, err := splitRun(was.Args)
	if err != nil {
		return nil, err
	}
	args := append([]string{"run"}, flagArgs(given, func(name string) bool {
		return name != "name" && name != "publish" && name != "hostname" && name != "mac-address" && name != "from"
	})...)
	args = append(args, "--name="+name, "--hostname="+f.hostOf(name))
	for _, p := range f.publish {
		args = append(args, "--publish="+p)
	}
	if dash {
		args = append(args, "--")
	}
	return &machines.Invocation{Dir: was.Dir, Args: append(args, rest...)}, nil
}
