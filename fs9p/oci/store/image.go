package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/fs9p/oci"
)

// Image is an image that is in a store.
type Image struct {
	// Name is what the image was asked for as; "" where it came from a file.
	Name Reference
	// Tags are the names that the file gives it.
	Tags []string
	// Digest is the manifest's, Source that which the name had at the registry
	// and ID the configuration's.
	Digest, Source, ID v1.Hash
	Config             v1.Config
	Created, Pulled    time.Time
	// Size is how many bytes the files of all layers hold, or how many the
	// layers have as they were pulled where that is not known.
	Size int64

	diffIDs []v1.Hash
	layers  []v1.Descriptor
	// The manifest, nil where there is none, and the configuration.
	raw, rawConfig []byte
}

// ConfigFile is the image's configuration, with its history.
func (img *Image) ConfigFile() (*v1.ConfigFile, error) {
	return v1.ParseConfigFile(bytes.NewReader(img.rawConfig))
}

// ErrMissing is the error of an image that is not in the store.
var ErrMissing = errors.New("not in the cache")

// maxLayers bounds the layers of an image; docker allows 127.
const maxLayers = 1000

// readBlob reads a manifest or a configuration and checks it. One that is
// damaged, or is not there, is a DamagedError.
func (s *Store) readBlob(h v1.Hash) ([]byte, error) {
	if err := checkHash(h); err != nil {
		return nil, err
	}
	f, err := os.Open(s.blob(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &DamagedError{s.blob(h)}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := readChecked(f, h)
	if errors.Is(err, ErrDigest) {
		return nil, &DamagedError{s.blob(h)}
	}
	return b, err
}

// readSmall reads what is to be kept in memory.
func readSmall(r io.Reader, what string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err == nil && len(b) > maxManifest {
		err = fmt.Errorf("%s has more than %d bytes", what, maxManifest)
	}
	return b, err
}

// readChecked reads a small blob and checks it.
func readChecked(r io.Reader, h v1.Hash) ([]byte, error) {
	b, err := readSmall(r, short(h))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != h.Hex {
		return nil, fmt.Errorf("%s: %w", short(h), ErrDigest)
	}
	return b, nil
}

// image reads what the store knows of an image.
func (s *Store) image(d v1.Descriptor) (*Image, error) {
	raw, err := s.readBlob(d.Digest)
	if err != nil {
		return nil, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", short(d.Digest), err)
	}
	config, err := s.readBlob(m.Config.Digest)
	if err != nil {
		return nil, err
	}
	img, err := newImage(&manifest{at: d, raw: raw, Manifest: m}, config)
	if err != nil {
		return nil, err
	}
	if name := d.Annotations[annName]; name != "" {
		if img.Name, err = ParseReference(name); err != nil {
			return nil, err
		}
	}
	if h, err := v1.NewHash(d.Annotations[annSource]); err == nil {
		img.Source = h
	}
	img.Pulled, _ = time.Parse(time.RFC3339, d.Annotations[annPulled])
	for _, l := range m.Layers {
		img.Size += l.Size
	}
	if n, err := s.treeBytes(img); err == nil {
		img.Size = n
	}
	return img, nil
}

// newImage makes an Image of a manifest and the configuration that it names.
func newImage(m *manifest, config []byte) (*Image, error) {
	c, err := v1.ParseConfigFile(bytes.NewReader(config))
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", short(m.Config.Digest), err)
	}
	img := &Image{
		Digest: m.at.Digest, Source: m.at.Digest, ID: m.Config.Digest, Config: c.Config, Created: c.Created.Time,
		diffIDs: c.RootFS.DiffIDs, layers: m.Layers, raw: m.raw, rawConfig: config,
	}
	switch {
	case len(img.layers) != len(img.diffIDs):
		return nil, fmt.Errorf("the manifest has %d layers and the configuration %d", len(img.layers), len(img.diffIDs))
	case len(img.layers) > maxLayers:
		return nil, fmt.Errorf("%d layers are more than the %d that an image may have", len(img.layers), maxLayers)
	}
	for i := range img.layers {
		if err := errors.Join(checkHash(img.layers[i].Digest), checkHash(img.diffIDs[i])); err != nil {
			return nil, err
		}
	}
	return img, nil
}

// Cached finds an image by name, by ID or by the beginning of an ID. The error
// of one that is not there, or not whole, is ErrMissing.
func (s *Store) Cached(ctx context.Context, name string) (*Image, error) {
	unlock, err := s.shareUse(ctx)
	if err != nil {
		return nil, s.explain(name, err)
	}
	defer unlock()
	img, err := s.cached(name)
	return img, s.explain(name, err)
}

func (s *Store) cached(name string) (*Image, error) {
	r, refErr := ParseReference(name)
	if refErr == nil {
		d, err := s.find(r)
		if err != nil {
			return nil, err
		}
		if d != nil {
			return s.whole(*d)
		}
	}
	found, err := s.byID(name)
	switch {
	case err != nil:
		return nil, err
	case len(found) > 0:
		return s.whole(found[0])
	case refErr != nil:
		return nil, refErr
	}
	return nil, ErrMissing
}

// whole reads an image. The error of one that is damaged or not all there is a
// DamagedError, which is ErrMissing.
func (s *Store) whole(d v1.Descriptor) (*Image, error) {
	img, err := s.image(d)
	if err != nil {
		return nil, err
	}
	for i, l := range img.layers {
		if ok, err := s.sound(s.layerFile(img, i), img.diffIDs[i], -1); err != nil {
			return nil, err
		} else if ok {
			continue
		}
		if err := s.needs(s.blob(l.Digest), l.Digest, l.Size); err != nil {
			return nil, err
		}
	}
	return img, nil
}

// Root is an open image, for package overlay to lie on.
type Root struct {
	*oci.FS
	files []*os.File
}

// Close ends the use of the image's files.
func (r *Root) Close() error {
	var err error
	for _, f := range r.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// Open opens an image's file system. What has not been done for it before,
// decompression and the tree, is done now.
func (s *Store) Open(ctx context.Context, img *Image) (*Root, error) {
	unlock, err := s.shareUse(ctx)
	if err != nil {
		return nil, s.explain(img.String(), err)
	}
	defer unlock()
	err = s.unpack(ctx, img, s.blobOpener(img))
	if err != nil {
		return nil, s.explain(img.String(), err)
	}
	r, err := s.open(img)
	if errors.Is(err, oci.ErrTree) {
		if err = os.Remove(s.treeFile(img)); err == nil {
			if err = s.tree(ctx, img); err == nil {
				r, err = s.open(img)
			}
		}
	}
	return r, s.explain(img.String(), err)
}

// String is the image's name, or its ID where it has none.
func (img *Image) String() string {
	if img.Name.ref == nil {
		return short(img.ID)
	}
	return img.Name.String()
}

// open opens what unpack has made.
func (s *Store) open(img *Image) (r *Root, err error) {
	r = &Root{}
	defer func() {
		if err != nil {
			r.Close()
			r = nil
		}
	}()
	layers, err := s.openLayers(img, r)
	if err != nil {
		return r, err
	}
	f, err := os.Open(s.treeFile(img))
	if err != nil {
		return r, err
	}
	r.files = append(r.files, f)
	info, err := f.Stat()
	if err != nil {
		return r, err
	}
	r.FS, err = oci.Open(f, info.Size(), layers)
	return r, err
}

// openLayers opens the uncompressed layers; r closes them.
func (s *Store) openLayers(img *Image, r *Root) ([]oci.Layer, error) {
	var layers []oci.Layer
	for _, h := range img.diffIDs {
		f, err := os.Open(s.path(layersDir, h.Hex))
		if err != nil {
			return nil, err
		}
		r.files = append(r.files, f)
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		layers = append(layers, oci.Layer{Name: short(h), Data: f, Size: info.Size()})
	}
	return layers, nil
}
