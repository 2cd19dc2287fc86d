package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"alpinevm/internal/machines"
	"alpinevm/launch"
)

// runFlags are the flags of alpinevm run as they were given.
type runFlags struct {
	kernel, modules, rootfs, busybox string
	firmware, initrd                 string
	memory                           string
	env, volumes, module             []string
	dir, user, hostname              string
	interactive, tty, remove         bool
	appendLine, cmdline              string
	kernelLog, quiet                 bool
	timeout                          time.Duration
	trace                            traceFlags
	profile                          profileFlags
	gdb                              gdbFlags
	init, sigProxy                   bool
	debugExit                        uint16
	debugConsole                     bool
	engine                           string
	deterministic, cold              bool
	noConfine                        bool
	hostMemory                       string
	network                          networkFlags
	image                            imageFlags
	name, fromFile                   string
	from                             *goingOn // what --from names; nil: nothing
	detach                           bool
	background                       string // the name of the machine that this process is in the background
	salvage                          bool
	envFiles, mounts, tmpfs          []string
	cpus                             string
	readOnly, dockerInit             bool
	escapeKey                        string
	machine                          *machines.Machine // of that name; nil if there is no name
	passing                          string            // the name of one that is not kept
	docker                           dockerFlags
	named, namedDirs                 []string       // volumes that are kept by name, and where
	release                          []func() error // of each, at the end
	flags                            *pflag.FlagSet // which of them were given
	alpine                           alpineFlags
}

const runLong = `Boot a kernel with a root file system and run a command, or a shell, in it.

The root file system is that of a container IMAGE, pulled from its registry if
it is not in the cache, or what --rootfs names: an image too, as an OCI layout
or an archive of docker save, a tarball or a folder. An image says by itself
what is run, where, as whom and in which environment, unless flags do. The
kernel is the linux-virt of the root's release of Alpine, or of the latest one,
fetched and verified as apk does if it is not in the cache. Without anything
named the image is i386/alpine.

The guest may change its root file system: the changes are kept in memory and
are gone afterwards. What is to last belongs into a folder shared with -v, or
into a machine: --name NAME keeps the changes on the disk, in
~/.local/state/alpinevm/machines (XDG_STATE_HOME), safe from a crash of ours at
any time. The next run with that name goes on with them, on the same image,
even if its tag has moved meanwhile, and with the same kernel unless --kernel
names another; the command is then given behind "--". alpinevm ls lists the
machines, alpinevm rm removes them.

On a terminal the command gets a terminal. Otherwise its standard input,
output and error are ours, byte for byte. A machine without a root file system
of ours (--initrd, --firmware, a multiboot kernel) has them at its first serial
port. Ctrl-A x switches the machine off,
Ctrl-A h lists the other escapes. While the guest boots, Ctrl-C switches it off.

SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 are passed on to the command, with
a terminal the last two. A command that has not ended ten seconds after SIGTERM is
ended, with all else in the guest; a second SIGTERM, or a third SIGINT in a row,
switches the machine off. SIGQUIT, --timeout, and the other signals where there is
no command that gets them, end the guest in an orderly way; a second one switches
it off.

On Linux, while a guest runs, this process reaches the host's files that are
shared with it and those that keep it, can start no program, and cannot get more
rights (alpinevm doctor says what of it this host has). As root it is better run
by another user.

Exit codes:
  N      the command's; 128 and N where signal N ended it
  0      the guest was powered off
  124    --timeout has passed
  125    alpinevm or the guest's kernel has failed
  126    the command cannot be executed
  127    the command is not there`

const runExample = `  # a shell in the latest Alpine
  alpinevm run
  # a command in an image
  alpinevm run alpine:3.20 uname -a
  # a server that the host reaches at port 8080
  alpinevm run -p 8080:80 nginx:alpine
  # a command that reaches one name and nothing else, and a record of what it tried
  alpinevm run --allow '*.alpinelinux.org:443' --net-log flows.json alpine apk update
  # a shell in a root of one's own, with another kernel
  alpinevm run --kernel vmlinuz --modules lib/modules --rootfs alpine-minirootfs.tar.gz
  # a command on a folder of the host
  alpinevm run --rootfs root.tar.gz -v .:/src -w /src -- sha256sum go.mod
  # a machine that stays: made from an image, and gone on with
  alpinevm run --name box alpine:3.20 apk add gcc musl-dev
  alpinevm run --name box -- gcc --version
  # in a pipe
  tar c dir | alpinevm run alpine tar t
  # a kernel with an initial root file system of one's own, on its serial port
  alpinevm run --kernel vmlinuz --initrd initrd.img
  # a kernel that gdb stops before its first instruction: target remote :1234
  alpinevm run --gdb :1234 --gdb-wait --kernel my-multiboot.elf
  # what firmware prints
  alpinevm run --firmware bios.bin --debug-console`

