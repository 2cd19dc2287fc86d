package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// PlatformError is the error of an image that is not for the wanted platform.
type PlatformError struct {
	Want v1.Platform
	Have []string // such as "linux/arm64/v8"
}

// ParsePlatform reads a platform whose images may be taken; "" is linux/386.
func ParsePlatform(s string) (v1.Platform, error) {
	os, arch, _ := strings.Cut(s, "/")
	p, _ := normal(&v1.Platform{OS: os, Architecture: arch})
	switch {
	case s == "":
		return ours, nil
	case p.OS == ours.OS && (p.Architecture == ours.Architecture || p.Architecture == "amd64"):
		return p, nil
	}
	return p, fmt.Errorf("%q: want linux/386, or linux/amd64 for an image that holds 32-bit programs", s)
}

// ours is the platform whose programs run.
var ours = v1.Platform{OS: "linux", Architecture: "386"}

// insists tells whether the image may run in spite of what it says: it is for a
// processor that runs 32-bit programs too.
func (e *PlatformError) insists() bool {
	return e.Want.Architecture == ours.Architecture && slices.Contains(e.Have, "linux/amd64")
}

// maxHave is how many platforms a message names.
const maxHave = 12

func (e *PlatformError) Error() string {
	have := "says of no platform that it is for it"
	if n := len(e.Have); n > 0 {
		have = "has " + strings.Join(e.Have[:min(n, maxHave)], ", ")
		if n > maxHave {
			have += fmt.Sprintf(" and %d more", n-maxHave)
		}
	}
	return fmt.Sprintf("there is no image for %s; it %s", platformName(e.Want), have)
}

func platformName(p v1.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return fmt.Sprintf("%.40s", s)
}

// otherNames are what architectures are called besides.
var otherNames = map[string]string{
	"i386": "386", "i486": "386", "i586": "386", "i686": "386", "x86": "386", "x86_64": "amd64", "x86-64": "amd64",
}

// normal gives a platform the names that Go has for it; ok is false where none
// is named.
func normal(p *v1.Platform) (n v1.Platform, ok bool) {
	if p == nil {
		return n, false
	}
	n = v1.Platform{OS: strings.ToLower(p.OS), Architecture: strings.ToLower(p.Architecture), Variant: p.Variant}
	if other, ok := otherNames[n.Architecture]; ok {
		n.Architecture = other
	}
	if n.OS == "" {
		n.OS = "linux"
	}
	return n, n.Architecture != ""
}

// A manifest is an image's manifest with the descriptor that leads to it.
type manifest struct {
	at  v1.Descriptor
	raw []byte
	*v1.Manifest
	// chosen tells that an index, or the configuration, has said that it is for
	// the wanted platform.
	chosen bool
}

// A getter reads what a descriptor of a manifest, an index or a configuration
// leads to.
type getter func(ctx context.Context, d v1.Descriptor, isConfig bool) ([]byte, error)

// Bounds of indexes: how deep one may lie in others, and how many manifests are
// looked at to find the wanted platform.
const (
	maxNested = 4
	maxLooks  = 64
)

// A chooser finds the manifest for the wanted platform.
type chooser struct {
	s       *Store
	get     getter
	missing *PlatformError
	looks   int
}

func (s *Store) newChooser(get getter) *chooser {
	return &chooser{s: s, get: get, missing: &PlatformError{Want: s.cfg.Platform}}
}

// choose finds it in raw, of descriptor d, or in what that leads to.
func (c *chooser) choose(ctx context.Context, d v1.Descriptor, raw []byte) (*manifest, error) {
	m, err := c.in(ctx, d, raw, 0)
	if m == nil && err == nil {
		err = c.missing
	}
	return m, err
}

