package alpinevm

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/overlay"
	"alpinevm/kernel"
)

// openModules adds the device of the kernel's modules.
func (s *session) openModules() error {
	cfg := &s.m.cfg.Boot
	if cfg.Modules == nil {
		return nil
	}
	mods, err := kernel.OpenModules(fs9p.IOFS(cfg.Modules), s.m.image.Kernel.Release)
	if err != nil {
		return &ConfigError{"Modules", err}
	}
	index, err := mods.Index(cfg.Cache)
	if err != nil {
		return &ConfigError{"Modules", err}
	}
	tree, err := withFiles(cfg.Modules, mods.Dir, index, s.m.board.Date)
	if err != nil {
		return &ConfigError{"Modules", err}
	}
	s.modules = mods
	return s.m.serve(tagModules, fs9p.Config{FS: tree, Msize: dataMsize, ReadOnly: true})
}

// addModules adds those that mount the root to the initial root file system, and
// has all of them mounted at /lib/modules.
func (s *session) addModules(ram *kernel.Initramfs) error {
	if s.modules == nil {
		return nil
	}
	drivers := []string{"virtio_pci", "9pnet_virtio", "9p"}
	if s.m.cfg.Consoles.Terminal != nil {
		drivers = append(drivers, "virtio_console")
	}
	if s.m.cfg.Network != nil {
		drivers = append(drivers, "virtio_net")
	}
	var err error
	if ram.Modules, err = s.modules.Load(drivers...); err != nil {
		return &ConfigError{"Modules", err}
	}
	ram.Release = s.modules.Release
	options := kernel.Options9P(dataMsize, cacheOwned) + ",ro"
	if s.modules.Dir != "." {
		options += ",aname=/" + s.modules.Dir
	}
	ram.Mounts = append(ram.Mounts, kernel.Mount{Type: "9p", Source: tagModules, Target: "/lib/modules/" + ram.Release, Options: options})
	return nil
}

// withFiles is tree with files besides in its folder dir, made now; tree itself
// stays as it is.
func withFiles(tree fs9p.FS, dir string, files map[string][]byte, now func() time.Time) (fs9p.FS, error) {
	if len(files) == 0 {
		return tree, nil
	}
	union, err := overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{Now: now}), Lower: tree})
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