// defaultHostname is the guest's.
const defaultHostname = "alpine"

func newRun() *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use:     "run [flags] [IMAGE | --] [COMMAND [ARG...]]",
		Short:   "Boot a guest and run a command or a shell in it",
		Long:    runLong,
		Example: runExample,
		RunE: func(c *cobra.Command, args []string) error {
			return f.run(c.Context(), args, c.ArgsLenAtDash() == 0)
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return completeImages(c, args, prefix)
		},
	}
	fl := c.Flags()
	f.flags = fl
	fl.SetInterspersed(false)
	fl.StringVar(&f.kernel, "kernel", "", "boot `KERNEL`: a file (bzImage, vmlinux, multiboot, Alpine's .apk), a release of Alpine (3.20, edge) or a version of its linux-virt (default the root's release's)")
	fl.StringVar(&f.modules, "modules", "", "folder or tarball `DIR` with the kernel's modules: one version's, or what holds lib/modules")
	fl.StringVar(&f.rootfs, "rootfs", "", "root file system `ROOT`: an OCI layout, an archive of docker save, a tarball or a folder")
	fl.StringVar(&f.busybox, "busybox", "", "static i386 busybox `FILE`, for roots other than Alpine's")
	fl.StringVar(&f.firmware, "firmware", "", "start the ROM image `FILE` at the reset vector, in place of a kernel; SeaBIOS starts one that is given as well, in real mode")
	fl.StringVar(&f.initrd, "initrd", "", "initial root file system `FILE`, in place of ours; the serial port is the console then")
	fl.StringArrayVar(&f.module, "module", nil, "give a multiboot kernel a module: `FILE[ ARGS]`")
	fl.StringVarP(&f.memory, "memory", "m", "512M", "memory of the guest: `SIZE` from 64M to 3G")
	fl.StringArrayVarP(&f.env, "env", "e", nil, "set an environment variable: `NAME=VALUE`, or NAME to pass the host's on")
	fl.StringArrayVarP(&f.volumes, "volume", "v", nil, "share a host folder or file: `HOST:GUEST[:ro]`; a NAME in place of HOST is a folder that is kept under that name")
	fl.StringArrayVar(&f.envFiles, "env-file", nil, "set the environment variables that this `FILE` names, NAME=VALUE a line")
	fl.StringArrayVar(&f.mounts, "mount", nil, "docker's --mount: `FIELDS` such as type=bind,source=HOST,target=GUEST,readonly")
	fl.StringArrayVar(&f.tmpfs, "tmpfs", nil, "put a file system in the guest's memory at `GUEST[:OPTIONS]`, such as /tmp:size=64m")
	fl.BoolVar(&f.readOnly, "read-only", false, "let the guest change nothing in its root file system")
	fl.StringVar(&f.cpus, "cpus", "1", "`NUMBER` of processors: one (for docker's users)")
	fl.StringVarP(&f.dir, "workdir", "w", "", "working `DIR` of the command, made if it is missing")
	fl.StringVarP(&f.user, "user", "u", "", "run as `NAME|UID[:GROUP|GID]`")
	fl.StringVarP(&f.hostname, "hostname", "h", defaultHostname, "`NAME` of the guest")
	fl.Bool("help", false, "print this")
	fl.StringVar(&f.name, "name", "", "keep the guest's root file system on the disk under this `NAME`, and go on with it if it is there")
	fl.BoolVarP(&f.detach, "detach", "d", false, "run in the background and print the machine's name, which is made up without --name; it is kept, unless there is --rm")
	fl.BoolVar(&f.salvage, "salvage", false, "go on with what can be read of the machine's files where they are damaged; what is there is kept")
	fl.BoolVarP(&f.interactive, "interactive", "i", false, "give the command standard input (always done; for docker's users)")
	fl.BoolVarP(&f.tty, "tty", "t", false, "give the command a terminal (implied where standard input and output are one)")
	fl.BoolVar(&f.remove, "rm", false, "keep nothing of the machine: --name is what it is called while it runs")
	fl.StringVar(&f.appendLine, "append", "", "add `TEXT` to the kernel's command line")
	fl.StringVar(&f.cmdline, "cmdline", "", "replace the kernel's command line by `TEXT`")
	fl.BoolVar(&f.kernelLog, "kernel-log", false, "show the kernel's log on standard error")
	fl.BoolVar(&f.sigProxy, "sig-proxy", true, "pass signals on to the command; else SIGINT, SIGTERM and SIGHUP end the guest")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing of our own but errors")
	fl.DurationVar(&f.timeout, "timeout", 0, "end the guest after this `TIME` (90s, 5m), with exit code 124")
	f.trace.add(fl)
	f.profile.add(fl)
	f.gdb.add(fl)
	fl.BoolVar(&f.init, "boot", false, "run the root's own /sbin/init, with a login on the terminal")
	fl.BoolVar(&f.dockerInit, "init", false, "have an init look after the command (always done; for docker's users)")
	fl.StringVar(&f.escapeKey, "escape-key", "ctrl-a", "`KEY` that begins a command to alpinevm, ctrl-LETTER; empty for none")
	fl.Uint16Var(&f.debugExit, "debug-exit", 0, "end the machine with the value that is written to this `PORT`")
	fl.BoolVar(&f.debugConsole, "debug-console", false, "show on standard error what is written to ports E9h and 402h")
	addEngine(c, &f.engine)
	fl.StringVar(&f.hostMemory, "host-memory", "6G", "switch the guest off when we take more than `SIZE` of the host's memory beside the guest's, or nine tenths of all that the host has")
	fl.BoolVar(&f.noConfine, "no-confine", false, "do without what confines us on Linux while the guest runs: Landlock, a filter of system calls, no core files")
	fl.BoolVar(&f.deterministic, "deterministic", false, "derive time from the instruction count: two runs are the same")
	fl.StringVar(&f.fromFile, "from", "", "go on from the snapshot `FILE`, and run COMMAND in it in place of following what ran in it")
	fl.BoolVar(&f.cold, "cold", false, "boot the kernel anew, and not from where it has come to in an earlier run; so do --deterministic, --kernel-log, --profile, --trace and --gdb")
	f.network.add(fl)
	f.image.add(fl)
	f.alpine.add(fl)
	f.docker.add(fl)
	fl.SetNormalizeFunc(otherNames)
	completeFlags(c)
	c.SetUsageFunc(groupedUsage)
	return c
}

