package store

import (
	"context"
	"encoding/json"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/internal/seal"
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
	diffID, err = unpackSum(ctx, f, &counter{r: in, step: step}, s.newBudget())
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
	to := s.path(layersDir, diffID.Hex)
	if ok, err := s.sound(to, diffID, -1); ok || err != nil {
		return diffID, err
	}
	seal.Set(f.Name(), diffID.Hex)
	return diffID, os.Rename(f.Name(), to)
}

func digest(b []byte) (v1.Hash, error) {
	h, _, err := v1.SHA256(inMemory(b))
	return h, err
}
