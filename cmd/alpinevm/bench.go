package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"alpinevm"
	"alpinevm/bench"
)

func newBench() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure work that a guest does",
	}
	c.AddCommand(newBenchGoBuild())
	return c
}

// benchFlags are the flags of bench go-build besides those that name the guest.
type benchFlags struct {
	run       runFlags
	toolchain string
	program   string
	work      string
	vs        []string
	runs      int
	out       string
}

func newBenchGoBuild() *cobra.Command {
	f := &benchFlags{}
	c := &cobra.Command{
		Use:   "go-build",
		Short: "Build a Go program in the guest: with an empty cache, after a change, and with nothing changed",
		Example: `  alpinevm bench go-build --kernel vmlinuz --modules lib/modules --rootfs alpine-minirootfs.tar.gz
  alpinevm bench go-build --program generics --work root --vs native -o new.txt ...`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.goBuild(c) },
	}
	fl := c.Flags()
	fl.StringVar(&f.run.kernel, "kernel", "", "kernel `FILE`")
	fl.StringVar(&f.run.modules, "modules", "", "`DIR` or tarball with the kernel's modules")
	fl.StringVar(&f.run.rootfs, "rootfs", "", "root file system: a tarball or a folder")
	fl.StringVarP(&f.run.memory, "memory", "m", "1G", "guest memory, up to 3G")
	fl.StringVar(&f.run.appendLine, "append", "", "add to the kernel's command line")
	fl.StringVar(&f.toolchain, "toolchain", "host", "Go toolchain for linux/386: host (cross-built from the host's Go and cached) or a `GOROOT`")
	fl.StringVar(&f.program, "program", "hello", fmt.Sprintf("what to build: one of %v, or a `FOLDER`", bench.Programs()))
	fl.StringVar(&f.work, "work", "tmpfs", "where the guest builds: tmpfs, root (its root file system) or a `FOLDER` of the host")
	fl.StringSliceVar(&f.vs, "vs", nil, "measure peers beside it: native (the host's processor)")
	fl.IntVar(&f.runs, "runs", 1, "how often to measure; the table shows medians")
	fl.StringVarP(&f.out, "output", "o", "", "append every measurement to `FILE` in the Go benchmark format")
	return c
}

func (f *benchFlags) goBuild(c *cobra.Command) error {
	for _, v := range f.vs {
		if !slices.Contains([]string{"native"}, v) {
			return fmt.Errorf("--vs %q: want native", v)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	report := func(s string) { fmt.Fprintln(os.Stderr, s) }
	var t *bench.Toolchain
	var err error
	if f.toolchain == "host" {
		dir, e := os.UserCacheDir()
		if e != nil {
			return e
		}
		t, err = bench.HostToolchain(ctx, filepath.Join(dir, "alpinevm", "toolchain"), report)
	} else {
		t, err = bench.FolderToolchain(f.toolchain)
	}
	if err != nil {
		return err
	}
	b := bench.GoBuild{
		Machine: func() (alpinevm.Config, func(), error) {
			f.run.network.kind = networkNone
			cfg, closeAll, err := f.run.config(ctx, nil)
			if err != nil {
				return alpinevm.Config{}, nil, err
			}
			return *cfg, closeAll, nil
		},
		Toolchain: t, Program: f.program, Work: f.work, Runs: f.runs, Native: slices.Contains(f.vs, "native"), Report: report,
	}
	r, err := b.Run(ctx)
	fmt.Printf("%s, %s, %d host cores, %s of guest memory, work on %s\n", t.Version, runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), f.run.memory, f.work)
	if e := r.Table(os.Stdout); err == nil {
		err = e
	}
	if f.out != "" {
		if e := appendResult(f.out, r); err == nil {
			err = e
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; the table shows what was measured")
	}
	return err
}

// appendResult adds r to a file of the Go benchmark format.
func appendResult(name string, r *bench.Result) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = r.Format(file)
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}
