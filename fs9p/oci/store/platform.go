package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// PlatformError is the error of an image that is not for the wanted platform.
type PlatformError struct {
	Want v1.Platform
	Have []string // such as "linux/arm64/v8"
}

func (e *PlatformError) Error() string {
	have := "says of no platform that it is for it"
	if len(e.Have) > 0 {
		have = "has " + strings.Join(e.Have, ", ")
	}
	return fmt.Sprintf("there is no image for %s; it %s", platformName(e.Want), have)
}

func platformName(p v1.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// A manifest is an image's manifest with the descriptor that leads to it.
type manifest struct {
	at  v1.Descriptor
	raw []byte
	*v1.Manifest
}

// maxNested is how deep an index may lie in others.
const maxNested = 4

// errKind is the error of what is no image.
var errKind = errors.New("not a container image")

// choose finds the manifest for the wanted platform, in raw, of descriptor d,
// or in the indexes and manifests that it leads to, which get reads.
func (s *Store) choose(ctx context.Context, d v1.Descriptor, raw []byte, get func(context.Context, v1.Descriptor) ([]byte, error)) (*manifest, error) {
	missing := &PlatformError{Want: s.cfg.Platform}
	m, err := s.chooseIn(ctx, d, raw, get, missing, 0)
	if m == nil && err == nil {
		err = missing
	}
	return m, err
}

func (s *Store) chooseIn(ctx context.Context, d v1.Descriptor, raw []byte, get func(context.Context, v1.Descriptor) ([]byte, error), missing *PlatformError, depth int) (*manifest, error) {
	switch {
	case d.MediaType.IsImage():
		m, err := v1.ParseManifest(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", short(d.Digest), err)
		}
		return &manifest{d, raw, m}, nil
	case !d.MediaType.IsIndex():
		return nil, fmt.Errorf("%w: %.100q", errKind, d.MediaType)
	case depth == maxNested:
		return nil, errors.New("the index is one of indexes of indexes")
	}
	idx, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", short(d.Digest), err)
	}
	for _, c := range idx.Manifests {
		if !c.MediaType.IsIndex() && !s.fits(c.Platform, missing) {
			continue
		}
		raw, err := get(ctx, c)
		if err != nil {
			return nil, err
		}
		if m, err := s.chooseIn(ctx, c, raw, get, missing, depth+1); m != nil || err != nil {
			return m, err
		}
	}
	return nil, nil
}

// fits tells whether a platform is the wanted one, and if not remembers it. An
// unknown one is that of an attestation, which is no image.
func (s *Store) fits(p *v1.Platform, missing *PlatformError) bool {
	if p == nil || p.OS == "unknown" {
		return false
	}
	if p.OS == s.cfg.Platform.OS && p.Architecture == s.cfg.Platform.Architecture {
		return true
	}
	if name := platformName(*p); !slices.Contains(missing.Have, name) {
		missing.Have = append(missing.Have, name)
	}
	return false
}

// checkConfig looks at the configuration of an image that no index chose.
func (s *Store) checkConfig(config []byte) error {
	c, err := v1.ParseConfigFile(bytes.NewReader(config))
	if err != nil {
		return err
	}
	missing := &PlatformError{Want: s.cfg.Platform}
	if !s.fits(&v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}, missing) {
		return missing
	}
	return nil
}

// isImage tells whether a manifest's configuration is that of an image and not
// of something else that registries hold.
func isImage(t types.MediaType) bool {
	return t == types.OCIConfigJSON || t == types.DockerConfigJSON
}
