package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/oci"
	"alpinevm/fs9p/oci/store"
	"alpinevm/kernel"
	"alpinevm/kernel/apk"
)

// Alpine's packages with what a guest needs, and where in them it is.
const (
	kernelPackage  = "linux-virt"
	kernelPattern  = "boot/vmlinuz*"
	busyboxPackage = "busybox-static"
	busyboxFile    = "bin/busybox.static"
	latestStable   = "latest-stable"
)

// alpineFlags say where Alpine's packages come from.
type alpineFlags struct {
	mirror string
	keys   []string
}

func (a *alpineFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&a.mirror, "mirror", apk.DefaultMirror, "fetch Alpine's kernel from the mirror at this `URL`")
	fl.StringArrayVar(&a.keys, "mirror-key", nil, "trust the public key in this `FILE` to sign the mirror's index, besides Alpine's")
}

// packages opens the cache of Alpine's packages. finish ends the display of
// progress.
func (a *alpineFlags) packages(quiet bool) (c *apk.Cache, finish func(), err error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, nil, fmt.Errorf("no folder for Alpine's packages: %w", err)
	}
	cfg := apk.Config{Dir: filepath.Join(dir, "alpinevm", "apk"), Mirror: strings.TrimRight(a.mirror, "/"), Keys: apk.AlpineKeys()}
	for _, name := range a.keys {
		data, err := readFile("mirror-key", name)
		if err == nil {
			err = cfg.Keys.Add(filepath.Base(name), data)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	progress, finish := newProgress(os.Stderr, quiet, "Alpine's packages:")
	if progress != nil {
		cfg.Progress = func(what string, size int64) (func(int64), func(error)) {
			step := progress.Begin("download", what, size)
			return step.Add, step.End
		}
	}
	return apk.New(cfg), finish, nil
}

// kernelSource is where a kernel comes from that is no plain file.
type kernelSource struct {
	file             string // a package on the host
	release, version string // of Alpine and of its package; empty: the root's, and the latest
}

var (
	alpineRelease = regexp.MustCompile(`^v?(3\.\d+)(\.\d+)?$|^v(\d+\.\d+)(\.\d+)?$`)
	kernelVersion = regexp.MustCompile(`^\d+\.\d+[0-9a-z._]*(-r\d+)?$`)
)

// parseKernel reads the value of --kernel: nothing, an Alpine release, a version
// of its kernel, the file of a package. It gives nil for other files.
func parseKernel(s string) *kernelSource {
	if s == "" {
		return &kernelSource{}
	}
	if _, err := os.Stat(s); err == nil || !errors.Is(err, fs.ErrNotExist) {
		if is, err := apk.IsPackage(s); err != nil || !is {
			return nil // reading it as a kernel tells what is wrong
		}
		return &kernelSource{file: s}
	}
	if m := alpineRelease.FindStringSubmatch(s); m != nil {
		return &kernelSource{release: "v" + m[1] + m[3]}
	}
	switch {
	case s == latestStable || s == "edge":
		return &kernelSource{release: s}
	case kernelVersion.MatchString(s):
		return &kernelSource{version: s}
	}
	return nil
}

// maxRelease bounds /etc/alpine-release, in bytes.
const maxRelease = 4096

// releaseOf is the release of Alpine that root is one of, with repositories of
// its own; else that whose packages serve any root.
func releaseOf(root fs.FS) string {
	data, err := fs9p.ReadFile(root, "etc/alpine-release", maxRelease)
	if err != nil {
		return latestStable
	}
	text := strings.TrimSpace(string(data))
	if m := alpineRelease.FindStringSubmatch(text); m != nil {
		return "v" + m[1] + m[3]
	}
	return "edge" // such as 3.24.0_alpha20260127
}

// fetch brings into the cache what boots root where nothing is named, as boots
// will ask for it.
func (a *alpineFlags) fetch(ctx context.Context, root fs.FS, quiet bool) error {
	packages, finish, err := a.packages(quiet)
	if err != nil {
		return err
	}
	defer finish()
	release := releaseOf(root)
	if _, err := kernelOf(ctx, packages, release, "", apk.Always); err != nil {
		return fmt.Errorf("no kernel: %w", err)
	}
	if _, err := kernel.RootTools(root); err != nil {
		_, err := packages.Package(ctx, release, busyboxPackage, "", apk.Always)
		return err
	}
	return nil
}

// boots adds what boots the guest and did not come from files: Alpine's kernel
// with its modules, and a busybox for a root that has none.
func (f *runFlags) boots(ctx context.Context, cfg *alpinevm.Config, open *closers) error {
	needKernel, needBusybox := cfg.Boot.Kernel == nil && cfg.Boot.Firmware == nil, false
	release := latestStable
	if cfg.Session != nil {
		root := fs9p.IOFS(cfg.Session.Root)
		release = releaseOf(root)
		_, err := kernel.RootTools(root)
		needBusybox = err != nil && cfg.Session.Busybox == nil
	}
	if !needKernel && !needBusybox {
		return nil
	}
	policy := apk.Missing
	if f.image.pull != "" {
		p, err := store.ParsePolicy(f.image.pull)
		if err != nil {
			return err
		}
		policy = apk.Policy(p)
	}
	packages, finish, err := f.alpine.packages(f.quiet)
	if err != nil {
		return err
	}
	defer finish()
	if needKernel {
		p, err := f.kernelFrom(ctx, packages, release, policy)
		if err != nil {
			return fmt.Errorf("no kernel: %w", err)
		}
		if err := addKernel(cfg, p, open); err != nil {
			return fmt.Errorf("no kernel: %s: %w", p.FileName(), err)
		}
	}
	if needBusybox {
		cfg.Session.Busybox, err = busyboxFrom(ctx, packages, release, policy)
		if err != nil {
			return fmt.Errorf("the root has no busybox to start the guest with, and there is no other: %w, or give one with --busybox", err)
		}
	}
	return nil
}

// kernelFrom gives the package that --kernel asks for. Where the root's release
// of Alpine has none, the latest one's serves.
func (f *runFlags) kernelFrom(ctx context.Context, packages *apk.Cache, release string, policy apk.Policy) (*apk.Package, error) {
	src := parseKernel(f.kernel)
	switch {
	case src.file != "":
		return packages.Open(src.file)
	case src.release != "":
		return packages.Package(ctx, src.release, kernelPackage, "", policy)
	}
	return kernelOf(ctx, packages, release, src.version, policy)
}

// kernelOf gives a version of a release's kernel, the latest one if version is
// empty.
func kernelOf(ctx context.Context, packages *apk.Cache, release, version string, policy apk.Policy) (*apk.Package, error) {
	p, err := packages.Package(ctx, release, kernelPackage, version, policy)
	if errors.Is(err, apk.ErrNotFound) && version == "" && release != latestStable {
		return packages.Package(ctx, latestStable, kernelPackage, "", policy)
	}
	return p, err
}

// maxProgram bounds a kernel or a busybox of a package, in bytes.
const maxProgram = 128 << 20

// addKernel has cfg boot the kernel in a package, with its modules.
func addKernel(cfg *alpinevm.Config, p *apk.Package, open *closers) error {
	tree, err := openPackage(p, open)
	if err != nil {
		return err
	}
	files := fs9p.IOFS(tree)
	names, err := fs.Glob(files, kernelPattern)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return fmt.Errorf("it holds %d files %s, not one", len(names), kernelPattern)
	}
	if cfg.Boot.Kernel, err = fs9p.ReadFile(files, names[0], maxProgram); err != nil {
		return err
	}
	if cfg.Boot.Modules == nil {
		cfg.Boot.Modules = tree
	}
	return nil
}

