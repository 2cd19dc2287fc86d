package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// annPin is, of a descriptor that has no name, the file or folder outside the
// store that needs the image. It holds for as long as that exists.
const annPin = "alpinevm.pin"

// InUseError is the error of an image that cannot be removed.
type InUseError struct {
	Owners []string // as Pin was told
}

func (e *InUseError) Error() string { return "it is in use by " + strings.Join(e.Owners, ", ") }

// Pin keeps an image, whatever becomes of its names, for as long as owner
// exists, which is the absolute name of a file or a folder outside the store. An
// owner has one image: the one pinned last.
func (s *Store) Pin(ctx context.Context, img *Image, owner string) error {
	return s.explain(img.String(), s.pin(ctx, img, owner))
}

func (s *Store) pin(ctx context.Context, img *Image, owner string) error {
	d, end, err := s.hold(ctx, img)
	if err != nil {
		return err
	}
	defer end()
	d.Annotations = map[string]string{annPin: owner}
	d.Platform = &v1.Platform{OS: s.cfg.Platform.OS, Architecture: s.cfg.Platform.Architecture}
	return s.change(ctx, func(idx *v1.IndexManifest) error {
		idx.Manifests = append(withoutPin(idx.Manifests, owner), d)
		return nil
	})
}

// hold keeps an image of which all is there; until end nobody removes it.
func (s *Store) hold(ctx context.Context, img *Image) (d v1.Descriptor, end func(), err error) {
	if end, err = s.begin(ctx); err != nil {
		return d, nil, err
	}
	if d, err = s.keep(ctx, img); err == nil {
		_, err = s.whole(d) // somebody may have removed it meanwhile
	}
	if err != nil {
		end()
		return d, nil, err
	}
	return d, end, nil
}

// keep stores the manifest and the configuration of an image whose layers are
// there. One that came from a file may have no manifest, and is given one.
func (s *Store) keep(ctx context.Context, img *Image) (d v1.Descriptor, err error) {
	raw := img.raw
	if raw == nil {
		m := v1.Manifest{
			SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
			Config: v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(img.rawConfig)), Digest: img.ID},
		}
		for _, h := range img.diffIDs {
			info, err := os.Stat(s.path(layersDir, h.Hex))
			if err != nil {
				return d, err
			}
			m.Layers = append(m.Layers, v1.Descriptor{MediaType: types.OCIUncompressedLayer, Size: info.Size(), Digest: h})
		}
		if raw, err = json.Marshal(m); err != nil {
			return d, err
		}
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return d, err
	}
	d = v1.Descriptor{MediaType: m.MediaType, Size: int64(len(raw))}
	if d.MediaType == "" {
		d.MediaType = types.OCIManifestSchema1
	}
	if d.Digest, _, err = v1.SHA256(bytes.NewReader(raw)); err != nil {
		return d, err
	}
	for _, b := range []struct {
		d   v1.Descriptor
		raw []byte
	}{{m.Config, img.rawConfig}, {d, raw}} {
		if err := s.fetch(ctx, b.d, "", func(context.Context) (io.ReadCloser, error) { return inMemory(b.raw), nil }); err != nil {
			return d, err
		}
	}
	return d, nil
}

// Unpin ends what Pin has begun, and removes what nobody needs then.
func (s *Store) Unpin(ctx context.Context, owner string) error {
	end, err := s.begin(ctx)
	if err == nil {
		err = s.change(ctx, func(idx *v1.IndexManifest) error {
			idx.Manifests = withoutPin(idx.Manifests, owner)
			return nil
		})
		end()
	}
	if err == nil {
		_, err = s.collect(ctx)
	}
	return s.explainFile(owner, err)
}

func withoutPin(list []v1.Descriptor, owner string) []v1.Descriptor {
	return slices.DeleteFunc(list, func(d v1.Descriptor) bool { return d.Annotations[annPin] == owner })
}

// Pinned gives the image that is pinned for owner; the error is ErrMissing if
// there is none or it is not whole.
func (s *Store) Pinned(ctx context.Context, owner string) (*Image, error) {
	unlock, err := s.shareUse(ctx)
	if err != nil {
		return nil, s.explainFile(owner, err)
	}
	defer unlock()
	idx, err := s.index()
	if err != nil {
		return nil, s.explainFile(owner, err)
	}
	for _, d := range idx.Manifests {
		if d.Annotations[annPin] == owner {
			return s.whole(d)
		}
	}
	return nil, ErrMissing
}

// holds tells whether a descriptor's pin, if it is one, still holds.
func holds(d v1.Descriptor) bool {
	owner := d.Annotations[annPin]
	if owner == "" {
		return true
	}
	_, err := os.Lstat(owner)
	return !errors.Is(err, fs.ErrNotExist)
}

// dropPins takes away the pins that do not hold any more.
func (s *Store) dropPins(ctx context.Context) error {
	idx, err := s.index()
	if err != nil || !slices.ContainsFunc(idx.Manifests, func(d v1.Descriptor) bool { return !holds(d) }) {
		return err
	}
	return s.change(ctx, func(idx *v1.IndexManifest) error {
		idx.Manifests = slices.DeleteFunc(idx.Manifests, func(d v1.Descriptor) bool { return !holds(d) })
		return nil
	})
}

// owners are those that pin an image, by its ID.
func (s *Store) owners(idx *v1.IndexManifest, id string) (owners []string) {
	for _, d := range idx.Manifests {
		if owner := d.Annotations[annPin]; owner != "" && holds(d) {
			if img, err := s.image(d); err == nil && img.ID.Hex == id {
				owners = append(owners, owner)
			}
		}
	}
	return owners
}
