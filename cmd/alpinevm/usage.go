package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// runGroups are the flags of alpinevm run by what they are about.
var runGroups = []struct{ title, flags string }{
	{"Command", "boot entrypoint env env-file hostname init interactive sig-proxy timeout tty user workdir"},
	{"Machine", "cold cpus detach engine host-memory initrd firmware from kernel memory mirror mirror-key module modules name private-redirects rm salvage"},
	{"Files", "busybox large-image mount platform pull read-only rootfs tmpfs volume"},
	{"As with docker", "cidfile dns-search label restart shm-size stop-signal stop-timeout storage sysctl"},
	{"Network", "add-host allow deny dns host-loopback host-names mac-address net-log net-rate network pcap private-networks publish"},
	{"Debugging", "append cmdline debug-console debug-exit deterministic escape-key gdb gdb-wait help kernel-log no-confine profile profile-every quiet trace trace-at trace-file trace-from trace-limit trace-ring trace-to"},
}

// groupedUsage shows the flags of run in groups.
func groupedUsage(c *cobra.Command) error {
	out := c.OutOrStderr()
	fmt.Fprintf(out, "Usage:\n  %s\n\nExamples:\n%s\n", c.UseLine(), c.Example)
	left := map[string]*pflag.Flag{}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			left[f.Name] = f
		}
	})
	show := func(title string, flags *pflag.FlagSet) {
		if flags.HasFlags() {
			fmt.Fprintf(out, "\n%s:\n%s", title, flags.FlagUsages())
		}
	}
	for _, g := range runGroups {
		set := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
		for name := range strings.FieldsSeq(g.flags) {
			if f := left[name]; f != nil {
				set.AddFlag(f)
				delete(left, name)
			}
		}
		show(g.title, set)
	}
	rest := pflag.NewFlagSet("More", pflag.ContinueOnError)
	for _, f := range left {
		rest.AddFlag(f)
	}
	show("More", rest)
	return nil
}

// qemuFlags are what users of qemu type, with one hyphen or two, and what to use.
var qemuFlags = map[string]string{
	"nographic": "leave it out: a guest has this terminal", "append": "use --append TEXT", "kernel": "use --kernel FILE", "initrd": "use --initrd FILE",
	"bios": "use --firmware FILE", "pflash": "use --firmware FILE", "smp": "leave it out: a guest has one processor", "cpu": "leave it out: the processor is a Pentium M with SSE4.2",
	"machine": "leave it out: there is one machine", "M": "leave it out: there is one machine", "accel": "leave it out: there is no KVM", "enable-kvm": "leave it out: there is no KVM",
	"cdrom": "there are no drives: --rootfs takes a tarball, an archive of docker save, an OCI layout or a folder", "hda": "there are no drives: --rootfs takes a tarball, an archive of docker save, an OCI layout or a folder, -v shares a folder",
	"hdb": "there are no drives: -v shares a folder", "drive": "there are no drives: -v shares a folder", "fda": "there are no drives; --firmware FILE --kernel memdisk --initrd FLOPPY starts from a floppy's image",
	"boot": "use --kernel, --initrd or --firmware", "netdev": "use --network, and -p to forward ports", "nic": "use --network, and -p to forward ports", "net": "use --network, and -p to forward ports",
	"redir": "use -p HOST:GUEST", "serial": "the first serial port is this terminal where there is no root file system of ours; --kernel-log shows it", "monitor": "Ctrl-A h lists the keys that are for alpinevm",
	"vnc": "there is no screen", "display": "there is no screen", "vga": "there is no screen", "daemonize": "use -d", "pidfile": "alpinevm inspect NAME says which process it is",
	"virtfs": "use -v HOST:GUEST", "fsdev": "use -v HOST:GUEST", "device": "a guest has the devices that it needs", "snapshot": "leave it out: without --name nothing is kept",
	"gdb": "use --gdb :1234", "s": "use --gdb :1234", "S": "use --gdb-wait", "no-reboot": "leave it out", "rtc": "leave it out: the guest has the host's time",
}

// qemuFlag finds a flag of qemu's among the arguments of run, or where there is no
// command, which pflag would take for several flags of one letter. run are run's
// flags.
func qemuFlag(args []string, run *pflag.FlagSet) error {
	if len(args) == 0 || args[0] != "run" && !strings.HasPrefix(args[0], "-") {
		return nil
	}
	which := ""
	if args[0] == "run" {
		args = args[1:]
	} else {
		which = "alpinevm run boots a guest: "
	}
	for len(args) > 0 {
		a := args[0]
		args = args[1:]
		name, one := strings.CutPrefix(a, "-")
		if !one || name == "" || a == "--" {
			return nil // the image, or the command
		}
		if hint, ok := qemuFlags[name]; ok && (len(name) > 1 || run.ShorthandLookup(name) == nil) {
			return fmt.Errorf("there is no flag -%s; %s%s", name, which, hint)
		}
		if takesValue(name, run) && len(args) > 0 {
			args = args[1:]
		}
	}
	return nil
}

// takesValue tells whether the argument behind a flag, or several of one letter, is
// its value. name is without its first hyphen.
func takesValue(name string, flags *pflag.FlagSet) bool {
	if long, is := strings.CutPrefix(name, "-"); is {
		f := flags.Lookup(long)
		return f != nil && f.NoOptDefVal == ""
	}
	for i := range name {
		if f := flags.ShorthandLookup(name[i : i+1]); f == nil || f.NoOptDefVal == "" {
			return f != nil && i == len(name)-1
		}
	}
	return false
}