// busyboxFrom gives Alpine's static busybox.
func busyboxFrom(ctx context.Context, packages *apk.Cache, release string, policy apk.Policy) ([]byte, error) {
	p, err := packages.Package(ctx, release, busyboxPackage, "", policy)
	if err != nil {
		return nil, err
	}
	var open closers
	defer open.close()
	tree, err := openPackage(p, &open)
	if err != nil {
		return nil, err
	}
	return fs9p.ReadFile(fs9p.IOFS(tree), busyboxFile, maxProgram)
}

// openPackage serves a package's files in place. Package oci's index of them is
// kept beside the data.
func openPackage(p *apk.Package, open *closers) (fs9p.FS, error) {
	data, err := os.Open(p.Data)
	if err != nil {
		return nil, err
	}
	*open = append(*open, data)
	info, err := data.Stat()
	if err != nil {
		return nil, err
	}
	layers := []oci.Layer{{Name: p.FileName(), Data: data, Size: info.Size()}}
	cache := kernel.DirCache(filepath.Dir(p.Data))
	index := p.Checksum.String() + ".tree-" + hex.EncodeToString([]byte(oci.Version))
	if b, ok := cache.Load(index); ok {
		if tree, err := oci.Open(bytes.NewReader(b), int64(len(b)), layers); err == nil {
			return tree, nil
		}
	}
	var b bytes.Buffer
	if err := oci.Build(&b, layers, oci.Limits{}); err != nil {
		return nil, err
	}
	cache.Store(index, b.Bytes())
	return oci.Open(bytes.NewReader(b.Bytes()), int64(b.Len()), layers)
}
