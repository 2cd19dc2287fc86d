package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What several words are answered by.
const (
	noDaemon    = "there is no daemon: each machine is the process of its own alpinevm run"
	noBuild     = "images are built elsewhere; run --rootfs takes an archive of docker save, an OCI layout, a tarball or a folder"
	noCluster   = "there are no clusters: alpinevm run is one machine"
	asTar       = "alpinevm cp copies files between a machine and the host, alpinevm export writes all of them"
	credential  = "registries are asked with docker's credentials: docker login, or ~/.docker/config.json"
	throughRun  = "alpinevm run makes a machine and runs a command in it; with --name NAME it stays; alpinevm start goes on with it, alpinevm exec runs more in it"
	toEnd       = "alpinevm stop ends machines in an orderly way, alpinevm kill at once"
	toList      = "alpinevm ps lists the machines that run, alpinevm ls those that are kept, alpinevm images the images"
	toRemove    = "alpinevm rm removes machines, alpinevm rmi images"
	throughExec = "alpinevm exec -it NAME sh gives a shell in a machine that runs; alpinevm run one in a new machine"
	asDocker    = "leave it out: alpinevm run, ps, exec, logs, stop and the others are as docker's"
	ofRun       = "it is a flag of alpinevm run, whose --help lists them"
)

// words are what users of docker, podman, ssh and virtual machines may type that are no
// commands of ours, and what to use. A word goes when its command comes.
var words = map[string]string{
	"halt": toEnd, "down": toEnd, "poweroff": toEnd, "shutdown": toEnd, "destroy": toRemove, "quit": toEnd, "exit": toEnd,
	"create": throughRun, "up": throughRun, "boot": throughRun, "launch": throughRun, "init": throughRun, "new": throughRun,
	"shell": throughExec, "sh": throughExec, "bash": throughExec, "enter": throughExec, "console": throughExec, "connect": throughExec,
	"list": toList, "status": toList, "df": "alpinevm system df shows what the disk is taken by", "show": "alpinevm inspect prints what is known of a machine", "describe": "alpinevm inspect prints what is known of a machine",
	"fork": "alpinevm clone NAME NEW makes a copy that goes on from where NAME is", "restore": "alpinevm run --from FILE goes on from a snapshot", "vm": throughRun,
	"remove": toRemove, "delete": toRemove, "del": toRemove,
	"reboot": "alpinevm restart stops a machine and starts it again", "reset": "alpinevm restart stops a machine and starts it again",
	"suspend": "alpinevm pause has a machine execute nothing, unpause go on", "resume": "alpinevm unpause has a machine go on that was paused", "sleep": "alpinevm pause has a machine execute nothing, unpause go on",
	"monitor": "alpinevm stats shows what machines take of the host", "network": "alpinevm run has --network, -p, --allow and --deny; each machine has a network of its own",
	"ssh": throughExec + "; -p 2222:22 forwards a port to a server in the guest", "scp": asTar, "sftp": asTar, "rsync": asTar, "copy": asTar, "move": asTar, "mv": asTar,
	"mount": "alpinevm run -v HOST:GUEST shares a folder", "unmount": "alpinevm run -v HOST:GUEST shares a folder", "umount": "alpinevm run -v HOST:GUEST shares a folder",
	"build": noBuild, "buildx": noBuild, "builder": noBuild, "bake": noBuild, "search": "the registry's web site searches; the name goes to alpinevm run or pull", "manifest": "docker or skopeo shows manifests",
	"login": credential, "logout": credential, "trust": "an image is known by its digest: alpinevm run NAME@sha256:...",
	"check":  "alpinevm doctor says what this host offers",
	"events": noDaemon, "context": noDaemon, "plugin": noDaemon, "daemon": noDaemon, "service": noDaemon, "generate": noDaemon,
	"compose": noCluster, "swarm": noCluster, "stack": noCluster, "node": noCluster, "kube": noCluster, "pod": noCluster, "secret": noCluster, "config": noCluster,
	"update": "a machine's memory and network are given to each run", "upgrade": "alpinevm pull asks the registry again", "fetch": "alpinevm pull downloads images",
	"checkpoint": "alpinevm snapshot save NAME saves a machine that runs, run --from FILE goes on from there",
	"install":    "alpinevm run --name NAME alpine apk add PACKAGE installs a package in a machine", "test": "alpinevm bench measures, make test tests",
	"benchmark": "it is called alpinevm bench", "docker": asDocker, "podman": asDocker, "qemu": "alpinevm run --kernel FILE --initrd FILE boots a kernel",
	"healthcheck": noHealth, "quadlet": noDaemon, "farm": noCluster, "artifact": "alpinevm pull downloads images", "autoupdate": noDaemon, "auto-update": noDaemon,
}

