package launch

import (
	"cmp"
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/fs9p/oci/store"
	"alpinevm/fs9p/statefs"
	"alpinevm/internal/imageconfig"
)

// Upper is the file system of what a guest changes in its root.
type Upper interface {
	fs9p.Numbered
	io.Closer
	// Freeze gives what it holds, for a snapshot.
	Freeze() (*statefs.Frozen, error)
}

// root opens the guest's root file system. An image says by itself what is run
// in it, unless the session does.
func (o *opening) root(ctx context.Context) error {
	switch {
	case o.ofPage:
		return o.page(ctx)
	case o.Image != "" || o.Kept != nil && o.Rootfs == "":
		return o.image(ctx, o.Image, false)
	case o.Rootfs == "":
		return nil
	case o.Kept != nil:
		return o.image(ctx, o.Rootfs, true)
	}
	if o.From != nil && o.From.Has(keptFiles) {
		m, err := o.memory(keptFiles)
		if err != nil {
			return err
		}
		o.cfg.Session.Root = m
		return nil
	}
	is, err := store.IsImage(o.Rootfs)
	if err != nil {
		return fault("Rootfs", o.Rootfs, err)
	}
	if is {
		return o.image(ctx, o.Rootfs, true)
	}
	tree, err := o.tree("Rootfs", o.Rootfs)
	if err != nil {
		return err
	}
	if m, inMemory := tree.(*memfs.FS); inMemory {
		o.hold(keptFiles, func() (any, error) { return m.Save(), nil }, m.Settle)
	} else {
		if err := o.holdShared(keptLower, tree); err != nil {
			return err
		}
		upper, err := o.memory(keptUpper)
		if err != nil {
			return err
		}
		if tree, err = o.union(upper, tree); err != nil {
			return err
		}
	}
	o.cfg.Session.Root = tree
	imageconfig.Apply(o.cfg.Session, v1.Config{}, o.Entrypoint)
	return nil
}

// image makes the root of an image.
func (o *opening) image(ctx context.Context, name string, file bool) error {
	policy, err := o.policy()
	if err != nil {
		return err
	}
	progress, finish := o.Progress.begin("image " + name + ":")
	defer finish()
	s, err := Images(o.Fetching, progress)
	if err != nil {
		return err
	}
	img := KeptImage{Called: name}
	switch {
	case o.From != nil:
		img.Called, img.Source = o.was.Called, o.was.Source
		if img.Image, err = o.again(ctx, s, policy); err == nil && o.Kept != nil {
			err = o.Kept.Adopt(ctx, s, img.Image, o.was)
		}
	case o.Kept != nil:
		img, err = o.Kept.Image(ctx, s, name, file, policy)
	case file:
		img.Image, err = s.Load(ctx, name)
	default:
		img.Image, err = s.Image(ctx, name, policy)
	}
	if err != nil {
		return err
	}
	lower, err := s.Open(ctx, img.Image)
	if err != nil {
		return err
	}
	o.keep(lower)
	upper, err := o.upper(lower)
	if err != nil {
		return err
	}
	session := o.cfg.Session
	if session.Root, err = o.union(upper, lower); err != nil {
		return err
	}
	o.img = found{img.ID.String(), img.Source, img.Called, cmp.Or(o.Rootfs, img.File)}
	if repository := img.Name.Repository(); repository != "" && o.img.Source == "" {
		o.img.Source = repository + "@" + img.Image.Source.String()
	}
	if o.From != nil {
		return nil
	}
	if err := imageconfig.MakeVolumes(session.Root, img.Config); err != nil {
		return imageFault(img.Called, err)
	}
	imageconfig.Apply(session, img.Config, o.Entrypoint)
	if len(session.Args) == 0 && !session.Init && !session.Idle && !img.Plain {
		return imageFault(img.Called, errNoCommand)
	}
	return nil
}

// upper opens the file system of what the guest changes in lower.
func (o *opening) upper(lower fs9p.FS) (fs9p.Numbered, error) {
	if o.Kept == nil {
		return o.memory(keptUpper)
	}
	upper, err := o.upperOnDisk(lower)
	if err != nil {
		return nil, err
	}
	o.keep(upper)
	o.hold(keptDisk, func() (any, error) {
		z, err := upper.Freeze()
		if err != nil {
			return nil, err
		}
		return &Disk{frozen: z}, nil
	}, nil)
	return upper, nil
}
