package launch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"alpinevm/fs9p"
	"alpinevm/fs9p/oci"
	"alpinevm/fs9p/statefs"
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

// Mirror is where Alpine's packages come from.
type Mirror struct {
	URL string // empty: apk.DefaultMirror
	// Keys are files of public keys that may sign the mirror's index besides
	// Alpine's.
	Keys []string
	// PrivateRedirects lets the mirror send us to addresses that are not public.
	PrivateRedirects bool
}

// ReadKeys gives what is in the Keys, by the names of their files.
func (m Mirror) ReadKeys() (map[string][]byte, error) {
	keys := map[string][]byte{}
	for _, name := range m.Keys {
		data, err := readFile("Mirror", name)
		if err != nil {
			return nil, err
		}
		keys[filepath.Base(name)] = data
	}
	return keys, nil
}

// packages opens the cache of Alpine's packages. finish ends the display of
// progress.
func (m Mirror) packages(show Progress) (c *apk.Cache, finish func(), err error) {
	dir, err := CacheDir("apk")
	if err != nil {
		return nil, nil, fmt.Errorf("no folder for Alpine's packages: %w", err)
	}
	cfg := apk.Config{
		Dir: dir, Mirror: strings.TrimRight(cmp.Or(m.URL, apk.DefaultMirror), "/"), Keys: apk.AlpineKeys(),
		PrivateRedirects: m.PrivateRedirects, Free: statefs.FreeSpace,
	}
	keys, err := m.ReadKeys()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if err := cfg.Keys.Add(name, keys[name]); err != nil {
			return nil, nil, err
		}
	}
	progress, finish := show.begin("Alpine's packages:")
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
	alpineRelease = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v?(3\.\d+)(\.\d+)?$|^v(\d+\.\d+)(\.\d+)?$`) })
	kernelVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d+\.\d+[0-9a-z._]*(-r\d+)?$`) })
)

// parseKernel reads a Spec's Kernel: nothing, an Alpine release, a version
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
	if m := alpineRelease().FindStringSubmatch(s); m != nil {
		return &kernelSource{release: "v" + m[1] + m[3]}
	}
	switch {
	case s == latestStable || s == "edge":
		return &kernelSource{release: s}
	case kernelVersion().MatchString(s):
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
	if m := alpineRelease().FindStringSubmatch(text); m != nil {
		return "v" + m[1] + m[3]
	}
	return "edge" // such as 3.24.0_alpha20260127
}

// IsAlpineKernel tells whether a Spec's Kernel stands for a package of Alpine's:
// nothing, a release (3.20, edge), a version of its kernel, or the file of a
// package.
func IsAlpineKernel(s string) bool { return parseKernel(s) != nil }

// Fetch brings into the cache what boots root where nothing is named, as Open
// will ask for it.
func (m Mirror) Fetch(ctx context.Context, root fs.FS, show Progress) error {
	packages, finish, err := m.packages(show)
	if err != nil {
		return err
	}
	defer finish()
	release := releaseOf(root)
	if _, err := kernelOf(ctx, packages, release, "", apk.Always); err != nil {
		return fmt.Errorf("no kernel: %w", err)
	}
	if _, err := kernel.RootTools(root); err != nil {
		if _, err := packages.Package(ctx, release, busyboxPackage, "", apk.Always); err != nil {
			return fmt.Errorf("no busybox: %w", err)
		}
	}
	return nil
}

// ErrNoBusybox is the error of a root without a busybox where no other could be
// had.
var ErrNoBusybox = errors.New("the root has no busybox to start the guest with, and there is no other")

// boots adds what boots the guest and did not come from files: Alpine's kernel
// with its modules, and a busybox for a root that has none.
func (o *opening) boots(ctx context.Context) error {
	if o.ofPage {
		return nil // its snapshot has them
	}
	boot, session := &o.cfg.Boot, o.cfg.Session
	needKernel, needBusybox := boot.Kernel == nil && boot.Firmware == nil, false
	release := latestStable
	if session != nil {
		root := fs9p.IOFS(session.Root)
		release = releaseOf(root)
		_, err := kernel.RootTools(root)
		needBusybox = err != nil && session.Busybox == nil
	}
	if !needKernel && !needBusybox {
		return nil
	}
	policy, err := o.policy()
	if err != nil {
		return err
	}
	packages, finish, err := o.Mirror.packages(o.Progress)
	if err != nil {
		return err
	}
	defer finish()
	if needKernel {
		p, err := kernelFrom(ctx, packages, parseKernel(o.Kernel), release, apk.Policy(policy))
		if err != nil {
			return fmt.Errorf("no kernel: %w", err)
		}
		if err := o.addKernel(p); err != nil {
			return fmt.Errorf("no kernel: %s: %w", p.FileName(), err)
		}
		o.kernelVersion = p.Version
	}
	if needBusybox {
		if session.Busybox, err = busyboxFrom(ctx, packages, release, apk.Policy(policy)); err != nil {
			return fmt.Errorf("%w: %w", ErrNoBusybox, err)
		}
	}
	return nil
}

// kernelFrom gives the package that src asks for. Where the root's release of
// Alpine has none, the latest one's serves.
func kernelFrom(ctx context.Context, packages *apk.Cache, src *kernelSource, release string, policy apk.Policy) (*apk.Package, error) {
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

// addKernel has the machine boot the kernel in a package, with its modules.
func (o *opening) addKernel(p *apk.Package) error {
	tree, data, err := openPackage(p)
	if err != nil {
		return err
	}
	o.keep(data)
	files := fs9p.IOFS(tree)
	names, err := fs.Glob(files, kernelPattern)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return fmt.Errorf("it holds %d files %s, not one", len(names), kernelPattern)
	}
	if o.cfg.Boot.Kernel, err = fs9p.ReadFile(files, names[0], maxProgram); err != nil {
		return err
	}
	if o.cfg.Boot.Modules == nil {
		o.cfg.Boot.Modules = tree
	}
	return nil
}

// busyboxFrom gives Alpine's static busybox.
func busyboxFrom(ctx context.Context, packages *apk.Cache, release string, policy apk.Policy) ([]byte, error) {
	p, err := packages.Package(ctx, release, busyboxPackage, "", policy)
	if err != nil {
		return nil, err
	}
	tree, data, err := openPackage(p)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	return fs9p.ReadFile(fs9p.IOFS(tree), busyboxFile, maxProgram)
}

// openPackage serves a package's files in place, until data is closed. Package
// oci's index of them is kept beside the data.
func openPackage(p *apk.Package) (tree fs9p.FS, data io.Closer, err error) {
	file, err := os.Open(p.Data)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	layers := []oci.Layer{{Name: p.FileName(), Data: file, Size: info.Size()}}
	cache := kernel.DirCache(filepath.Dir(p.Data))
	index := p.Checksum.String() + ".tree-" + hex.EncodeToString([]byte(oci.Version))
	if b, ok := cache.Load(index); ok {
		if tree, err := oci.Open(bytes.NewReader(b), int64(len(b)), layers); err == nil {
			return tree, file, nil
		}
	}
	var b bytes.Buffer
	if err := oci.Build(&b, layers, oci.Limits{}); err != nil {
		return nil, nil, err
	}
	cache.Store(index, b.Bytes())
	tree, err = oci.Open(bytes.NewReader(b.Bytes()), int64(b.Len()), layers)
	return tree, file, err
}
