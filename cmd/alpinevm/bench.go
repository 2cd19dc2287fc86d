package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"alpinevm"
	"alpinevm/bench"
	"alpinevm/fs9p/oci/store"
	"alpinevm/kernel"
	"alpinevm/launch"
)

const benchLong = `Measure work that a guest does, and beside it what peers take for the same.

A table with medians is printed at the end, or, after Ctrl-C, of what was
measured until then. -o FILE adds every measurement to a file in the Go
benchmark format, which benchstat reads: benchstat -col /where FILE.

Peers (--vs):
  native   the host's own processor and kernel run the same 32-bit program
  qemu     qemu-system-i386 without KVM boots the same kernel, initial root file
           system and command line with the same memory and devices
  interpreter, translator, translator-strict
           the same machine, with that engine

--engine says which engine the machine itself has.

Since it starts programs beside the guest, it is not confined as alpinevm run is.`

func newBench() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure work that a guest does, beside peers",
		Long:  benchLong,
		Example: `  alpinevm bench cpu --vs native,qemu
  alpinevm bench go-build -o new.txt`,
	}
	c.AddCommand(newBenchBoot(), newBenchCPU(), newBenchFS(), newBenchGoBuild(), newBenchNet())
	return group(c)
}

// benchFlags are the flags that every benchmark has.
type benchFlags struct {
	run   runFlags
	guest string // the guest's program, where it was built before
	vs    []string
	runs  int
	out   string
	// profile is the file for the profile of the host's time, "" none.
	profile string
}

// exitInterrupted is the exit code after Ctrl-C, as shells have it.
const exitInterrupted = 130

// add adds the flags. root says that the guest has a root file system.
func (f *benchFlags) add(c *cobra.Command, memory string, root bool, peers ...string) {
	fl := c.Flags()
	fl.StringVar(&f.run.kernel, "kernel", "", "boot `KERNEL`, as in alpinevm run (default the root's release's of Alpine)")
	if root {
		fl.StringVar(&f.run.modules, "modules", "", "folder or tarball `DIR` with the kernel's modules")
		fl.StringVar(&f.run.rootfs, "rootfs", "", "root file system `ROOT`, as in alpinevm run (default the image "+launch.DefaultImage+")")
		fl.StringVar(&f.run.image.pull, "pull", string(store.Missing), "fetch image and kernel: always, missing or never (`WHEN`)")
	}
	fl.StringVarP(&f.run.memory, "memory", "m", memory, "memory of the guest: `SIZE` from 64M to 3G")
	addEngine(c, &f.run.engine)
	fl.StringVar(&f.run.appendLine, "append", "", "add `TEXT` to the kernel's command line")
	fl.StringVarP(&f.out, "output", "o", "", "add every measurement to `FILE` in the Go benchmark format")
	fl.StringVar(&f.profile, "host-profile", "", "write where the host's processor time of alpinevm goes to `FILE`, for go tool pprof, and show its parts")
	fl.IntVar(&f.runs, "runs", 0, "measure this `NUMBER` of times, the places in turn; the table shows medians (default 1, with --vs 3)")
	f.run.alpine.add(fl)
	peers = append(peers, bench.Engines()...)
	fl.StringSliceVar(&f.vs, "vs", nil, "measure `PEERS` beside it: "+strings.Join(peers, ", "))
	values := map[string][]string{"memory": {"256M", "512M", "1G", "2G", "3G"}, "vs": peers, "append": nil, "runs": nil, "mirror": nil, "pull": {"always", "missing", "never"}}
	for flag, v := range values {
		if c.Flags().Lookup(flag) != nil {
			complete(c, flag, v...)
		}
	}
}

// addProgram adds the flag for a program that was built elsewhere.
func (f *benchFlags) addProgram(c *cobra.Command) {
	c.Flags().StringVar(&f.guest, "guest-program", "", "use this build of bench/guest for linux/386 in place of one made by the host's Go: `FILE`")
}

// task is a benchmark that is about to run.
type task struct {
	*benchFlags
	ctx    context.Context
	report func(string)
	host   bench.Host
}

