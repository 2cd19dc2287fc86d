package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/oci/store"
)

// takeMachine locks the machine that --name names. What flags do not say is as
// when it was made.
func (f *runFlags) takeMachine(ctx context.Context) error {
	m, err := openMachine(ctx, f.name)
	if err != nil {
		return err
	}
	f.machine = m
	if m.isNew {
		return nil
	}
	if f.kernel == "" && f.modules == "" {
		f.kernel, f.modules = m.Kernel, m.Modules
	}
	if f.busybox == "" {
		f.busybox = m.Busybox
	}
	return nil
}

// leaveMachine lets others use the machine. One that has not come to run is as
// if it had never been made.
func (f *runFlags) leaveMachine() {
	m := f.machine
	defer m.Close()
	if _, err := os.Stat(m.dir); !m.isNew || err != nil || m.remove() != nil {
		return
	}
	if s, _, err := openStore("", true); err == nil {
		s.Unpin(context.Background(), m.dir) // if this fails, the next rmi does it
	}
}

// machineImage gives the image of the machine, which is another one than name
// stands for if name is a tag that has moved. name is empty if the user named
// none.
func (f *runFlags) machineImage(ctx context.Context, s *store.Store, name string, file bool, p store.Policy) (*store.Image, error) {
	if f.machine.isNew {
		return f.newMachine(ctx, s, name, file, p)
	}
	m := f.machine
	if err := f.sameImage(ctx, s, name, file); err != nil {
		return nil, err
	}
	img, err := s.Pinned(ctx, m.dir)
	if errors.Is(err, store.ErrMissing) {
		img, err = m.findImage(ctx, s, p)
		if err == nil {
			err = s.Pin(ctx, img, m.dir)
		}
	}
	if err == nil && img.ID.String() != m.ID {
		err = fmt.Errorf("its image is %s, and should be %s", img.ID, m.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.name, err)
	}
	return img, nil
}

// sameImage refuses an image that is not the machine's.
func (f *runFlags) sameImage(ctx context.Context, s *store.Store, name string, file bool) error {
	m := f.machine
	other := func(format string, args ...any) error {
		return fmt.Errorf("machine %s is made from %s, not "+format, append([]any{m.name, m.Image}, args...)...)
	}
	switch {
	case name == "":
		return nil
	case !file && m.File == nil && m.named(name):
		return nil
	case !file:
		return other("%s; to run a command in it: alpinevm run --name %s -- %s", name, m.name, name)
	case m.File == nil:
		return other("--rootfs %s", name)
	}
	now, err := stamp(name)
	if err != nil {
		return fmt.Errorf("--rootfs %w", named(name, err))
	}
	if now.Path == m.File.Path && now.Size == m.File.Size && now.Modified.Equal(m.File.Modified) {
		return nil
	}
	img, _, err := loadImage(ctx, s, name)
	if err != nil {
		return err
	}
	if img.ID.String() != m.ID {
		if now.Path == m.File.Path {
			return fmt.Errorf("machine %s is made from what %s was before it changed; leave out --rootfs to go on with that, or choose another --name", m.name, name)
		}
		return other("--rootfs %s", name)
	}
	return nil
}

// named tells whether a name is that of the image that the machine was made
// from, or its ID or digest.
func (m *machine) named(name string) bool {
	r, err := store.ParseReference(name)
	own, ownErr := store.ParseReference(m.Image)
	if err == nil && ownErr == nil && (r.Full() == own.Full() || r.Digest() != "" && r.Digest() == m.Digest && r.Repository() == own.Repository()) {
		return true
	}
	id := strings.TrimPrefix(name, "sha256:")
	return len(id) >= 12 && strings.HasPrefix(strings.TrimPrefix(m.ID, "sha256:"), id)
}

// findImage gets an image that the cache has lost.
func (m *machine) findImage(ctx context.Context, s *store.Store, p store.Policy) (*store.Image, error) {
	if m.File != nil {
		img, _, err := loadImage(ctx, s, m.File.Path)
		return img, err
	}
	r, err := store.ParseReference(m.Image)
	if err != nil {
		return nil, err
	}
	return s.Image(ctx, r.Repository()+"@"+m.Digest, p)
}

// newMachine makes the machine of an image.
func (f *runFlags) newMachine(ctx context.Context, s *store.Store, name string, file bool, p store.Policy) (img *store.Image, err error) {
	m := f.machine
	m.record = record{Tree: treeForm(), Kernel: absolute(f.kernel), Modules: absolute(f.modules), Busybox: absolute(f.busybox)}
	if file {
		if m.File, err = stamp(name); err != nil {
			return nil, fmt.Errorf("--rootfs %w", named(name, err))
		}
		m.Image = m.File.Path
		img, m.File.Plain, err = loadImage(ctx, s, name)
	} else if img, err = s.Image(ctx, name, p); err == nil {
		m.Image = img.String()
	}
	if err != nil {
		return nil, err
	}
	m.Digest, m.ID = img.Source.String(), img.ID.String()
	if err := m.clear(); err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.name, err)
	}
	return img, s.Pin(ctx, img, m.dir)
}

// loadImage makes an image of a file: one that it holds, or a plain root file
// system.
func loadImage(ctx context.Context, s *store.Store, name string) (img *store.Image, plain bool, err error) {
	is, err := store.IsImage(name)
	switch info, statErr := os.Stat(name); {
	case err != nil:
		return nil, false, fmt.Errorf("--rootfs %w", named(name, err))
	case is:
		img, err = s.Load(ctx, name)
	case statErr == nil && info.IsDir():
		err = fmt.Errorf("--rootfs %s: a folder can change while a machine of the name is kept; make a tarball of it", name)
	default:
		img, err = s.Import(ctx, name)
		plain = true
	}
	return img, plain, err
}

// stamp gives what tells whether a file, or the layout in a folder, has changed.
func stamp(name string) (*fileStamp, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		if index, e := os.Stat(filepath.Join(path, "index.json")); e == nil {
			info = index
		}
	}
	if err != nil {
		return nil, err
	}
	return &fileStamp{Path: path, Size: info.Size(), Modified: info.ModTime().UTC()}, nil
}

// absolute makes the name of a file independent of the folder that we are in.
func absolute(name string) string {
	if _, err := os.Stat(name); err == nil {
		if path, err := filepath.Abs(name); err == nil {
			return path
		}
	}
	return name
}

// upper opens the file system of what the guest changes.
func (f *runFlags) upper(open *closers) (fs9p.FS, error) {
	if f.machine == nil {
		return memfs.New(memfs.Config{}), nil
	}
	upper, err := f.machine.openUpper()
	if err != nil {
		return nil, err
	}
	*open = append(*open, reported{f.machine.name, upper})
	return upper, nil
}

// reported tells the user what went wrong at the end.
type reported struct {
	machine string
	upper   interface{ Close() error }
}

// Close is part of io.Closer.
func (r reported) Close() error {
	err := r.upper.Close()
	if err != nil {
		say(os.Stderr, "machine %s: %s", r.machine, err)
	}
	return err
}
