package launch

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

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/hostfs"
	"alpinevm/fs9p/memfs"
	"alpinevm/internal/tarball"
	"alpinevm/kernel"
)

// Volume is a file or folder of the host that the guest has at Guest, an
// absolute name. Limit, where not 0, is how many bytes a folder's files may take.
type Volume struct {
	Host, Guest string
	ReadOnly    bool
	Limit       int64
}

// files reads the files that are given to the machine as bytes.
func (o *opening) files(context.Context) error {
	image := o.Kernel
	if IsAlpineKernel(image) {
		image = "" // boots finds it
	}
	var busybox []byte
	for _, x := range []struct {
		field, name string
		data        *[]byte
	}{
		{"Kernel", image, &o.cfg.Boot.Kernel}, {"Firmware", o.Firmware, &o.cfg.Boot.Firmware},
		{"Initrd", o.Initrd, &o.cfg.Boot.Initrd}, {"Busybox", o.Busybox, &busybox},
	} {
		if x.name == "" {
			continue
		}
		var err error
		if *x.data, err = readFile(x.field, x.name); err != nil {
			return err
		}
	}
	if o.cfg.Session != nil && busybox != nil {
		o.cfg.Session.Busybox = busybox
	}
	for _, m := range o.ModuleFiles {
		name, _, _ := strings.Cut(m, " ")
		data, err := readFile("ModuleFiles", name)
		if err != nil {
			return err
		}
		o.cfg.Boot.ModuleFiles = append(slices.Clip(o.cfg.Boot.ModuleFiles), kernel.Module{Data: data, Cmdline: m})
	}
	return nil
}

// readFile reads a file that must hold something.
func readFile(field, name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err == nil && len(data) == 0 {
		err = errors.New("the file is empty")
	}
	if err != nil {
		return nil, fault(field, name, err)
	}
	return data, nil
}

// tree opens a folder of the host or reads a tarball into memory.
func (o *opening) tree(field, name string) (fs9p.FS, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fault(field, name, err)
	}
	if !info.IsDir() {
		return loadTar(field, name)
	}
	h, err := hostfs.New(name)
	if err != nil {
		return nil, fault(field, name, err)
	}
	o.keep(h)
	return h, nil
}

// loadTar makes a file system of a tarball.
func loadTar(field, name string) (fs9p.FS, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fault(field, name, err)
	}
	defer file.Close()
	m := memfs.New(memfs.Config{})
	if err := m.LoadTar(file); err != nil {
		return nil, &Error{field, name, fmt.Errorf("%w; want a folder or a tarball, plain or compressed by %s", err, tarball.Forms)}
	}
	return m, nil
}

// volumes opens what is shared, in the order in which it is to be mounted: a
// folder before what is mounted inside it.
func (o *opening) volumes(context.Context) error {
	list := slices.Clip(o.cfg.Volumes)
	for _, v := range o.Volumes {
		if slices.ContainsFunc(list, func(have alpinevm.Volume) bool { return have.Target == v.Guest }) {
			return fault("Volumes", v.Host+":"+v.Guest, fmt.Errorf("%s is taken by another volume", v.Guest))
		}
		volume, err := o.volume(v)
		if err != nil {
			return fault("Volumes", v.Host, err)
		}
		list = append(list, volume)
	}
	slices.SortStableFunc(list, func(a, b alpinevm.Volume) int {
		return cmp.Compare(strings.Count(a.Target, "/"), strings.Count(b.Target, "/"))
	})
	o.cfg.Volumes = list
	return o.holdVolumes()
}

func (o *opening) volume(v Volume) (alpinevm.Volume, error) {
	volume := alpinevm.Volume{Target: v.Guest, ReadOnly: v.ReadOnly}
	info, err := os.Stat(v.Host)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return volume, errors.New("no such file or folder on the host; make it first")
	case err != nil:
		return volume, err
	case info.IsDir():
		h, err := hostfs.New(v.Host)
		if err != nil {
			return volume, err
		}
		o.keep(h)
		volume.FS = h
		if v.Limit > 0 {
			return volume, h.SetLimit(v.Limit)
		}
	case info.Mode().IsRegular():
		name, err := filepath.EvalSymlinks(v.Host)
		if err != nil {
			return volume, err
		}
		h, err := hostfs.NewFile(name)
		if err != nil {
			return volume, err
		}
		o.keep(h)
		volume.FS, volume.File = h, filepath.Base(name)
	default:
		return volume, errors.New("want a folder or a regular file")
	}
	return volume, nil
}
