package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"alpinevm"
	"alpinevm/fs9p/hostfs"
	"alpinevm/kernel"
)

// Places where the guest works.
const (
	WorkTmpfs = "tmpfs" // the guest's memory
	WorkRoot  = "root"  // its root file system
)

// tmpfsOptions lets the guest fill its memory.
const tmpfsOptions = "size=90%"

// workDir is where the guest works, guestFile where it finds its program.
const (
	workDir   = "/bench"
	guestFile = "/run/guest"
)

// shares are volumes of a guest that have to be closed.
type shares []io.Closer

func (s *shares) close() {
	for _, h := range *s {
		h.Close()
	}
}

// folder shares a folder of the host.
func (s *shares) folder(cfg *alpinevm.Config, dir, target string, readOnly bool) error {
	h, err := hostfs.New(dir)
	if err != nil {
		return err
	}
	*s = append(*s, h)
	cfg.Volumes = append(cfg.Volumes, alpinevm.Volume{FS: h, Target: target, ReadOnly: readOnly})
	return nil
}

// file shares one file of the host to be read.
func (s *shares) file(cfg *alpinevm.Config, name, target string) error {
	h, err := hostfs.NewFile(name)
	if err != nil {
		return err
	}
	*s = append(*s, h)
	cfg.Volumes = append(cfg.Volumes, alpinevm.Volume{FS: h, Target: target, ReadOnly: true, File: filepath.Base(name)})
	return nil
}

// work prepares workDir: a shell command that does, or a volume.
func (s *shares) work(cfg *alpinevm.Config, where string) (prepare string, err error) {
	prepare = "mkdir -p " + workDir + "\n"
	switch where {
	case WorkTmpfs:
		return prepare + "mount -t tmpfs -o " + tmpfsOptions + " tmpfs " + workDir + "\n", nil
	case WorkRoot:
		return prepare, nil
	}
	if err := checkWork(where); err != nil {
		return prepare, err
	}
	return prepare, s.folder(cfg, where, workDir, false)
}

// checkWork refuses a place to work that is not there.
func checkWork(where string) error {
	if where == WorkTmpfs || where == WorkRoot {
		return nil
	}
	if info, err := os.Stat(where); err != nil || !info.IsDir() {
		return fmt.Errorf("--work %s: no such folder on the host; make it first, or give %s or %s", where, WorkTmpfs, WorkRoot)
	}
	return nil
}

// Files measures a file system of the guest: small files, a large one, and
// changes of folders.
type Files struct {
	// Machine makes the configuration of the guest: kernel and root.
	Machine func() (alpinevm.Config, func(), error)
	Program string // the guest's program: its file
	Work    string // WorkTmpfs, WorkRoot or a folder of the host
	Vs      []string
	Runs    int
	Report  func(string)

	part int // one part-th of the work is done; 0: all
}

// Check refuses what Run refuses, before anybody builds a program for it.
func (b *Files) Check() error {
	if b.Work == WorkRoot && slices.Contains(b.Vs, QEMU) {
		return fmt.Errorf("--work %s: QEMU has no such root; give %s or a FOLDER of the host", WorkRoot, WorkTmpfs)
	}
	return checkWork(b.Work)
}

// Run measures. What was measured before an error or the end of ctx is in the
// Result all the same.
func (b *Files) Run(ctx context.Context) (*Result, error) {
	place, err := filepath.Abs(b.Work) // "." has a name too
	r := &Result{Workload: "Files/" + filepath.Base(place)}
	if err = errors.Join(err, b.Check()); err != nil {
		return r, err
	}
	if slices.Contains(b.Vs, Native) && os.Getuid() != 0 {
		r.Notes = append(r.Notes, "native reads from the host's cache, which only root may empty")
	}
	if slices.Contains(b.Vs, QEMU) {
		r.Notes = append(r.Notes, "guests boot from one initial root file system", qemuNote(ctx))
	}
	return r, inTurn(b.Runs, b.Vs, b.Report, func(where string) error { return b.run(ctx, where, r) })
}

// run measures in one place. What it leaves in a folder of the host, however it
// ends, is removed.
func (b *Files) run(ctx context.Context, where string, r *Result) error {
	work, parent := b.Work, b.Work
	if work == WorkRoot || work == WorkTmpfs {
		parent = ""
	}
	if parent != "" || where == Native {
		var err error
		if work, err = os.MkdirTemp(parent, "alpinevm-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(work)
	}
	part := strconv.Itoa(max(b.part, 1))
	switch {
	case where == Native:
		return runNative(ctx, exec.CommandContext(ctx, b.Program, "fs", "-part", part, work), r, b.Report)
	case slices.Contains(b.Vs, QEMU):
		return b.bare(work, part).run(ctx, where, r, b.Report)
	}
	return session(ctx, where, b.Machine, b.Program, work, []string{"fs", "-part", part, workDir}, r, b.Report)
}

// bare is the work in a machine without a root.
func (b *Files) bare(work, part string) *bare {
	m := &bare{machine: b.Machine, program: b.Program, cat: true}
	mount := kernel.Mount{Type: "tmpfs", Source: "tmpfs", Options: tmpfsOptions}
	if work != WorkTmpfs {
		m.folder, m.drivers = work, []string{"virtio_pci", "9pnet_virtio", "9p"}
		mount = alpinevm.VolumeMount(0, alpinevm.Volume{})
	}
	m.args = []string{"mount", mount.Type, mount.Source, workDir, mount.Options, "fs", "-part", part, workDir}
	return m
}

// session runs the guest's program with its arguments in a session.
func session(ctx context.Context, where string, machine func() (alpinevm.Config, func(), error), program, work string, args []string, r *Result, report func(string)) error {
	cfg, closeAll, err := machine()
	if err != nil {
		return err
	}
	defer closeAll()
	var s shares
	defer s.close()
	prepare, err := s.work(&cfg, work)
	if err = errors.Join(err, s.file(&cfg, program, guestFile)); err != nil {
		return err
	}
	cfg.Session.Args = []string{"/bin/sh", "-c", fmt.Sprintf("set -e\n%sexec %s %s", prepare, guestFile, strings.Join(args, " "))}
	return runSession(ctx, where, cfg, r, report)
}
