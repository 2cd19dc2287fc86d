package store

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/fs9p/tarball"
)

// Import makes an image of the tar archive of a root file system, compressed or
// not, as docker import does: one layer, and a configuration that says nothing.
// It gets no name. The same files give the same image.
func (s *Store) Import(ctx context.Context, name string) (*Image, error) {
	img, err := s.importTar(ctx, name)
	return img, s.explainFile(name, err)
}

func (s *Store) importTar(ctx context.Context, name string) (*Image, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	diffID, err := s.importLayer(ctx, name)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(v1.ConfigFile{
		OS: s.cfg.Platform.OS, Architecture: s.cfg.Platform.Architecture,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{diffID}},
	})
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

// importLayer puts the uncompressed archive among the layers.
func (s *Store) importLayer(ctx context.Context, name string) (diffID v1.Hash, err error) {
	in, err := os.Open(name)
	if err != nil {
		return diffID, err
	}
	defer in.Close()
	size := int64(-1)
	if info, err := in.Stat(); err == nil {
		size = info.Size()
	}
	step := s.cfg.Progress.Begin("unpack", name, size)
	defer func() { step.End(err) }()
	f, err := s.create(s.path(ingestDir), "import-*")
	if err != nil {
		return diffID, err
	}
	defer os.Remove(f.Name()) // which has its name no more if all goes well
	diffID, err = unpackSum(ctx, f, &counter{r: in, step: step})
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return diffID, err
	}
	unlock, err := s.lock(ctx, diffID.Hex[:2])
	if err != nil {
		return diffID, err
	}
	defer unlock()
	if to := s.path(layersDir, diffID.Hex); !there(to, -1) {
		err = os.Rename(f.Name(), to)
	}
	return diffID, err
}

func digest(b []byte) (v1.Hash, error) {
	h, _, err := v1.SHA256(inMemory(b))
	return h, err
}

// unpackSum decompresses r to w and gives the digest of what it wrote.
func unpackSum(ctx context.Context, w io.Writer, r io.Reader) (v1.Hash, error) {
	z, err := tarball.Decompress(r)
	if err != nil {
		return v1.Hash{}, err
	}
	defer z.Close()
	h, n, err := v1.SHA256(io.TeeReader(io.LimitReader(cancelled{ctx, z}, maxLayer+1), plain{w}))
	if err == nil && n > maxLayer {
		err = fmt.Errorf("an archive of more than %d GiB", maxLayer>>30)
	}
	return h, err
}

// cancelled is a reader that ends with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