// in gives nil where there is none.
func (c *chooser) in(ctx context.Context, d v1.Descriptor, raw []byte, depth int) (*manifest, error) {
	kind, err := manifestKind(raw, d.MediaType)
	if err != nil {
		return nil, err
	}
	d.MediaType = kind
	switch {
	case kind.IsImage():
		m, err := v1.ParseManifest(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("manifest %s: %w", short(d.Digest), err)
		}
		return &manifest{at: d, raw: raw, Manifest: m}, nil
	case kind.IsSchema1():
		return nil, errOld
	case !kind.IsIndex():
		return nil, fmt.Errorf("%w: %.100q", errKind, kind)
	case depth == maxNested:
		return nil, errors.New("the index is one of indexes of indexes")
	}
	idx, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("index %s: %w", short(d.Digest), err)
	}
	if m, err := c.named(ctx, idx.Manifests, depth); m != nil || err != nil {
		return m, err
	}
	return c.unnamed(ctx, idx.Manifests, depth)
}

// named looks at the entries of an index that say that they are for the wanted
// platform.
func (c *chooser) named(ctx context.Context, list []v1.Descriptor, depth int) (*manifest, error) {
	for _, d := range list {
		p, ok := normal(d.Platform)
		if !ok || !c.fits(p) {
			continue
		}
		m, err := c.follow(ctx, d, depth)
		if m != nil {
			m.chosen = true
		}
		if m != nil || err != nil {
			return m, err
		}
	}
	return nil, nil
}

// unnamed looks at the entries that say nothing: indexes, and images whose
// configurations say more.
func (c *chooser) unnamed(ctx context.Context, list []v1.Descriptor, depth int) (*manifest, error) {
	for _, d := range list {
		if _, ok := normal(d.Platform); ok {
			continue
		}
		m, err := c.follow(ctx, d, depth)
		if errors.Is(err, errKind) || errors.Is(err, errOld) || m != nil && !isImage(m.Config.MediaType) {
			continue // an artifact beside images
		}
		if err != nil {
			return nil, err
		}
		if m == nil || m.chosen {
			if m != nil {
				return m, nil
			}
			continue
		}
		config, err := c.get(ctx, m.Config, true)
		if err != nil {
			return nil, err
		}
		var other *PlatformError
		switch err := c.s.checkConfig(config); {
		case errors.As(err, &other):
			c.missing.add(other.Have...)
		case err != nil:
			return nil, err
		default:
			m.chosen = true
			return m, nil
		}
	}
	return nil, nil
}

// follow reads an entry of an index.
func (c *chooser) follow(ctx context.Context, d v1.Descriptor, depth int) (*manifest, error) {
	if c.looks++; c.looks > maxLooks {
		return nil, fmt.Errorf("an index of more than %d manifests that have to be looked at", maxLooks)
	}
	raw, err := c.get(ctx, d, false)
	if err != nil {
		return nil, err
	}
	return c.in(ctx, d, raw, depth+1)
}

// fits tells whether a platform is the wanted one, and if not remembers it. An
// unknown one is that of an attestation, which is no image.
func (c *chooser) fits(p v1.Platform) bool {
	if p.OS == "unknown" || p.Architecture == "unknown" {
		return false
	}
	if p.OS == c.s.cfg.Platform.OS && p.Architecture == c.s.cfg.Platform.Architecture {
		return true
	}
	c.missing.add(platformName(p))
	return false
}

// add remembers platforms, as far as somebody may want to read of them.
func (e *PlatformError) add(names ...string) {
	for _, n := range names {
		if len(e.Have) < 4*maxHave && !slices.Contains(e.Have, n) {
			e.Have = append(e.Have, n)
		}
	}
}

// checkConfig looks at the platform that a configuration names. One that names
// none says nothing against it.
func (s *Store) checkConfig(config []byte) error {
	c, err := v1.ParseConfigFile(bytes.NewReader(config))
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	p, ok := normal(&v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant})
	if !ok || p.OS == s.cfg.Platform.OS && p.Architecture == s.cfg.Platform.Architecture {
		return nil
	}
	return &PlatformError{s.cfg.Platform, []string{platformName(p)}}
}
