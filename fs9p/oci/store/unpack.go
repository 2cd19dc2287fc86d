package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"alpinevm/fs9p/oci"
	"alpinevm/internal/seal"
	"alpinevm/internal/tarball"
)

// layerOpener gives the i-th layer of an image as it came.
type layerOpener func(i int) opener

// blobOpener reads layers from the store. One that is damaged is a DamagedError.
func (s *Store) blobOpener(img *Image) layerOpener {
	return func(i int) opener {
		return func(context.Context) (io.ReadCloser, error) {
			l := img.layers[i]
			if err := s.needs(s.blob(l.Digest), l.Digest, l.Size); err != nil {
				return nil, err
			}
			return os.Open(s.blob(l.Digest))
		}
	}
}

// layerFile is the place of an uncompressed layer.
func (s *Store) layerFile(img *Image, i int) string { return s.path(layersDir, img.diffIDs[i].Hex) }

// unpack makes what is not there of an image's layers and its tree.
func (s *Store) unpack(ctx context.Context, img *Image, open layerOpener) error {
	whole := s.newBudget()
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(downloads)
	for i := range img.diffIDs {
		group.Go(func() error { return s.layer(inner, img, i, whole, open(i)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return s.tree(ctx, img)
}

// layer makes an uncompressed layer unless it is there.
func (s *Store) layer(ctx context.Context, img *Image, i int, whole *budget, open opener) error {
	want, to := img.diffIDs[i], s.layerFile(img, i)
	if ok, err := s.sound(to, want, -1); ok || err != nil {
		return err
	}
	unlock, err := s.lock(ctx, want.Hex[:2])
	if err != nil {
		return err
	}
	defer unlock()
	if ok, err := s.sound(to, want, -1); ok || err != nil {
		return err
	}
	if img.layers[i].Digest == want && s.linkBlob(want, to) {
		return whole.take(img.layers[i].Size) // it came uncompressed, and is as its digest says
	}
	step := s.cfg.Progress.Begin("unpack", short(img.layers[i].Digest), img.layers[i].Size)
	r, err := open(ctx)
	if err == nil {
		err = s.place(ctx, to, func(f file) error {
			return decompress(ctx, f, &counter{r: r, step: step}, want, whole)
		})
		r.Close()
	}
	if err != nil {
		err = fmt.Errorf("layer %d (%s): %w", i+1, short(img.layers[i].Digest), err)
	}
	step.End(err)
	return err
}

// linkBlob gives a blob one more name, in place of what had it.
func (s *Store) linkBlob(h v1.Hash, to string) bool {
	ok, err := s.sound(s.blob(h), h, -1)
	if !ok || err != nil {
		return false
	}
	os.Remove(to)
	return os.Link(s.blob(h), to) == nil
}

// decompress writes a layer and checks it against its diff ID.
func decompress(ctx context.Context, w io.Writer, r *counter, want v1.Hash, whole *budget) error {
	got, err := unpackSum(ctx, w, r, whole)
	if err == nil && got != want {
		err = fmt.Errorf("%w: the uncompressed layer is not %s", ErrDigest, short(want))
	}
	return err
}

// unpackSum decompresses r to w and gives the digest of what it wrote.
func unpackSum(ctx context.Context, w io.Writer, r *counter, whole *budget) (v1.Hash, error) {
	z, err := tarball.Decompress(r)
	if err != nil {
		return v1.Hash{}, err
	}
	defer z.Close()
	sum := sha256.New()
	buf := make([]byte, 1<<20)
	meter := meter{whole: whole, in: r}
	for {
		n, err := z.Read(buf)
		if e := meter.add(int64(n)); e != nil {
			return v1.Hash{}, e
		}
		sum.Write(buf[:n])
		if _, err := w.Write(buf[:n]); err != nil {
			return v1.Hash{}, err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return v1.Hash{}, err
		}
		if err := ctx.Err(); err != nil {
			return v1.Hash{}, err
		}
	}
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}, nil
}

// treeFile is the place of an image's tree. Its name is a digest of those of
// the layers and of the version of the format.
func (s *Store) treeFile(img *Image) string {
	sum := sha256.New()
	io.WriteString(sum, oci.Version)
	for _, h := range img.diffIDs {
		io.WriteString(sum, h.Hex)
	}
	return s.path(treesDir, hex.EncodeToString(sum.Sum(nil)))
}

// tree makes an image's tree unless it is there.
func (s *Store) tree(ctx context.Context, img *Image) error {
	to := s.treeFile(img)
	if there(to, -1) {
		return nil // Open checks it
	}
	r := &Root{}
	defer r.Close()
	layers, err := s.openLayers(img, r)
	if err != nil {
		return err
	}
	step := s.cfg.Progress.Begin("index", short(img.ID), -1)
	err = s.place(ctx, to, func(f file) error {
		return oci.Build(f, interruptible(ctx, layers), s.bounds.tree)
	})
	var many *oci.TooManyError
	if errors.As(err, &many) {
		err = s.limit("it has %v", many)
	}
	step.End(err)
	return err
}

// interruptible makes layers that end with ctx.
func interruptible(ctx context.Context, layers []oci.Layer) []oci.Layer {
	list := slices.Clone(layers)
	for i := range list {
		list[i].Data = readerAt{ctx, list[i].Data}
	}
	return list
}

type readerAt struct {
	ctx context.Context
	r   io.ReaderAt
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.ReadAt(p, off)
}

// treeBytes reads how many bytes an image's files have.
func (s *Store) treeBytes(img *Image) (int64, error) {
	if !seal.Holds(s.treeFile(img)) {
		return 0, &DamagedError{s.treeFile(img)}
	}
	f, err := os.Open(s.treeFile(img))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return oci.TreeBytes(f)
}
