package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"alpinevm/bench"
	"alpinevm/kernel/apk"
	"alpinevm/launch"
)

const benchGoBuildLong = `Build a Go program in the guest:

  cold    with an empty cache, so that the standard library is built too
  warm    after one file has changed
  again   with nothing changed

A program that has tests is tested instead: generics, a module of generic types
and functions for two dozen instances. hello prints a line, server answers one
request by HTTP; they are run at last. With the translator expect some minutes,
with the interpreter up to an hour.

With --vs qemu guest and peer have the toolchain in their initial root file
system and work in memory. A step that fails is told with the guest's own words.`

// goBuildFlags are the flags of bench go-build.
type goBuildFlags struct {
	benchFlags
	toolchain string
	program   string
	work      string
}

func newBenchGoBuild() *cobra.Command {
	f := &goBuildFlags{}
	peers := []string{bench.Native, bench.QEMU}
	c := &cobra.Command{
		Use:   "go-build",
		Short: "Build a Go program in the guest: with an empty cache, after a change, and with nothing changed",
		Long:  benchGoBuildLong,
		Example: `  alpinevm bench go-build
  alpinevm bench go-build --kernel vmlinuz --modules lib/modules --rootfs alpine-minirootfs.tar.gz
  alpinevm bench go-build --program generics --work root --vs native -o new.txt`,
		Args: want(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			if f.runs == 0 {
				f.runs = 1 // one takes long enough
			}
			return f.measure(c, peers, f.build)
		},
	}
	f.add(c, "1G", true, peers...)
	f.addProgram(c)
	fl := c.Flags()
	fl.StringVar(&f.toolchain, "toolchain", "", "Go `TOOLCHAIN` for linux/386: apk (Alpine's, installed in the guest), host (cross-built from the host's Go and cached) or a GOROOT (default apk where Alpine's server can be reached and nothing is compared, else host)")
	fl.StringVar(&f.program, "program", "hello", fmt.Sprintf("what to build, or to test where it has tests: %s, or a `FOLDER`", strings.Join(bench.Programs(), ", ")))
	fl.BoolVar(&f.run.network.hostLoopback, "host-loopback", false, "let the guest reach the host's 127.0.0.1 as 10.0.2.2, for a mirror there")
	fl.BoolVar(&f.run.network.privateNetworks, "private-networks", false, "let the guest reach private networks, for a mirror there")
	fl.StringVar(&f.work, "work", "tmpfs", "where the guest builds: tmpfs, root (its root file system) or a `FOLDER` of the host")
	completeOrFile(c, "program", bench.Programs()...)
	completeOrFile(c, "toolchain", toolchainAPK, toolchainHost)
	completeOrFile(c, "work", bench.WorkTmpfs, bench.WorkRoot)
	return c
}

func (f *goBuildFlags) build(t *task) (*bench.Result, error) {
	b := bench.GoBuild{Machine: t.onRoot, Program: f.program, Work: f.work, Vs: f.vs, Runs: f.runs, Report: t.report}
	if err := b.Check(); err != nil {
		return nil, err
	}
	toolchain, others := f.toolchain, bench.Others(f.vs)
	if toolchain == "" {
		toolchain = toolchainHost
		if len(others) == 0 && f.alpineAnswers(t.ctx) {
			toolchain = toolchainAPK
		}
	}
	var err error
	switch toolchain {
	case toolchainAPK:
		if len(others) > 0 {
			return nil, fmt.Errorf("--vs %s: Alpine's toolchain is in the guest alone; give --toolchain host", strings.Join(others, ","))
		}
		b.Install, err = f.install()
		f.run.network.kind = networkUser
		t.host.Go = "Alpine's Go"
	case toolchainHost:
		b.Toolchain, err = t.hostToolchain()
	default:
		b.Toolchain, err = bench.FolderToolchain(toolchain)
	}
	if err != nil {
		return nil, err
	}
	if b.Toolchain != nil {
		t.host.Go = b.Toolchain.Version
	}
	if slices.Contains(f.vs, bench.QEMU) {
		if b.Guest, err = t.guestProgram(); err != nil {
			return nil, err
		}
	}
	return b.Run(t.ctx)
}

// Values of --toolchain.
const (
	toolchainAPK  = "apk"
	toolchainHost = "host"
)

// hostToolchain is the one that the host's Go makes. What is wrong with the
// guest is said before: the building takes minutes.
func (t *task) hostToolchain() (*bench.Toolchain, error) {
	_, closeAll, err := t.onRoot()
	if err != nil {
		return nil, err
	}
	closeAll()
	dir, err := launch.CacheDir("toolchain")
	if err != nil {
		return nil, err
	}
	return bench.HostToolchain(t.ctx, dir, t.report)
}

// alpineAnswers tells whether the server with Alpine's packages can be reached.
func (f *goBuildFlags) alpineAnswers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	return !checkServer(ctx, strings.TrimRight(f.run.alpine.url, "/")+"/", "").missing
}

// install is the script that installs Alpine's toolchain.
func (f *goBuildFlags) install() (string, error) {
	a := bench.APK{}
	if m := strings.TrimRight(f.run.alpine.url, "/"); m != apk.DefaultMirror {
		a.Mirror = m
	}
	var err error
	a.Keys, err = f.run.alpine.mirror().ReadKeys()
	return a.Install(), err
}