// hasRoot tells whether there is a session on a root file system.
func (f *runFlags) hasRoot() bool {
	return f.rootfs != "" || f.image.name != "" || f.machine != nil || f.from != nil
}

// check refuses flags that contradict each other.
func (f *runFlags) check(args []string) error {
	if err := fileAsImage(f.image.name); err != nil {
		return err
	}
	switch {
	case f.kernel == "" && f.firmware == "" && !f.hasRoot():
		return errors.New("no kernel: give --kernel FILE, or --firmware FILE")
	case f.name != "" && (f.firmware != "" || f.initrd != ""):
		return errors.New("--name keeps a root file system: leave out --initrd and --firmware")
	case f.salvage && f.name == "":
		return errors.New("--salvage mends a machine: give its --name")
	case f.kernel == "" && f.modules != "":
		return errors.New("--modules needs --kernel: the kernel that Alpine has brings its own")
	case f.firmware != "" && f.kernel != "" && launch.IsAlpineKernel(f.kernel):
		return errors.New("--firmware starts a kernel that is a file: leave out --kernel " + f.kernel + ", or --firmware")
	case f.firmware != "" && f.hasRoot():
		return errors.New("--firmware starts a ROM, or a kernel in real mode, without a root file system: leave out the image, --rootfs and --name, or --firmware")
	case f.init && len(args) > 0:
		return fmt.Errorf("--boot runs the root's /sbin/init: leave out %q, or --boot", args[0])
	case !f.hasRoot() && len(args) > 0:
		return fmt.Errorf("no root file system to run %q in: leave out --initrd and --firmware", args[0])
	case !f.hasRoot() && f.init:
		return errors.New("--boot needs a root file system: name an image, or give --rootfs TARBALL or --rootfs DIR")
	case !f.hasRoot() && f.modules != "":
		return errors.New("--modules needs a root file system: name an image, or give --rootfs TARBALL or --rootfs DIR")
	case f.rootfs != "" && f.initrd != "":
		return errors.New("--rootfs and --initrd exclude each other: an initrd brings its own root")
	case f.timeout < 0:
		return fmt.Errorf("--timeout %s: want a time such as 90s or 5m", f.timeout)
	}
	return f.gdb.check(f.detach)
}

// choose finds out what the guest's root is to be, and gives what is to run in
// it. justArgs tells that args do not begin with an image.
func (f *runFlags) choose(args []string, justArgs bool) []string {
	switch {
	case f.from != nil:
		f.from.args = args
		return nil
	case f.rootfs != "" || f.initrd != "" || f.firmware != "":
	case len(args) > 0 && !justArgs:
		return f.image.take(args)
	case f.machine != nil && !f.machine.IsNew:
	case len(args) > 0 || f.machine != nil || launch.IsAlpineKernel(f.kernel):
		f.image.name = launch.DefaultImage
	}
	return args
}
