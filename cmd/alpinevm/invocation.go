package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"alpinevm"
	"alpinevm/internal/machines"
)

// invocation is our own command line.
func invocation() *machines.Invocation {
	dir, _ := os.Getwd() // without one, files were named absolutely
	return &machines.Invocation{Dir: dir, Args: os.Args[1:]}
}

// givenFlag is a flag as it was given.
type givenFlag struct{ name, value string }

// splitRun takes the command line of a run apart: its flags, what follows them, and
// whether "--" is between.
func splitRun(args []string) (given []givenFlag, rest []string, dash bool, err error) {
	i := slices.Index(args, "run")
	if i < 0 {
		return nil, nil, false, fmt.Errorf("%q is no run", args)
	}
	fl := newRun().Flags()
	err = fl.ParseAll(args[i+1:], func(f *pflag.Flag, value string) error {
		given = append(given, givenFlag{f.Name, value})
		return nil
	})
	return given, fl.Args(), fl.ArgsLenAtDash() == 0, err
}

// flagArgs are the arguments of flags, of those names that keep tells.
func flagArgs(given []givenFlag, keep func(name string) bool) (args []string) {
	for _, g := range given {
		if keep(g.name) {
			args = append(args, "--"+g.name+"="+g.value)
		}
	}
	return args
}

// Flags of run by whose they are when a machine goes on from a snapshot: of the
// connection to the host, which its clones have too, and of the machine, which the
// snapshot knows, or of one run.
const (
	hostFlags = "add-host allow cpus deny dns dns-search engine escape-key host-loopback host-memory host-names interactive large-image mirror mirror-key mount " +
		"net-rate network no-confine platform private-networks private-redirects quiet sig-proxy storage tty volume"
	ownFlags = "append boot busybox cap-add cidfile cmdline cold debug-console debug-exit detach deterministic entrypoint env env-file expose firmware from gdb gdb-wait help hostname init initrd " +
		"kernel kernel-log label mac-address memory module modules name net-log pcap privileged profile profile-every publish pull read-only restart rm rootfs salvage shm-size stop-signal stop-timeout sysctl timeout tmpfs trace trace-at " +
		"trace-file trace-from trace-limit trace-ring trace-to user workdir"
)

// carried tells whether a flag is among hostFlags.
func carried(name string) bool { return slices.Contains(strings.Fields(hostFlags), name) }

// later is how a machine that goes on from a snapshot is started when it has ended:
// on its disk, with the command that the snapshot's machine had.
func (f *runFlags) later(cfg *alpinevm.Config) *machines.Invocation {
	own := invocation()
	given, _, _, err := splitRun(own.Args)
	if err != nil {
		return nil // it was run otherwise than by a command line
	}
	args := append([]string{"run"}, flagArgs(given, func(name string) bool {
		return carried(name) || name == "publish" || name == "hostname" || name == "mac-address"
	})...)
	s := cfg.Session
	args = append(args, "--name="+f.name, fmt.Sprintf("--memory=%dM", cfg.Memory>>20))
	for _, e := range s.Env {
		args = append(args, "--env="+e)
	}
	for flag, value := range map[string]string{"--user=": s.User, "--workdir=": s.Dir} {
		if value != "" {
			args = append(args, flag+value)
		}
	}
	if f.from.was.Terminal {
		args = append(args, "--tty")
	}
	if s.Init {
		args = append(args, "--boot")
	} else {
		args = append(append(args, "--entrypoint=", "--"), s.Args...) // the image's is in Args
	}
	return &machines.Invocation{Dir: own.Dir, Args: args}
}
