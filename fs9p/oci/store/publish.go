package store

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"alpinevm/internal/fetch"
)

// Tag gives an image a name, in place of the image that had it.
func (s *Store) Tag(ctx context.Context, img *Image, ref string) error {
	return s.explain(ref, s.tag(ctx, img, ref))
}

func (s *Store) tag(ctx context.Context, img *Image, ref string) error {
	r, err := ParseReference(ref)
	if err != nil {
		return err
	}
	if r.Digest() != "" {
		return fmt.Errorf("a name with a digest cannot be given: want NAME[:TAG]")
	}
	d, end, err := s.hold(ctx, img)
	if err != nil {
		return err
	}
	defer end()
	return s.record(ctx, r, d, img.Source)
}

// Make makes an image of a tar archive of a root file system, as Import does, with
// a configuration.
func (s *Store) Make(ctx context.Context, file string, config v1.ConfigFile) (*Image, error) {
	img, err := s.makeImage(ctx, file, config)
	return img, s.explainFile(file, err)
}

// makeImage completes the configuration by what the archive says.
func (s *Store) makeImage(ctx context.Context, file string, c v1.ConfigFile) (*Image, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	diffID, err := s.importLayer(ctx, file)
	if err != nil {
		return nil, err
	}
	c.OS, c.Architecture = s.cfg.Platform.OS, s.cfg.Platform.Architecture
	c.RootFS = v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{diffID}}
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	m := &manifest{Manifest: &v1.Manifest{Layers: []v1.Descriptor{{Digest: diffID, Size: -1}}}} // raw is left to keep
	if m.Config.Digest, err = digest(config); err != nil {
		return nil, err
	}
	m.at.Digest = m.Config.Digest
	img, err := newImage(m, config)
	if err != nil {
		return nil, err
	}
	return img, s.tree(ctx, img)
}

// Save writes images as docker save does, under their names.
func (s *Store) Save(ctx context.Context, w io.Writer, images map[string]*Image) error {
	unlock, err := s.shareUse(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	list := map[name.Tag]v1.Image{}
	for ref, img := range images {
		tag, err := name.NewTag(ref)
		if err != nil {
			return fmt.Errorf("image %s: want NAME[:TAG]", ref)
		}
		if list[tag], err = s.published(img); err != nil {
			return s.explain(ref, err)
		}
	}
	return tarball.MultiWrite(list, w)
}

// Push puts an image into a registry, with the user's docker credentials.
func (s *Store) Push(ctx context.Context, img *Image, ref string) (v1.Hash, error) {
	h, err := s.push(ctx, img, ref)
	return h, s.explain(ref, err)
}

func (s *Store) push(ctx context.Context, img *Image, ref string) (h v1.Hash, err error) {
	r, err := ParseReference(ref)
	if err != nil {
		return h, err
	}
	unlock, err := s.shareUse(ctx)
	if err != nil {
		return h, err
	}
	defer unlock()
	image, err := s.published(img)
	if err != nil {
		return h, err
	}
	net := fetch.New(fetch.Config{Host: r.ref.Context().RegistryStr(), Private: s.cfg.PrivateRedirects, Transport: s.cfg.Transport, Pause: s.pause})
	defer net.Close()
	step := s.cfg.Progress.Begin("push", r.String(), -1)
	err = remote.Write(r.ref, image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithTransport(net), remote.WithUserAgent(userAgent))
	step.End(err)
	if err != nil {
		return h, err
	}
	return image.Digest()
}

// published is an image as others take it: its layers are compressed anew, and its
// configuration, and with it the ID, is what it was.
func (s *Store) published(img *Image) (v1.Image, error) {
	return partial.UncompressedToImage(unpacked{s, img})
}

// unpacked is an image of the store as partial.UncompressedImageCore has it.
type unpacked struct {
	s   *Store
	img *Image
}

func (u unpacked) RawConfigFile() ([]byte, error) { return u.img.rawConfig, nil }

func (u unpacked) MediaType() (types.MediaType, error) { return types.DockerManifestSchema2, nil }

func (u unpacked) LayerByDiffID(h v1.Hash) (partial.UncompressedLayer, error) {
	for i, have := range u.img.diffIDs {
		if have == h {
			return unpackedLayer{u.s.layerFile(u.img, i), h}, nil
		}
	}
	return nil, fmt.Errorf("layer %s: %w", h, ErrMissing)
}

// unpackedLayer is a layer's file.
type unpackedLayer struct {
	file string
	id   v1.Hash
}

func (l unpackedLayer) DiffID() (v1.Hash, error) { return l.id, nil }

func (l unpackedLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.file) }

func (l unpackedLayer) MediaType() (types.MediaType, error) { return types.DockerLayer, nil }

// tags are those of the names that an archive gives an image which can be given.
func tags(names []string) []string {
	var list []string
	for _, n := range names {
		if _, err := ParseReference(n); err == nil && !strings.Contains(n, "@") {
			list = append(list, n)
		}
	}
	return list
}
