package launch

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/hostfs"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/oci/store"
	"alpinevm/fs9p/overlay"
	"alpinevm/internal/website"
)

// Origin is what a snapshot tells of what its machine was made from. Nothing of
// the host that is named in it is opened without being asked for, but images and
// kernels.
type Origin struct {
	// Image is an image's ID, and Source where it came from: a repository with a
	// digest, or "" for one that came from a file. Rootfs was a file or folder.
	Image, Source, Rootfs    string
	Called                   string // what people call the image
	Kernel, Modules, Busybox string
	Memory                   int64
	Hostname, User, Dir      string
	Args, Env                []string
	Init, Terminal, Network  bool
	Volumes                  []OriginVolume
}

// OriginVolume is a folder or file that was shared.
type OriginVolume struct {
	Guest          string
	ReadOnly, File bool
}

// Names of what a snapshot keeps.
const (
	keptOrigin  = "origin"
	keptFiles   = "root"         // a root in memory
	keptUpper   = "root.upper"   // what was changed in one that is not
	keptOverlay = "root.overlay" // and of which files that have no name
	keptDisk    = "root.disk"    // what was changed, where that is kept on the disk
	keptLower   = "root.lower"   // the folder below
	keptModules = "modules"      // the folder of the kernel's
	keptVolume  = "volume"       // and its number
)

// ReadOrigin gives what a snapshot tells of its origin.
func ReadOrigin(s *alpinevm.Snapshot) (*Origin, error) {
	if website.Keeps(s) {
		return pageOrigin(s)
	}
	o := &Origin{}
	return o, s.Decode(keptOrigin, o)
}

// hold has a snapshot of the machine hold something.
func (o *opening) hold(name string, save func() (any, error), settle func()) {
	o.cfg.Kept = append(o.cfg.Kept, alpinevm.Kept{Name: name, Save: save, Settle: settle})
}

// memory makes a file system in memory, which is that of a snapshot if there is one.
func (o *opening) memory(name string) (*memfs.FS, error) {
	m := memfs.New(memfs.Config{Limit: o.Storage})
	if o.From != nil {
		state, err := o.saved(name)
		if err == nil {
			m, err = memfs.Restore(memfs.Config{Limit: o.room(&state)}, state)
		}
		if err != nil {
			return nil, fmt.Errorf("the snapshot's files: %w", err)
		}
	}
	o.hold(name, func() (any, error) { return m.Save(), nil }, m.Settle)
	return m, nil
}

// union puts what is changed over lower.
func (o *opening) union(upper fs9p.Numbered, lower fs9p.FS) (*overlay.FS, error) {
	c := overlay.Config{Upper: upper, Lower: lower}
	if o.From != nil {
		c.State = &overlay.State{}
		if err := o.From.Decode(keptOverlay, c.State); err != nil {
			return nil, fmt.Errorf("the snapshot's files: %w", err)
		}
	}
	u, err := overlay.New(c)
	if err != nil {
		return nil, err
	}
	o.hold(keptOverlay, func() (any, error) { return *u.Save(), nil }, u.Settle)
	return u, nil
}

// shared is a file system of the host that a snapshot knows.
type shared interface {
	Save() hostfs.State
	Restore(hostfs.State) error
	Settle()
}

// holdShared has a snapshot know a file system of the host.
func (o *opening) holdShared(name string, tree fs9p.FS) error {
	s, ok := tree.(shared)
	if !ok {
		return nil
	}
	if o.From != nil {
		var state hostfs.State
		err := o.From.Decode(name, &state)
		if err == nil {
			err = s.Restore(state)
		}
		if err != nil {
			return fmt.Errorf("the snapshot's files: %w", err)
		}
	}
	o.hold(name, func() (any, error) { return s.Save(), nil }, s.Settle)
	return nil
}

// holdVolumes has a snapshot know what is shared.
func (o *opening) holdVolumes() error {
	for i, v := range o.cfg.Volumes {
		if err := o.holdShared(fmt.Sprint(keptVolume, i), v.FS); err != nil {
			return fmt.Errorf("%s: %w", v.Target, err)
		}
	}
	return nil
}

