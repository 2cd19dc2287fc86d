package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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
	// annSum is, of the index itself, the SHA-256 of the index with an empty
	// one.
	annSum = "alpinevm.sum"
)

// The index is there twice, since nothing else says which images the user has
// and which are pinned.
const (
	indexFile = "index.json"
	indexCopy = "index.json.copy"
)

// maxManifest bounds manifests, indexes and configurations, in bytes.
const maxManifest = 8 << 20

// index reads which images there are. A store that is not there has none.
func (s *Store) index() (*v1.IndexManifest, error) {
	idx, err := s.readIndex(indexFile)
	if err == nil {
		return idx, nil
	}
	idx, copyErr := s.readIndex(indexCopy)
	switch {
	case copyErr == nil:
		return idx, nil
	case errors.Is(err, fs.ErrNotExist) && errors.Is(copyErr, fs.ErrNotExist):
		return &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}, nil
	case errors.Is(err, fs.ErrNotExist):
		err = copyErr
	}
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		return nil, &indexError{s.path(indexFile), s.path(indexCopy)}
	}
	return nil, err
}

// indexError is the error of an index that is damaged in both places.
type indexError struct{ file, copy string }

func (e *indexError) Error() string {
	return "the file " + e.file + ", which says which images there are, is damaged, and so is " + e.copy
}

// readIndex reads an index and checks it; the error of one that has been changed
// is a DamagedError. One without a sum is an older version's.
func (s *Store) readIndex(name string) (*v1.IndexManifest, error) {
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		return nil, err
	}
	idx, err := v1.ParseIndexManifest(bytes.NewReader(b))
	if err != nil {
		return nil, &DamagedError{s.path(name)}
	}
	said, ok := idx.Annotations[annSum]
	if !ok {
		return idx, nil
	}
	sum, err := sumIndex(idx)
	if err != nil {
		return nil, err
	}
	if sum != said {
		return nil, &DamagedError{s.path(name)}
	}
	return idx, nil
}

// sumIndex gives an index its sum.
func sumIndex(idx *v1.IndexManifest) (string, error) {
	if idx.Annotations == nil {
		idx.Annotations = map[string]string{}
	}
	idx.Annotations[annSum] = ""
	b, err := json.Marshal(idx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	idx.Annotations[annSum] = hex.EncodeToString(sum[:])
	return idx.Annotations[annSum], nil
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
	if _, err := sumIndex(idx); err != nil {
		return err
	}
	b, err := json.MarshalIndent(idx, "", "  ")
	if err != nil {
		return err
	}
	// The copy comes second: a reader that finds the index damaged finds in the
	// copy what was before at the worst.
	for _, name := range []string{indexFile, indexCopy} {
		err := s.place(ctx, s.path(name), func(w file) error {
			_, err := w.Write(append(b, '\n'))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
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

// find looks a name up among the images of the wanted platform.
func (s *Store) find(r Reference) (*v1.Descriptor, error) {
	return s.findIf(r, func(p *v1.Platform) bool {
		return p == nil || p.OS == s.cfg.Platform.OS && p.Architecture == s.cfg.Platform.Architecture
	})
}

// findIf looks a name up among the images of the platforms that is allows.
func (s *Store) findIf(r Reference, is func(*v1.Platform) bool) (*v1.Descriptor, error) {
	idx, err := s.index()
	if err != nil {
		return nil, err
	}
	for i, d := range idx.Manifests {
		if d.Annotations[annName] == r.Full() && is(d.Platform) {
			return &idx.Manifests[i], nil
		}
	}
	if r.digest == "" {
		return nil, nil
	}
	for i, d := range idx.Manifests {
		other, err := ParseReference(d.Annotations[annName])
		if err == nil && other.repository() == r.repository() && is(d.Platform) && (d.Digest.String() == r.digest || d.Annotations[annSource] == r.digest) {
			return &idx.Manifests[i], nil
		}
	}
	return nil, nil
}
