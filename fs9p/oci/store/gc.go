package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Images lists what is in the store, the newest first. One that is pinned and
// has lost its names has none.
func (s *Store) Images(ctx context.Context) ([]*Image, error) {
	unlock, err := s.shareUse(ctx)
	if err != nil {
		return nil, s.explainFile(s.cfg.Dir, err)
	}
	defer unlock()
	idx, err := s.index()
	if err != nil {
		return nil, s.explainFile(s.cfg.Dir, err)
	}
	var images []*Image
	named := map[v1.Hash]bool{}
	for _, d := range idx.Manifests {
		if d.Annotations[annName] != "" {
			named[d.Digest] = true
		}
	}
	for _, d := range idx.Manifests {
		if d.Annotations[annName] == "" {
			if named[d.Digest] || !holds(d) {
				continue
			}
			named[d.Digest] = true // several may pin it
		}
		img, err := s.whole(d)
		if errors.Is(err, ErrMissing) {
			continue
		}
		if err != nil {
			return nil, s.explainFile(s.cfg.Dir, err)
		}
		images = append(images, img)
	}
	slices.SortStableFunc(images, func(a, b *Image) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.String(), b.String()))
	})
	return images, nil
}

// minID is how much of an ID must be given.
const minID = 4

// isID tells whether a name can be the beginning of an ID.
func isID(name string) bool {
	id := strings.TrimPrefix(name, "sha256:")
	return len(id) >= minID && strings.Trim(id, "0123456789abcdef") == ""
}

// byID finds the images whose ID or digest begins so: none, or one under all
// of its names.
func (s *Store) byID(id string) ([]v1.Descriptor, error) {
	if !isID(id) {
		return nil, nil
	}
	id = strings.TrimPrefix(id, "sha256:")
	idx, err := s.index()
	if err != nil {
		return nil, err
	}
	var found []v1.Descriptor
	for _, d := range idx.Manifests {
		img, err := s.image(d)
		if err != nil || !strings.HasPrefix(img.ID.Hex, id) && !strings.HasPrefix(d.Digest.Hex, id) {
			continue
		}
		if len(found) > 0 && found[0].Digest != d.Digest {
			return nil, fmt.Errorf("the ID %s is that of more than one image", id)
		}
		found = append(found, d)
	}
	return found, nil
}

// Removed is what Remove has done.
type Removed struct {
	Names []string // that are gone
	// Image is the ID of an image that is gone; empty where it has other names.
	Image string
	Bytes int64 // that the disk has got back
}

// Remove takes a name away and, with the last one of an image, the image. name
// can be an ID too; all names of the image are meant then, which needs force
// if there are several.
func (s *Store) Remove(ctx context.Context, name string, force bool) (*Removed, error) {
	r, err := s.remove(ctx, name, force)
	return r, s.explain(name, err)
}

func (s *Store) remove(ctx context.Context, name string, force bool) (*Removed, error) {
	gone, id, err := s.meant(name)
	if err != nil {
		return nil, err
	}
	if err := s.free(gone, id, force); err != nil {
		return nil, err
	}
	if len(gone) > 1 && !force {
		return nil, fmt.Errorf("the image has %d names; give one of them, or -f for all", len(gone))
	}
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	r := &Removed{}
	var left bool
	err = s.change(ctx, func(idx *v1.IndexManifest) error {
		kept := idx.Manifests[:0]
		for _, d := range idx.Manifests {
			name := d.Annotations[annName]
			if name != "" && slices.Contains(gone, name) {
				ref, err := ParseReference(name)
				if err != nil {
					return err
				}
				r.Names = append(r.Names, ref.String())
				continue
			}
			if img, err := s.image(d); err == nil && img.ID.Hex == id {
				left = true
			}
			kept = append(kept, d)
		}
		idx.Manifests = kept
		return nil
	})
	end()
	if err != nil {
		return nil, err
	}
	if !left && id != "" {
		r.Image = "sha256:" + id
	}
	r.Bytes, err = s.collect(ctx)
	return r, err
}

