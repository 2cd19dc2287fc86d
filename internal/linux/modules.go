package linux

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/kernel"
)

// Modules are a kernel's modules.
type Modules struct {
	*kernel.Modules
	FS   fs9p.FS   // what the guest sees: the tree, and the indexes that it lacks
	made *memfs.FS // these indexes; nil: it has them
}

// ModulesState is what a guest sees of its kernel's modules that is not in their
// tree: one, or nothing.
type ModulesState struct{ Made []memfs.State }

// Save gives the state, which shares memory with the modules.
func (m *Modules) Save() ModulesState {
	if m.made == nil {
		return ModulesState{}
	}
	return ModulesState{[]memfs.State{m.made.Save()}}
}

// BootedModules are the modules of a guest that has booted already.
type BootedModules struct {
	Seen ModulesState
	// Of the kernel, and of its folder in the tree, for a guest that has yet to mount
	// them; else nothing.
	Release, Dir string
}

// Booted gives what Restore makes them of.
func (m *Modules) Booted() BootedModules { return BootedModules{m.Save(), m.Release, m.Dir} }

// Restore gives modules with which no other guest can boot: nothing of the tree is read.
func (b BootedModules) Restore(tree fs9p.FS, now func() time.Time) (*Modules, error) {
	m := &Modules{Modules: &kernel.Modules{Release: b.Release, Dir: b.Dir}, FS: tree}
	if len(b.Seen.Made) == 0 {
		return m, nil
	}
	var err error
	if m.made, err = memfs.Restore(memfs.Config{Now: now}, b.Seen.Made[0]); err != nil {
		return nil, err
	}
	m.made.Settle()
	m.FS, err = overlay.New(overlay.Config{Upper: m.made, Lower: tree})
	return m, err
}

// OpenModules looks for the modules of a release in a tree: a folder that holds
// lib/modules/RELEASE, RELEASE or the contents of RELEASE. Indexes that have to
// be made are kept in the cache, and are made now.
func OpenModules(tree fs9p.FS, release string, cache kernel.Cache, now func() time.Time) (*Modules, error) {
	mods, err := openTree(tree, release)
	if err != nil {
		return nil, err
	}
	index, err := mods.Index(cache)
	if err != nil {
		return nil, err
	}
	if len(index) == 0 {
		return &Modules{mods, tree, nil}, nil
	}
	made := memfs.New(memfs.Config{Now: now})
	if tree, err = withFiles(made, tree, mods.Dir, index); err != nil {
		return nil, err
	}
	return &Modules{mods, tree, made}, nil
}

// openTree reads a folder of the host as the host's own programs do, where it can:
// that has thousands of files, and a tenth of the calls. A link in it that is
// absolute is followed from the folder's top, which the host cannot do.
func openTree(tree fs9p.FS, release string) (*kernel.Modules, error) {
	if host, ok := tree.(interface{ IOFS() fs.FS }); ok {
		if mods, err := kernel.OpenModules(host.IOFS(), release); err == nil {
			return mods, nil
		}
	}
	return kernel.OpenModules(fs9p.IOFS(tree), release)
}

// generationDriver draws new random numbers where the guest is a copy. Kernels
// before 5.18 have none.
const generationDriver = "vmgenid"

// addDrivers adds those that mount the root to the initial root file system.
func (s *Session) addDrivers(ram *kernel.Initramfs) error {
	if s.Modules == nil {
		return nil
	}
	drivers := []string{"virtio_pci", "9pnet_virtio", "9p"}
	if s.Modules.Has(generationDriver) {
		drivers = append(drivers, generationDriver)
	}
	if s.TTY {
		drivers = append(drivers, "virtio_console")
	}
	if s.Network != nil {
		drivers = append(drivers, "virtio_net")
		if s.Modules.Has("ipv6") { // the kernel may do without
			drivers = append(drivers, "ipv6")
		}
	}
	var err error
	if ram.Modules, err = s.Modules.Load(drivers...); err != nil {
		return &FieldError{"Modules", err}
	}
	ram.Release = s.Modules.Release
	return nil
}

// mount has all of them at /lib/modules.
func (m *Modules) mount() kernel.Mount {
	options := kernel.Options9P(DataMsize, CacheOwned) + ",ro"
	if m.Dir != "." {
		options += ",aname=/" + m.Dir
	}
	return kernel.Mount{Type: "9p", Source: ModulesTag, Target: "/lib/modules/" + m.Release, Options: options}
}

// withFiles is tree with files besides in its folder dir, which are put into upper;
// tree itself stays as it is.
func withFiles(upper *memfs.FS, tree fs9p.FS, dir string, files map[string][]byte) (fs9p.FS, error) {
	union, err := overlay.New(overlay.Config{Upper: upper, Lower: tree})
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := fs9p.WriteFile(union, path.Join(dir, name), files[name], 0o644); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return union, nil
}
