package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/internal/archive"
	"alpinevm/internal/website"
	"alpinevm/launch"
	"alpinevm/web"
)

// siteFlags are the flags of a machine that a browser runs: those of run that make
// sense there.
type siteFlags struct {
	run   runFlags
	cold  bool
	way   *website.Network // out of the machine; nil: none
	write snapshotWriter
}

func (f *siteFlags) add(c *cobra.Command) {
	r, fl := &f.run, c.Flags()
	fl.SetInterspersed(false)
	fl.StringVar(&r.kernel, "kernel", "", "boot `KERNEL`, as run has it")
	fl.StringVar(&r.modules, "modules", "", "folder or tarball `DIR` with the kernel's modules")
	fl.StringVar(&r.rootfs, "rootfs", "", "root file system `ROOT`, as run has it")
	fl.StringVar(&r.busybox, "busybox", "", "static i386 busybox `FILE`, for roots other than Alpine's")
	fl.StringVarP(&r.memory, "memory", "m", "256M", "memory of the guest: `SIZE` from 64M to 2G")
	fl.StringArrayVarP(&r.env, "env", "e", nil, "set an environment variable: `NAME=VALUE`, or NAME to pass the host's on")
	fl.StringVarP(&r.dir, "workdir", "w", "", "working `DIR` of the command")
	fl.StringVarP(&r.user, "user", "u", "", "run as `NAME|UID[:GROUP|GID]`")
	fl.StringVar(&r.hostname, "hostname", defaultHostname, "`NAME` of the guest")
	fl.StringVar(&r.appendLine, "append", "", "add `TEXT` to the kernel's command line")
	fl.BoolVarP(&r.quiet, "quiet", "q", false, "print nothing of our own but errors")
	fl.BoolVar(&f.cold, "cold", false, "have the page boot the machine, in place of going on from a snapshot of it at its prompt")
	r.image.add(fl)
	r.alpine.add(fl)
	completeFlags(c)
}

// maxTabMemory is the most that a tab can give a guest, in bytes.
const maxTabMemory = 2 << 30

// make makes the files of the machine that the flags and the arguments name.
func (f *siteFlags) make(ctx context.Context, to website.Dir, args []string, justArgs bool) error {
	r := &f.run
	args = r.choose(args, justArgs)
	if err := r.check(args); err != nil {
		return err
	}
	if err := r.image.fetch.check(r.quiet); err != nil {
		return err
	}
	memory, err := parseMemory(r.memory)
	if err != nil {
		return err
	}
	if memory > maxTabMemory {
		return tooMuchMemory(r.memory)
	}
	spec, err := r.spec(args)
	if err != nil {
		return err
	}
	spec.Warm = false
	cfg, closeAll, err := spec.Open(ctx)
	if err != nil {
		return r.explain(err)
	}
	defer closeAll()
	return f.describe(ctx, cfg, to)
}

// describe makes the files of a machine.
func (f *siteFlags) describe(ctx context.Context, cfg *alpinevm.Config, to website.Dir) error {
	if err := to.Make(); err != nil {
		return err
	}
	m, err := website.Describe(ctx, cfg, launch.KernelCache(), to, func(ctx context.Context, w io.Writer, tree fs9p.FS) error {
		return (&archive.Tree{FS: tree}).Pack(ctx, w, "", nil)
	})
	if err != nil {
		return err
	}
	m.Network = f.way
	if !f.cold {
		if err := prepare(ctx, to, m, f.write, note(os.Stderr, f.run.quiet)); err != nil {
			return err
		}
	}
	return to.Describe(m)
}

// page puts the page's files into a folder.
func page(to website.Dir) error {
	files, err := web.Files()
	if err != nil {
		return err
	}
	list, err := fs.ReadDir(files, ".")
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Name() == "README" { // of our sources
			continue
		}
		if err := copyFile(to.Name(e.Name()), files, e.Name()); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to string, from fs.FS, name string) error {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
