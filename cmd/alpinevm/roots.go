package main

import (
	"errors"
	"fmt"
	"os"

	"alpinevm"
	"alpinevm/fs9p"
)

// roots opens the file systems of the guest.
func (f *runFlags) roots(cfg *alpinevm.Config, open *closers) error {
	var err error
	if f.rootfs != "" {
		if cfg.Root, err = openTree(f.rootfs, true, open); err != nil {
			return err
		}
	}
	if f.modules != "" {
		if cfg.Modules, err = openTree(f.modules, false, open); err != nil {
			return err
		}
	}
	for _, s := range f.volumes {
		v, err := parseVolume(s)
		if err != nil {
			return err
		}
		_ = v
		return errors.New("volumes: hostfs")
	}
	return nil
}

// openTree opens a tarball or a folder. With change set the guest may change
// it, in memory.
func openTree(name string, change bool, open *closers) (fs9p.FS, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: hostfs", name)
	}
	return loadTar(name)
}
