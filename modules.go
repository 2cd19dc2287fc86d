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

// modules adds the kernel's modules: those that mount the root to the initial
// root file system, all of them at /lib/modules.
func (s *session) modules(ram *kernel.Initramfs) error {
	cfg := &s.m.cfg
	if cfg.Boot.Modules == nil {
		return nil
	}
	mods, err := kernel.OpenModules(fs9p.IOFS(cfg.Boot.Modules), s.m.image.Kernel.Release)
	if err != nil {
		return &ConfigError{"Modules", err}
	}
	drivers := []string{"virtio_pci", "9pnet_virtio", "9p"}
	if cfg.Consoles.Terminal != nil {
		drivers = append(drivers, "virtio_console")
	}
	if cfg.Network != nil {
		drivers = append(drivers, "virtio_net")
	}
	if ram.Modules, err = mods.Load(drivers...); err != nil {
		return &ConfigError{"Modules", err}
	}
	ram.Release = mods.Release
	index, err := mods.Index(cfg.Boot.Cache)
	if err != nil {
		return &ConfigError{"Modules", err}
	}
	tree, err := withFiles(cfg.Boot.Modules, mods.Dir, index, s.m.board.Date)
	if err != nil {
		return &ConfigError{"Modules", err}
	}
	if err := s.m.serve(tagModules, fs9p.Config{FS: tree, Msize: dataMsize, ReadOnly: true}); err != nil {
		return err
	}
	options := kernel.Options9P(dataMsize, cacheOwned) + ",ro"
	if mods.Dir != "." {
		options += ",aname=/" + mods.Dir
	}
	ram.Mounts = append(ram.Mounts, kernel.Mount{Type: "9p", Source: tagModules, Target: "/lib/modules/" + mods.Release, Options: options})
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
