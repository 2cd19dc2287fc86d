package store

import (
	"context"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/internal/seal"
)

// Import makes an image of the tar archive of a root file system, compressed or
// not, as docker import does: one layer, and a configuration that says nothing.
// It gets no name. The same files give the same image.
func (s *Store) Import(ctx context.Context, name string) (*Image, error) {
	return s.Make(ctx, name, v1.ConfigFile{})
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