// near is the least number of letters that are put in, left out, replaced or
// swapped with their neighbour to make one word the other.
func near(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, row := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		old := before
		before, row = row, make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, before[j+1]+1, before[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], old[j-1]+1)
			}
		}
	}
	return row[len(y)]
}

// meant is the name that somebody who typed word has most likely meant; "" where
// none is near enough: a third of the letters may be wrong, or the last ones not
// be typed.
func meant(word string, names []string) string {
	word = strings.ToLower(word)
	best, least := "", 0
	for _, n := range names {
		d := near(word, n)
		swapped := d == 1 && len(word) == 2 && len(n) == 2 && word[0] == n[1]
		switch {
		case len(word) > 2 && strings.HasPrefix(n, word):
			d = 0
		case d > max(len(n), len(word))/3 && !swapped:
			continue
		}
		if best == "" || d < least {
			best, least = n, d
		}
	}
	return best
}

// group has a command that only holds others answer words that are none of them.
func group(c *cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownWord(c, args[0])
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.Flags().SetInterspersed(false) // flags behind a word are the word's
	return c
}

// unknownWord says what to use in place of a word that is no command below c.
func unknownWord(c *cobra.Command, word string) error {
	if hint, ok := words[word]; ok && !c.HasParent() {
		return fmt.Errorf("there is no command %q: %s", word, hint)
	}
	if !c.HasParent() && slices.Contains(machineNames(), word) {
		return fmt.Errorf("%s is a machine, and no command: alpinevm run --name %s goes on with it, alpinevm exec -it %s sh gives a shell in it while it runs", word, word, word)
	}
	var names []string
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			names = append(append(names, sub.Name()), sub.Aliases...)
		}
	}
	if name := meant(word, names); name != "" {
		return fmt.Errorf("unknown command %q; did you mean %s %s?", word, c.CommandPath(), name)
	}
	return fmt.Errorf("unknown command %q; %s --help lists the commands", word, c.CommandPath())
}

// unknownFlag says what to use in place of a flag that c does not have.
func unknownFlag(c *cobra.Command, err error) error {
	var lacks *pflag.ValueRequiredError
	if errors.As(err, &lacks) && lacks.GetSpecifiedShortnames() == "h" {
		return errors.Join(c.Help(), exitCode(0)) // of run, whose -h NAME is the host's name
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	name := unknown.GetSpecifiedName()
	if hint, ok := foreignFlag(c, name); ok {
		return fmt.Errorf("%w; %s", err, hint)
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	n, other, lower := meant(name, names), meant(name, foreignNames(c)), strings.ToLower(name)
	switch {
	case len(name) == 1:
	case other != "" && (n == "" || near(lower, other) < near(lower, n)):
		hint, _ := foreignFlag(c, other)
		return fmt.Errorf("%w; for --%s, %s", err, other, hint)
	case n != "":
		return fmt.Errorf("%w; did you mean --%s?", err, n)
	}
	if run, _, e := c.Root().Find([]string{"run"}); e == nil && !c.HasParent() && run.Flags().Lookup(name) != nil {
		return fmt.Errorf("%w; %s", err, ofRun)
	}
	return fmt.Errorf("%w; %s --help lists the flags", err, c.CommandPath())
}
