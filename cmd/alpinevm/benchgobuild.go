package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"alpinevm/bench"
)

// goBuildFlags are the flags of bench go-build.
type goBuildFlags struct {
	benchFlags
	toolchain string
	program   string
	work      string
}

func newBenchGoBuild() *cobra.Command {
	f := &goBuildFlags{}
	peers := []string{bench.Native}
	c := &cobra.Command{
		Use:   "go-build",
		Short: "Build a Go program in the guest: with an empty cache, after a change, and with nothing changed",
		Example: `  alpinevm bench go-build
  alpinevm bench go-build --kernel vmlinuz --modules lib/modules --rootfs alpine-minirootfs.tar.gz
  alpinevm bench go-build --program generics --work root --vs native -o new.txt`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.runs == 0 {
				f.runs = 1 // one takes long enough
			}
			return f.measure(c, peers, f.build)
		},
	}
	f.add(c, "1G", true, peers...)
	fl := c.Flags()
	fl.StringVar(&f.toolchain, "toolchain", "host", "Go toolchain for linux/386: host (cross-built from the host's Go and cached) or a `GOROOT`")
	fl.StringVar(&f.program, "program", "hello", fmt.Sprintf("what to build: one of %v, or a `FOLDER`", bench.Programs()))
	fl.StringVar(&f.work, "work", "tmpfs", "where the guest builds: tmpfs, root (its root file system) or a `FOLDER` of the host")
	return c
}

func (f *goBuildFlags) build(t *task) (*bench.Result, error) {
	var chain *bench.Toolchain
	var err error
	if f.toolchain == "host" {
		dir, e := os.UserCacheDir()
		if e != nil {
			return nil, e
		}
		chain, err = bench.HostToolchain(t.ctx, filepath.Join(dir, "alpinevm", "toolchain"), t.report)
	} else {
		chain, err = bench.FolderToolchain(f.toolchain)
	}
	if err != nil {
		return nil, err
	}
	t.host.Go = chain.Version
	b := bench.GoBuild{
		Machine: t.onRoot, Toolchain: chain, Program: f.program, Work: f.work, Vs: f.vs, Runs: f.runs, Report: t.report,
	}
	return b.Run(t.ctx)
}