// begin takes from the snapshot what the Spec leaves open.
func (o *opening) begin(context.Context) error {
	if o.From == nil {
		return nil
	}
	was, err := ReadOrigin(o.From)
	if err != nil {
		return err
	}
	o.was = was
	spec := *o.Spec // which stays as it is
	if o.ofPage = website.Keeps(o.From); o.ofPage {
		was.Rootfs, was.Kernel = "", "" // which are no files
	}
	spec.Image, spec.Rootfs, spec.Kernel, spec.Modules, spec.Busybox = was.Image, was.Rootfs, was.Kernel, was.Modules, was.Busybox
	o.Spec = &spec
	o.cfg.Memory = was.Memory
	o.cfg.Session.Args, o.cfg.Session.Env, o.cfg.Session.User, o.cfg.Session.Dir, o.cfg.Session.Init = was.Args, was.Env, was.User, was.Dir, was.Init
	return sameVolumes(spec.Volumes, was.Volumes)
}

// sameVolumes wants all to be shared that was, and nothing more.
func sameVolumes(have []Volume, had []OriginVolume) error {
	for _, v := range had {
		if !slices.ContainsFunc(have, func(h Volume) bool { return h.Guest == v.Guest }) {
			return fmt.Errorf("the snapshot's machine has something shared at %s: share it again, with -v HOST:%s", v.Guest, v.Guest)
		}
	}
	for _, h := range have {
		if !slices.ContainsFunc(had, func(v OriginVolume) bool { return v.Guest == h.Guest && v.ReadOnly == h.ReadOnly }) {
			return fmt.Errorf("-v %s:%s: the snapshot's machine has nothing shared there, or not so", h.Host, h.Guest)
		}
	}
	return nil
}

// origin has a snapshot tell what the machine was made from.
func (o *opening) origin(context.Context) error {
	if o.cfg.Session == nil {
		return nil
	}
	s := o.cfg.Session
	was := Origin{
		Image: o.img.ID, Source: o.img.Source, Called: o.img.Called, Rootfs: absoluteName(cmp.Or(o.img.File, o.Rootfs)), Kernel: absoluteName(o.Spec.Kernel), Modules: absoluteName(o.Spec.Modules),
		Busybox: absoluteName(o.Spec.Busybox), Memory: cmp.Or(o.cfg.Memory, alpinevm.DefaultMemory), Hostname: o.cfg.Hostname, User: s.User, Dir: s.Dir, Args: s.Args, Env: s.Env,
		Init: s.Init, Network: o.cfg.Network != nil,
	}
	if o.kernelVersion != "" {
		was.Kernel = o.kernelVersion
	}
	for _, v := range o.cfg.Volumes {
		was.Volumes = append(was.Volumes, OriginVolume{v.Target, v.ReadOnly, v.File != ""})
	}
	terminal := &o.cfg.Consoles
	o.hold(keptOrigin, func() (any, error) {
		was.Terminal = terminal.Terminal != nil
		return was, nil
	}, nil)
	return nil
}

// found is an image as an Origin names it.
type found struct{ ID, Source, Called, File string }

// again finds the image of a snapshot.
func (o *opening) again(ctx context.Context, s *store.Store, p store.Policy) (*store.Image, error) {
	img, err := s.Image(ctx, o.was.Image, store.Never)
	switch {
	case err == nil:
	case o.was.Source != "":
		img, err = s.Image(ctx, o.was.Source, p)
	case o.was.Rootfs != "":
		var is bool
		if is, err = store.IsImage(o.was.Rootfs); err == nil && is {
			img, err = s.Load(ctx, o.was.Rootfs)
		} else if err == nil {
			img, err = s.Import(ctx, o.was.Rootfs)
		}
		if err != nil {
			err = fmt.Errorf("the snapshot's image is not in the cache, and was made of %s: %w", o.was.Rootfs, err)
		}
	}
	if err == nil && img.ID.String() != o.was.Image {
		err = fmt.Errorf("it is another one than the snapshot's")
	}
	return img, err
}

// absoluteName makes the name of a file independent of the folder that we are in. A
// name that is none stands for something else, such as a release of Alpine.
func absoluteName(name string) string {
	if name == "" {
		return ""
	}
	if _, err := os.Stat(name); err != nil {
		return name
	}
	if path, err := filepath.Abs(name); err == nil {
		return path
	}
	return name
}
