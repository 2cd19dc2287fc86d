package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/hostfs"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/oci/store"
	"alpinevm/fs9p/overlay"
	"alpinevm/fs9p/tarball"
)

// roots opens the file systems of the guest.
func (f *runFlags) roots(ctx context.Context, cfg *alpinevm.Config, open *closers) error {
	if err := f.root(ctx, cfg, open); err != nil {
		return err
	}
	var err error
	if f.modules != "" {
		if cfg.Boot.Modules, err = openTree(f.modules, open); err != nil {
			return fmt.Errorf("--modules %w", err)
		}
	}
	cfg.Volumes, err = openVolumes(f.volumes, open)
	return err
}

// root opens the guest's root file system.
func (f *runFlags) root(ctx context.Context, cfg *alpinevm.Config, open *closers) error {
	switch {
	case f.image.name != "" || f.machine != nil && f.rootfs == "":
		return f.openImage(ctx, cfg, f.image.name, false, open)
	case f.rootfs == "":
		return nil
	case f.machine != nil:
		return f.openImage(ctx, cfg, f.rootfs, true, open)
	}
	image, err := store.IsImage(f.rootfs)
	if err != nil {
		return fmt.Errorf("--rootfs %w", named(f.rootfs, err))
	}
	if image {
		return f.openImage(ctx, cfg, f.rootfs, true, open)
	}
	if cfg.Session.Root, err = openRoot(f.rootfs, open); err != nil {
		return fmt.Errorf("--rootfs %w", err)
	}
	cfg.Session.Args = command(v1.Config{}, f.image.entrypoint, cfg.Session.Args)
	return nil
}

// openRoot opens a tarball or a folder that the guest may change, in memory.
func openRoot(name string, open *closers) (fs9p.FS, error) {
	tree, err := openTree(name, open)
	if err != nil {
		return nil, err
	}
	if _, inMemory := tree.(*memfs.FS); inMemory {
		return tree, nil
	}
	return overlay.New(overlay.Config{Upper: memfs.New(memfs.Config{}), Lower: tree})
}

// openTree opens a folder of the host or reads a tarball into memory. Errors
// begin with the name.
func openTree(name string, open *closers) (fs9p.FS, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, named(name, err)
	}
	if !info.IsDir() {
		return loadTar(name)
	}
	h, err := hostfs.New(name)
	if err != nil {
		return nil, named(name, err)
	}
	*open = append(*open, h)
	return h, nil
}

// loadTar makes a file system of a tarball.
func loadTar(name string) (fs9p.FS, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, named(name, err)
	}
	defer file.Close()
	m := memfs.New(memfs.Config{})
	if err := m.LoadTar(file); err != nil {
		return nil, fmt.Errorf("%s: %w; want a folder or a tarball, plain or compressed by %s", name, err, tarball.Forms)
	}
	return m, nil
}

// openVolumes opens what -v shares, in the order in which it is to be mounted:
// a folder before what is mounted inside it.
func openVolumes(flags []string, open *closers) ([]alpinevm.Volume, error) {
	var list []alpinevm.Volume
	for _, s := range flags {
		v, err := parseVolume(s)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(o alpinevm.Volume) bool { return o.Target == v.guest }) {
			return nil, fmt.Errorf("-v %s: %s is taken by another volume", s, v.guest)
		}
		volume, err := openVolume(v, open)
		if err != nil {
			return nil, fmt.Errorf("-v %w", err)
		}
		list = append(list, volume)
	}
	slices.SortStableFunc(list, func(a, b alpinevm.Volume) int {
		return cmp.Compare(strings.Count(a.Target, "/"), strings.Count(b.Target, "/"))
	})
	return list, nil
}

func openVolume(v volumeFlag, open *closers) (alpinevm.Volume, error) {
	volume := alpinevm.Volume{Target: v.guest, ReadOnly: v.readOnly}
	info, err := os.Stat(v.host)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return volume, fmt.Errorf("%s: no such file or folder on the host; make it first", v.host)
	case err != nil:
		return volume, named(v.host, err)
	case info.IsDir():
		h, err := hostfs.New(v.host)
		if err != nil {
			return volume, named(v.host, err)
		}
		*open = append(*open, h)
		volume.FS = h
	case info.Mode().IsRegular():
		name, err := filepath.EvalSymlinks(v.host)
		if err != nil {
			return volume, named(v.host, err)
		}
		h, err := hostfs.NewFile(name)
		if err != nil {
			return volume, named(v.host, err)
		}
		*open = append(*open, h)
		volume.FS, volume.File = h, filepath.Base(name)
	default:
		return volume, fmt.Errorf("%s: want a folder or a regular file", v.host)
	}
	return volume, nil
}

// named gives an error of the host the name that the user gave, in place of
// what the system call had.
func named(name string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}
