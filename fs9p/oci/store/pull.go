package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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

// Image gives an image, pulled as the policy says.
func (s *Store) Image(ctx context.Context, ref string, p Policy) (*Image, error) {
	if p != Always {
		img, err := s.Cached(ctx, ref)
		if err == nil || p == Never || !errors.Is(err, ErrMissing) {
			return img, err
		}
	}
	img, _, err := s.Pull(ctx, ref)
	return img, err
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
	p, err := remote.NewPuller(
		remote.WithContext(ctx), remote.WithTransport(secure{s.cfg.Transport}), remote.WithAuthFromKeychain(keys),
		remote.WithUserAgent("alpinevm"), remote.WithJobs(downloads),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}), remote.WithRetryStatusCodes()) // retry does that
	if err != nil {
		return nil, false, err
	}
	img, fresh, err := s.pullFrom(ctx, p, r)
	if err != nil && keys.err != nil {
		err = &helperError{err, keys.err}
	}
	return img, fresh, err
}

func (s *Store) pullFrom(ctx context.Context, p *remote.Puller, r Reference) (*Image, bool, error) {
	if img, err := s.cached(r.Full()); err == nil {
		// A HEAD does not count against Docker Hub's limit. If it fails the GET
		// says why.
		if d, err := p.Head(ctx, r.ref); err == nil && d.Digest == img.Source {
			return img, false, s.unpack(ctx, img, s.blobOpener(img))
		}
	}
	repo := r.ref.Context()
	get := func(ctx context.Context, ref name.Reference) (d *remote.Descriptor, err error) {
		err = s.retry(ctx, func() error {
			d, err = p.Get(ctx, ref)
			return err
		})
		return d, err
	}
	top, err := get(ctx, r.ref)
	if err != nil {
		return nil, false, err
	}
	m, err := s.choose(ctx, top.Descriptor, top.Manifest, func(ctx context.Context, c v1.Descriptor) ([]byte, error) {
		d, err := get(ctx, repo.Digest(c.Digest.String()))
		if err != nil {
			return nil, err
		}
		return d.Manifest, nil
	})
	if err != nil {
		return nil, false, err
	}
	open := func(d v1.Descriptor) opener {
		return func(ctx context.Context) (io.ReadCloser, error) {
			l, err := p.Layer(ctx, repo.Digest(d.Digest.String()))
			if err != nil {
				return nil, err
			}
			return l.Compressed()
		}
	}
	img, err := s.take(ctx, m, top.MediaType.IsIndex(), open)
	if err != nil {
		return nil, false, err
	}
	img.Name, img.Source = r, top.Digest
	return img, true, s.record(ctx, r, v1.Descriptor{MediaType: m.at.MediaType, Digest: m.at.Digest, Size: m.at.Size}, top.Digest)
}

// take brings the blobs of a manifest into the store and unpacks the layers.
// chosen tells that an index has said that the image is for the platform.
func (s *Store) take(ctx context.Context, m *manifest, chosen bool, open func(v1.Descriptor) opener) (*Image, error) {
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
	if !chosen {
		if err := s.checkConfig(config); err != nil {
			return nil, err
		}
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(downloads)
	for i, l := range img.layers {
		group.Go(func() error {
			if err := s.fetch(inner, l, "download", open(l)); err != nil {
				return fmt.Errorf("layer %d: %w", i+1, err)
			}
			return s.layer(inner, img, i, s.blobOpener(img)(i))
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
