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

	"alpinevm"
	"alpinevm/fs9p/hostfs"
)

// Places where the guest works.
const (
	WorkTmpfs = "tmpfs" // the guest's memory
	WorkRoot  = "root"  // its root file system
)

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
		return prepare + "mount -t tmpfs -o size=90% tmpfs " + workDir + "\n", nil
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
}

// Run measures. What was measured before an error or the end of ctx is in the
// Result all the same.
func (b *Files) Run(ctx context.Context) (*Result, error) {
	r := &Result{Workload: "Files/" + filepath.Base(b.Work)}
	err := inTurn(b.Runs, b.Vs, b.Report, func() error {
		return session(ctx, b.Machine, b.Program, b.Work, "fs "+workDir, r, b.Report)
	}, func() error {
		where := ""
		if b.Work != WorkRoot && b.Work != WorkTmpfs {
			where = b.Work
		}
		dir, err := os.MkdirTemp(where, "alpinevm-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		return runNative(ctx, exec.CommandContext(ctx, b.Program, "fs", dir), r, b.Report)
	})
	if slices.Contains(b.Vs, Native) && os.Getuid() != 0 {
		r.Notes = append(r.Notes, "native reads from the host's cache, which only root may empty")
	}
	return r, err
}

// inTurn runs the guest and then the host's processor, where it is a peer, as
// often as runs says.
func inTurn(runs int, vs []string, report func(string), guest, native func() error) error {
	for i := range max(runs, 1) {
		announce(report, i, runs)
		if err := guest(); err != nil {
			return err
		}
		if slices.Contains(vs, Native) {
			if err := native(); err != nil {
				return err
			}
		}
	}
	return nil
}

// session runs the guest's program with its arguments in a session.
func session(ctx context.Context, machine func() (alpinevm.Config, func(), error), program, work, args string, r *Result, report func(string)) error {
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
	cfg.Args = []string{"/bin/sh", "-c", fmt.Sprintf("set -e\n%sexec %s %s", prepare, guestFile, args)}
	return runSession(ctx, cfg, r, report)
}