// free refuses to take the last names of an image that is pinned; with force
// they go and the image stays.
func (s *Store) free(gone []string, id string, force bool) error {
	idx, err := s.index()
	if err != nil {
		return err
	}
	owners := s.owners(idx, id)
	if len(owners) == 0 || force && len(gone) > 0 {
		return nil
	}
	for _, d := range idx.Manifests {
		if name := d.Annotations[annName]; name != "" && !slices.Contains(gone, name) {
			if img, err := s.image(d); err == nil && img.ID.Hex == id {
				return nil
			}
		}
	}
	return &InUseError{owners}
}

// meant gives the names in index.json that a name or an ID stands for, and the
// ID of their image, empty where it cannot be read.
func (s *Store) meant(name string) (names []string, id string, err error) {
	var found []v1.Descriptor
	if r, err := ParseReference(name); err == nil {
		d, err := s.findIf(r, func(*v1.Platform) bool { return true })
		if err != nil {
			return nil, "", err
		}
		if d != nil {
			found = append(found, *d)
		}
	}
	if len(found) == 0 {
		if found, err = s.byID(name); err != nil {
			return nil, "", err
		}
	}
	if len(found) == 0 {
		return nil, "", ErrMissing
	}
	for _, d := range found {
		if name := d.Annotations[annName]; name != "" {
			names = append(names, name)
		}
	}
	if img, err := s.image(found[0]); err == nil {
		id = img.ID.Hex
	}
	return names, id, nil
}

// collect removes the files that no image needs and tells how many bytes they
// had. While another process makes or opens files nothing is removed; that is
// for a later call.
func (s *Store) collect(ctx context.Context) (int64, error) {
	unlock, ok, err := s.tryLock(lockUse)
	if err != nil || !ok {
		return 0, err
	}
	defer unlock()
	if err := s.dropPins(ctx); err != nil {
		return 0, err
	}
	idx, err := s.index()
	if err != nil {
		return 0, err
	}
	live := map[string]bool{}
	for _, d := range idx.Manifests {
		live[s.blob(d.Digest)] = true
		m, err := s.readManifest(d.Digest)
		if err != nil && d.Annotations[annPin] != "" {
			return 0, nil // what a machine needs may not be to be had again
		}
		if err != nil {
			continue // it is not whole, so nothing of it is of use
		}
		live[s.blob(m.Config.Digest)] = true
		for _, l := range m.Layers {
			live[s.blob(l.Digest)] = true
		}
		img, err := s.image(d)
		if err != nil && d.Annotations[annPin] != "" {
			return 0, nil
		}
		if err == nil {
			live[s.treeFile(img)] = true
			for _, h := range img.diffIDs {
				live[s.path(layersDir, h.Hex)] = true
			}
		}
	}
	freed := int64(0)
	for _, dir := range []string{blobsDir, layersDir, treesDir, ingestDir} {
		n, err := s.clear(dir, live)
		freed += n
		if err != nil {
			return freed, err
		}
	}
	return freed, nil
}

// readManifest reads the manifest of an image.
func (s *Store) readManifest(h v1.Hash) (*v1.Manifest, error) {
	raw, err := s.readBlob(h)
	if err != nil {
		return nil, err
	}
	return v1.ParseManifest(bytes.NewReader(raw))
}

// clear removes the files of a folder that are not live. What another process
// has open and the host therefore keeps is left.
func (s *Store) clear(dir string, live map[string]bool) (freed int64, err error) {
	entries, err := os.ReadDir(s.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		name := s.path(dir, e.Name())
		if live[name] {
			continue
		}
		info, err := e.Info()
		if err == nil && os.Remove(name) == nil {
			freed += info.Size()
		}
	}
	return freed, nil
}

// sweep removes what killed processes have left behind, if no other is at work.
func (s *Store) sweep() error {
	unlock, ok, err := s.tryLock(lockUse)
	if err != nil || !ok {
		return err
	}
	defer unlock()
	_, err = s.clear(ingestDir, nil)
	return err
}
