package bench

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"alpinevm"
	"alpinevm/kernel"
)

// bareTools are the programs of busybox that buildScript calls.
func bareTools() []string {
	return []string{"cat", "chmod", "cp", "grep", "head", "ifconfig", "ls", "mkdir", "mount", "rm", "sh"}
}

// Places in the guest.
const (
	guestRoot   = "/usr/local/go" // the toolchain
	programDir  = "/run/program"  // what is built
	guestScript = "/script"
)

// script is what a guest runs after prepare has made the folder to work in.
func (g *GoBuild) script(prepare string) string {
	head := fmt.Sprintf("set -e\n%s%s\n%s", stepScript, strings.Join(g.environment(workDir, programDir), " "), prepare)
	if g.Toolchain == nil {
		return head + g.Install + buildScript
	}
	return head + fmt.Sprintf("export GOROOT=%s PATH=%s/bin:$PATH\n", guestRoot, guestRoot) + buildScript
}

// bare runs the script in a guest or under QEMU, from an initial root file
// system that holds all it needs.
func (g *GoBuild) bare(ctx context.Context, where, src string, r *Result) error {
	cfg, closeAll, err := g.Machine()
	if err != nil {
		return err
	}
	defer closeAll()
	bare, err := g.bareConfig(cfg, src)
	if err != nil {
		return err
	}
	if where == QEMU {
		return runQEMU(ctx, bare, r, g.Report, io.Discard)
	}
	return runBare(ctx, where, bare, r, g.Report)
}

// bareConfig makes a machine without a session of one with a root.
func (g *GoBuild) bareConfig(cfg alpinevm.Config, src string) (alpinevm.Config, error) {
	ram, err := g.initrd(cfg, src)
	return bareConfig(cfg, ram, []string{"exec", "/bin/sh", guestScript}), err
}

// initrd is an initial root file system with busybox, the toolchain, the
// standard library and the program.
func (g *GoBuild) initrd(cfg alpinevm.Config, src string) ([]byte, error) {
	c, err := beginInitrd(g.Guest)
	if err != nil {
		return nil, err
	}
	c.CharDevice("/dev/null", 0o666, 1, 3)
	if err := addTools(c, cfg, bareTools()...); err != nil {
		return nil, err
	}
	c.File(guestScript, 0o644, []byte("export PATH=/bin\n"+g.script("ifconfig lo 127.0.0.1\nmkdir -p $W\nmount -t tmpfs -o size=90% tmpfs $W\n")))
	for _, tree := range []struct {
		dir, at string
		skip    []string
	}{
		{g.Toolchain.Dir, guestRoot, []string{"src", "pkg/tool/linux_386/cgo"}},
		{g.Toolchain.Src, guestRoot + "/src", []string{"cmd"}},
		{src, programDir, nil},
	} {
		if err := addTree(c, tree.dir, tree.at, tree.skip, tree.dir != src); err != nil {
			return nil, err
		}
	}
	return c.Bytes()
}

// addTree adds a folder of the host. A standard library needs no tests.
func addTree(c *kernel.CPIO, dir, at string, skip []string, std bool) error {
	fsys := os.DirFS(dir)
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (slices.Contains(skip, name) || std && d.Name() == "testdata"):
			return fs.SkipDir
		case slices.Contains(skip, name) || std && strings.HasSuffix(name, "_test.go"):
			return nil
		case d.IsDir():
			c.Dir(path.Join(at, name))
			return nil
		}
		info, err := os.Stat(filepath.Join(dir, name)) // what a link leads to
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		c.File(path.Join(at, name), uint32(info.Mode().Perm()), data)
		return err
	})
}