// measure checks the flags, runs a benchmark and shows what it has measured.
func (f *benchFlags) measure(c *cobra.Command, peers []string, work func(*task) (*bench.Result, error)) error {
	if err := bench.CheckPeers(f.vs, peers...); err != nil {
		return err
	}
	if f.runs < 0 {
		return fmt.Errorf("--runs %d: want 1 or more", f.runs)
	}
	if f.runs == 0 {
		f.runs = 1
		if len(f.vs) > 0 {
			f.runs = 3
		}
	}
	engine, err := bench.Engine(f.run.engine)
	if err != nil {
		return fmt.Errorf("--engine %w", err)
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	t := &task{benchFlags: f, ctx: ctx, host: bench.DescribeHost(), report: func(s string) { fmt.Fprintln(os.Stderr, s) }}
	t.host.Memory, t.host.Engine = f.run.memory, engine
	var r *bench.Result
	err = f.profiled(c.OutOrStdout(), func(w io.Writer) error {
		var err error
		if r, err = work(t); err != nil {
			err = f.run.explain(err)
		}
		if r != nil && len(r.Steps) > 0 {
			err = errors.Join(err, t.show(w, r))
		}
		return err
	})
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "alpinevm: interrupted; the table shows what was measured until then")
		return exitCode(exitInterrupted)
	}
	return err
}

// profiled does the work, and takes a profile of it where one is wanted.
func (f *benchFlags) profiled(w io.Writer, work func(io.Writer) error) error {
	if f.profile == "" {
		return work(w)
	}
	file, err := os.Create(f.profile)
	if err != nil {
		return fmt.Errorf("--host-profile %s: %w", f.profile, cause(err))
	}
	p, err := bench.StartHostProfile()
	if err != nil {
		return errors.Join(fmt.Errorf("--host-profile %s: %w", f.profile, err), file.Close())
	}
	err = work(w)
	table, e := p.Stop(file)
	if e = errors.Join(e, file.Close()); e != nil {
		return errors.Join(err, fmt.Errorf("--host-profile %s: %w", f.profile, cause(e)))
	}
	fmt.Fprint(w, table)
	return err
}

// show writes the table, and the measurements where -o wants them.
func (t *task) show(w io.Writer, r *bench.Result) error {
	fmt.Fprintln(w, t.host)
	err := r.Table(w)
	if t.out == "" {
		return err
	}
	file, e := os.OpenFile(t.out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if e != nil {
		return errors.Join(err, e)
	}
	_, e = io.WriteString(file, t.host.Format())
	return errors.Join(err, e, r.Format(file), file.Close())
}

// machine makes the configuration of a guest.
func (t *task) machine() (alpinevm.Config, func(), error) {
	if t.run.network.kind == "" {
		t.run.network.kind = networkNone
	}
	cfg, closeFiles, err := t.run.config(t.ctx, nil)
	if err != nil {
		return alpinevm.Config{}, nil, err
	}
	if image, err := kernel.Parse(cfg.Boot.Kernel); err == nil {
		t.host.Kernel = image.Release
	}
	return *cfg, func() { complain(closeFiles()) }, nil
}

// onRoot is machine with a root file system: the one that was named or Alpine's.
// What an image says about its program is not for the benchmark's.
func (t *task) onRoot() (alpinevm.Config, func(), error) {
	if t.run.rootfs == "" {
		t.run.image.name = launch.DefaultImage
	}
	cfg, closeAll, err := t.machine()
	if s := cfg.Session; s != nil {
		s.Args, s.Env, s.User, s.Dir = nil, nil, "", ""
	}
	return cfg, closeAll, err
}

// bare is machine with a kernel alone.
func (t *task) bare() (alpinevm.Config, func(), error) {
	t.run.rootfs, t.run.modules = "", ""
	return t.machine()
}

// guestProgram is the file of the program that runs in the guest.
func (t *task) guestProgram() (string, error) {
	if t.guest != "" {
		if _, err := os.Stat(t.guest); err != nil {
			var p *fs.PathError
			if errors.As(err, &p) {
				err = p.Err // without the name, which it would have twice
			}
			return "", fmt.Errorf("--guest-program %s: %w", t.guest, err)
		}
		return filepath.Abs(t.guest)
	}
	dir, err := launch.CacheDir("bench")
	if err != nil {
		return "", err
	}
	return bench.Program(t.ctx, dir, t.report)
}

// complete tells shells what may follow a flag that takes no file.
func complete(c *cobra.Command, flag string, values ...string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic("BUG: --" + flag + ": " + err.Error())
	}
}

// completeOrFile tells shells what may follow a flag besides a file.
func completeOrFile(c *cobra.Command, flag string, values ...string) {
	if err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveDefault)); err != nil {
		panic("BUG: --" + flag + ": " + err.Error())
	}
}

// shortest is the least time that a workload is measured for.
const shortest = time.Millisecond
