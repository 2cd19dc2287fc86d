package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// Policy says when a registry is asked.
type Policy string

// The policies, as docker names them.
const (
	Missing Policy = "missing" // if the image is not in the store
	Always  Policy = "always"  // each time, whether there is a newer one
	Never   Policy = "never"
)

// ParsePolicy reads the name of a policy.
func ParsePolicy(s string) (Policy, error) {
	switch p := Policy(s); p {
	case Missing, Always, Never:
		return p, nil
	}
	return "", fmt.Errorf("pull policy %q: want always, missing or never", s)
}

// downloads is how many layers are downloaded, or unpacked, at a time.
const downloads = 3

// Image gives an image, pulled as the policy says, ready to be opened. One that
// is damaged in the cache is pulled as if it were not there.
func (s *Store) Image(ctx context.Context, ref string, p Policy) (*Image, error) {
	var damaged error
	if p != Always {
		img, err := s.Cached(ctx, ref)
		if err == nil {
			err = s.ready(ctx, img)
		}
		if err == nil || p == Never || !errors.Is(err, ErrMissing) {
			return img, s.explain(ref, err)
		}
		damaged = err
	}
	img, _, err := s.Pull(ctx, ref)
	return img, withDamage(err, damaged)
}

// ready makes what is missing of an image and can be made without a registry.
func (s *Store) ready(ctx context.Context, img *Image) error {
	unlock, err := s.shareUse(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.unpack(ctx, img, s.blobOpener(img))
}

// Pull brings the image that a registry has under a name into the store, ready
// to be opened. fresh tells whether it was not there before.
func (s *Store) Pull(ctx context.Context, ref string) (img *Image, fresh bool, err error) {
	r, err := ParseReference(ref)
	if err != nil {
		return nil, false, err
	}
	img, fresh, err = s.pull(ctx, r)
	return img, fresh, s.explain(ref, err)
}

func (s *Store) pull(ctx context.Context, r Reference) (*Image, bool, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, false, err
	}
	defer end()
	keys := &lenient{Keychain: s.cfg.Keychain}
	o, err := s.connect(ctx, r, keys)
	if err == nil {
		defer o.Close()
		var img *Image
		var fresh bool
		if img, fresh, err = s.pullFrom(ctx, o); err == nil {
			return img, fresh, nil
		}
	}
	if keys.err != nil {
		err = &helperError{err, keys.err}
	}
	return nil, false, err
}

func (s *Store) pullFrom(ctx context.Context, o *origin) (*Image, bool, error) {
	r := o.ref
	if img, err := s.cached(r.Full()); err == nil {
		// If the HEAD fails the GET says why.
		if d, err := o.digest(ctx, r.ref.Identifier()); err == nil && d == img.Source {
			err := s.unpack(ctx, img, s.blobOpener(img))
			if !errors.Is(err, ErrMissing) {
				return img, false, err
			}
		}
	}
	top, raw, err := o.manifest(ctx, r.ref.Identifier())
	if err != nil {
		return nil, false, err
	}
	m, err := s.newChooser(o.get).choose(ctx, top, raw)
	if err != nil {
		return nil, false, err
	}
	img, err := s.take(ctx, m, o.blob)
	if err != nil {
		return nil, false, err
	}
	img.Name, img.Source = r, top.Digest
	return img, true, s.record(ctx, r, v1.Descriptor{MediaType: m.at.MediaType, Digest: m.at.Digest, Size: m.at.Size}, top.Digest)
}

// take brings the blobs of a manifest into the store and unpacks the layers.
func (s *Store) take(ctx context.Context, m *manifest, open func(v1.Descriptor) opener) (*Image, error) {
	if !isImage(m.Config.MediaType) {
		return nil, fmt.Errorf("%w, its configuration is of type %.100q", errKind, m.Config.MediaType)
	}
	if m.Config.Size > maxManifest {
		return nil, fmt.Errorf("a configuration of %d bytes", m.Config.Size)
	}
	if err := s.fetch(ctx, m.Config, "", open(m.Config)); err != nil {
		return nil, err
	}
	config, err := s.readBlob(m.Config.Digest)
	if err != nil {
		return nil, err
	}
	img, err := newImage(m, config)
	if err != nil {
		return nil, err
	}
	if !m.chosen {
		if err := s.checkConfig(config); err != nil {
			return nil, err
		}
	}
	if err := s.checkSize(img); err != nil {
		return nil, err
	}
	whole := s.newBudget()
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(downloads)
	for i, l := range img.layers {
		group.Go(func() error {
			if ok, err := s.sound(s.layerFile(img, i), img.diffIDs[i], -1); ok || err != nil {
				return err
			}
			if err := s.fetch(inner, l, "download", open(l)); err != nil {
				return fmt.Errorf("layer %d: %w", i+1, err)
			}
			return s.layer(inner, img, i, whole, s.blobOpener(img)(i))
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := s.tree(ctx, img); err != nil {
		return nil, err
	}
	return img, s.fetch(ctx, m.at, "", func(context.Context) (io.ReadCloser, error) { return inMemory(m.raw), nil })
}
