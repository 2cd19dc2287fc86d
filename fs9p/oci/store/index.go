package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Annotations of the descriptors in index.json (image-spec, annotations.md).
const (
	// annName is the full name, such as docker.io/library/alpine:3.20.
	annName = "org.opencontainers.image.ref.name"
	// annSource is the digest that the name had at the registry: that of an
	// index of several platforms, or of the manifest itself.
	annSource = "alpinevm.source"
	// annPulled is when, in RFC 3339.
	annPulled = "alpinevm.pulled"
)

const indexFile = "index.json"

// maxManifest bounds manifests, indexes and configurations, in bytes.
const maxManifest = 8 << 20

// index reads which images there are. A store that is not there has none.
func (s *Store) index() (*v1.IndexManifest, error) {
	b, err := os.ReadFile(s.path(indexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}, nil
	}
	if err != nil {
		return nil, err
	}
	idx, err := v1.ParseIndexManifest(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path(indexFile), err)
	}
	return idx, nil
}

// change rewrites the index by what f makes of it.
func (s *Store) change(ctx context.Context, f func(*v1.IndexManifest) error) error {
	unlock, err := s.lock(ctx, lockIndex)
	if err != nil {
		return err
	}
	defer unlock()
	idx, err := s.index()
	if err != nil {
		return err
	}
	if err := f(idx); err != nil {
		return err
	}
	b, err := json.MarshalIndent(idx, "", "  ")
	if err != nil {
		return err
	}
	return s.place(ctx, s.path(indexFile), func(w file) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}

// record gives a name to a manifest that is in the store, in place of the one
// that had it.
func (s *Store) record(ctx context.Context, r Reference, d v1.Descriptor, source v1.Hash) error {
	d.Annotations = map[string]string{
		annName: r.Full(), annSource: source.String(), annPulled: time.Now().UTC().Format(time.RFC3339),
	}
	d.Platform = &v1.Platform{OS: s.cfg.Platform.OS, Architecture: s.cfg.Platform.Architecture}
	return s.change(ctx, func(idx *v1.IndexManifest) error {
		kept := idx.Manifests[:0]
		for _, old := range idx.Manifests {
			if old.Annotations[annName] != r.Full() {
				kept = append(kept, old)
			}
		}
		idx.Manifests = append(kept, d)
		return nil
	})
}

// find looks a name up.
func (s *Store) find(r Reference) (*v1.Descriptor, error) {
	idx, err := s.index()
	if err != nil {
		return nil, err
	}
	for i, d := range idx.Manifests {
		if d.Annotations[annName] == r.Full() {
			return &idx.Manifests[i], nil
		}
	}
	if r.digest == "" {
		return nil, nil
	}
	for i, d := range idx.Manifests {
		other, err := ParseReference(d.Annotations[annName])
		if err == nil && other.repository() == r.repository() && (d.Digest.String() == r.digest || d.Annotations[annSource] == r.digest) {
			return &idx.Manifests[i], nil
		}
	}
	return nil, nil
}
