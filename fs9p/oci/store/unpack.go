package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"alpinevm/fs9p/oci"
	"alpinevm/fs9p/tarball"
)

// maxLayer bounds an uncompressed layer, in bytes: a few kilobytes can claim
// to be more than any disk holds.
const maxLayer = 256 << 30

// layerOpener gives the i-th layer of an image as it came.
type layerOpener func(i int) opener

// blobOpener reads layers from the store.
func (s *Store) blobOpener(img *Image) layerOpener {
	return func(i int) opener {
		return func(context.Context) (io.ReadCloser, error) { return os.Open(s.blob(img.layers[i].Digest)) }
	}
}

// unpack makes what is not there of an image's layers and its tree.
func (s *Store) unpack(ctx context.Context, img *Image, open layerOpener) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(downloads)
	for i := range img.diffIDs {
		group.Go(func() error { return s.layer(inner, img, i, open(i)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return s.tree(ctx, img)
}

// layer makes an uncompressed layer unless it is there.
func (s *Store) layer(ctx context.Context, img *Image, i int, open opener) error {
	want, to := img.diffIDs[i], s.path(layersDir, img.diffIDs[i].Hex)
	if there(to, -1) {
		return nil
	}
	unlock, err := s.lock(ctx, want.Hex[:2])
	if err != nil {
		return err
	}
	defer unlock()
	if there(to, -1) {
		return nil
	}
	if img.layers[i].Digest == want && os.Link(s.blob(want), to) == nil {
		return nil // it came uncompressed, and is as its digest says
	}
	step := s.cfg.Progress.Begin("unpack", short(img.layers[i].Digest), img.layers[i].Size)
	r, err := open(ctx)
	if err == nil {
		err = s.place(ctx, to, func(f file) error {
			return decompress(ctx, f, &counter{r: r, step: step}, want)
		})
		r.Close()
	}
	if err != nil {
		err = fmt.Errorf("layer %d (%s): %w", i+1, short(img.layers[i].Digest), err)
	}
	step.End(err)
	return err
}

// decompress writes a layer and checks it against its diff ID.
func decompress(ctx context.Context, w io.Writer, r io.Reader, want v1.Hash) error {
	z, err := tarball.Decompress(r)
	if err != nil {
		return err
	}
	defer z.Close()
	sum := sha256.New()
	buf := make([]byte, 1<<20)
	to := io.MultiWriter(plain{w}, sum)
	for size := int64(0); ; {
		n, err := z.Read(buf)
		if size += int64(n); size > maxLayer {
			return fmt.Errorf("a layer of more than %d GiB", maxLayer>>30)
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != want.Hex {
		return fmt.Errorf("%w: the uncompressed layer is not %s", ErrDigest, short(want))
	}
	return nil
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
		return nil
	}
	r := &Root{}
	defer r.Close()
	layers, err := s.openLayers(img, r)
	if err != nil {
		return err
	}
	step := s.cfg.Progress.Begin("index", short(img.ID), -1)
	err = s.place(ctx, to, func(f file) error { return oci.Build(f, layers, oci.Limits{}) })
	step.End(err)
	return err
}

// treeBytes reads how many bytes an image's files have.
func (s *Store) treeBytes(img *Image) (int64, error) {
	f, err := os.Open(s.treeFile(img))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return oci.TreeBytes(f)
}
