package machines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"alpinevm/fs9p/oci/store"
	"alpinevm/launch"
)

// Image gives the image of the machine, which is another one than name stands
// for if name is a tag that has moved. name is empty if the user named none.
func (m *Machine) Image(ctx context.Context, s *store.Store, name string, file bool, p store.Policy) (launch.KeptImage, error) {
	choose := m.own
	if m.IsNew {
		choose = m.create
	}
	img, err := choose(ctx, s, name, file, p)
	return launch.KeptImage{Image: img, Called: m.From, Source: m.source(), File: m.file(), Plain: m.File != nil && m.File.Plain}, err
}

// source is where the image can be fetched again; "" for one that came from a file.
func (m *Machine) source() string {
	if r, err := store.ParseReference(m.From); err == nil && m.File == nil && m.Digest != "" {
		return r.Repository() + "@" + m.Digest
	}
	return ""
}

// file is the file that the image came from; "" for none.
func (m *Machine) file() string {
	if m.File == nil {
		return ""
	}
	return m.File.Path
}

// Adopt has the machine be made from the image of a snapshot.
func (m *Machine) Adopt(ctx context.Context, s *store.Store, img *store.Image, was *launch.Origin) error {
	if !m.IsNew {
		if img.ID.String() != m.ID {
			return fmt.Errorf("machine %s: it is made from another image than the snapshot's machine", m.Name())
		}
		return nil
	}
	m.Record = Record{
		From: cmp.Or(was.Called, was.Source, was.Image), Digest: img.Source.String(), ID: img.ID.String(), Tree: treeForm(),
		Kernel: was.Kernel, Modules: was.Modules, Busybox: was.Busybox,
	}
	if was.Rootfs != "" {
		m.File = &FileStamp{Path: was.Rootfs, Plain: true}
	}
	if err := m.clear(); err != nil {
		return fmt.Errorf("machine %s: %w", m.Name(), err)
	}
	return s.Pin(ctx, img, m.dir)
}

// own gives the image that the machine was made from.
func (m *Machine) own(ctx context.Context, s *store.Store, name string, file bool, p store.Policy) (*store.Image, error) {
	if err := m.same(ctx, s, name, file); err != nil {
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
		return nil, fmt.Errorf("machine %s: %w", m.Name(), err)
	}
	return img, nil
}

// same refuses an image that is not the machine's.
func (m *Machine) same(ctx context.Context, s *store.Store, name string, file bool) error {
	other := func(format string, args ...any) error {
		return fmt.Errorf("machine %s is made from %s, not "+format, append([]any{m.Name(), m.From}, args...)...)
	}
	switch {
	case name == "":
		return nil
	case !file && m.File == nil && m.named(name):
		return nil
	case !file:
		return other("%s; to run a command in it: alpinevm run --name %s -- %s", name, m.Name(), name)
	case m.File == nil:
		return other("--rootfs %s", name)
	}
	now, err := stamp(name)
	if err != nil {
		return fmt.Errorf("--rootfs %w", hostError(name, err))
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
			return fmt.Errorf("machine %s is made from what %s was before it changed; leave out --rootfs to go on with that, or choose another --name", m.Name(), name)
		}
		return other("--rootfs %s", name)
	}
	return nil
}

// named tells whether a name is that of the image that the machine was made
// from, or its ID or digest.
func (m *Machine) named(name string) bool {
	r, err := store.ParseReference(name)
	own, ownErr := store.ParseReference(m.From)
	if err == nil && ownErr == nil && (r.Full() == own.Full() || r.Digest() != "" && r.Digest() == m.Digest && r.Repository() == own.Repository()) {
		return true
	}
	id := strings.TrimPrefix(name, "sha256:")
	return len(id) >= 12 && strings.HasPrefix(strings.TrimPrefix(m.ID, "sha256:"), id)
}

// findImage gets an image that the cache has lost.
func (m *Machine) findImage(ctx context.Context, s *store.Store, p store.Policy) (*store.Image, error) {
	if m.File != nil {
		img, _, err := loadImage(ctx, s, m.File.Path)
		return img, err
	}
	r, err := store.ParseReference(m.From)
	if err != nil {
		return nil, err
	}
	return s.Image(ctx, r.Repository()+"@"+m.Digest, p)
}

// create makes the machine of an image.
func (m *Machine) create(ctx context.Context, s *store.Store, name string, file bool, p store.Policy) (img *store.Image, err error) {
	m.Record = Record{Tree: treeForm(), Kernel: absolute(m.Kernel), Modules: absolute(m.Modules), Busybox: absolute(m.Busybox)}
	if file {
		if m.File, err = stamp(name); err != nil {
			return nil, fmt.Errorf("--rootfs %w", hostError(name, err))
		}
		m.From = m.File.Path
		img, m.File.Plain, err = loadImage(ctx, s, name)
	} else if img, err = s.Image(ctx, name, p); err == nil {
		m.From = img.String()
	}
	if err != nil {
		return nil, err
	}
	m.Digest, m.ID = img.Source.String(), img.ID.String()
	if err := m.clear(); err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.Name(), err)
	}
	return img, s.Pin(ctx, img, m.dir)
}

// loadImage makes an image of a file: one that it holds, or a plain root file
// system.
func loadImage(ctx context.Context, s *store.Store, name string) (img *store.Image, plain bool, err error) {
	is, err := store.IsImage(name)
	switch info, statErr := os.Stat(name); {
	case err != nil:
		return nil, false, fmt.Errorf("--rootfs %w", hostError(name, err))
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
func stamp(name string) (*FileStamp, error) {
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
	return &FileStamp{Path: path, Size: info.Size(), Modified: info.ModTime().UTC()}, nil
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

// hostError gives an error of the host the name that the user gave, in place of
// what the system call had.
func hostError(name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// ImageOf gives the image that a kept machine was made from.
func ImageOf(ctx context.Context, s *store.Store, name string) (*store.Image, error) {
	top, err := folder()
	if err != nil {
		return nil, err
	}
	img, err := s.Pinned(ctx, filepath.Join(top, name))
	if err != nil {
		return nil, fmt.Errorf("machine %s: its image: %w", name, err)
	}
	return img, nil
}
