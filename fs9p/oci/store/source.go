package store

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/fs9p"
	"alpinevm/internal/tarball"
)

// A source is an image in files of its own: an OCI layout, as a folder or as a
// tar archive, or what docker save writes. Only what is missing of its
// uncompressed layers goes into the store.
type source interface {
	// open opens a file by its slash-separated name.
	open(name string) (io.ReadCloser, error)
	Close() error
}

// dirSource is a folder; names cannot lead out of it.
type dirSource struct{ *os.Root }

func (d dirSource) open(name string) (io.ReadCloser, error) { return d.Root.Open(name) }

// tarSource is an archive whose files are found by name.
type tarSource struct {
	file    *os.File
	temp    string // to be removed, if not empty
	entries map[string]tarEntry
}

type tarEntry struct {
	off, size int64
	link      string // of a link: the name of another entry
}

func (t *tarSource) open(name string) (io.ReadCloser, error) {
	e, ok := t.entries[path.Clean(name)]
	if ok && e.link != "" {
		e, ok = t.entries[e.link]
	}
	if !ok || e.link != "" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return io.NopCloser(io.NewSectionReader(t.file, e.off, e.size)), nil
}

func (t *tarSource) Close() error {
	err := t.file.Close()
	if t.temp != "" {
		err = errors.Join(err, os.Remove(t.temp))
	}
	return err
}

// Bounds of the files of an archive, of which an image has some hundred, and of
// their names together, in bytes.
const (
	maxEntries = 100_000
	maxNames   = 16 << 20
)

var errSparse = errors.New("a sparse file; make the archive without sparse files (tar without -S)")

// openTar finds the files of an archive. The caller closes f if there is an error.
func openTar(f *os.File) (*tarSource, error) {
	t := &tarSource{file: f, entries: map[string]tarEntry{}}
	names := 0
	for r := tarball.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return t, nil
		}
		if h == nil {
			return nil, err
		}
		name := ""
		if err == nil {
			name, err = tarball.Clean(h.Name)
		}
		if err == nil {
			err = t.add(name, h)
		}
		if err != nil {
			return nil, fmt.Errorf("%.300q: %w", h.Name, err)
		}
		if names += len(name) + len(h.Linkname); len(t.entries) > maxEntries || names > maxNames {
			return nil, fmt.Errorf("an archive of more than %d files, or of long names", maxEntries)
		}
	}
}

// add adds the entry that the file's offset is at.
func (t *tarSource) add(name string, h *tarball.Entry) error {
	switch {
	case h.Class == tarball.HardLink:
		t.entries[name] = tarEntry{link: inside("", h.Linkname)}
	case h.Type == fs9p.ModeSymlink:
		t.entries[name] = tarEntry{link: inside(path.Dir(name), h.Linkname)}
	case h.Type == fs9p.ModeRegular:
		for k := range h.PAXRecords {
			if strings.HasPrefix(k, "GNU.sparse.") {
				return errSparse
			}
		}
		if h.Typeflag == tar.TypeGNUSparse {
			return errSparse
		}
		off, err := t.file.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		t.entries[name] = tarEntry{off: off, size: h.Size}
	}
	return nil
}

// inside is where a link in dir leads to, in the archive.
func inside(dir, target string) string {
	if strings.HasPrefix(target, "/") {
		dir = ""
	}
	return path.Join("/", dir, target)[1:]
}

// openSource opens an image's files. A compressed archive is decompressed into
// the store's ingest folder for the time being.
func (s *Store) openSource(ctx context.Context, name string) (source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		root, err := os.OpenRoot(name)
		return dirSource{root}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	t, err := s.openArchive(ctx, f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

func (s *Store) openArchive(ctx context.Context, f *os.File) (*tarSource, error) {
	packed, err := isPacked(f)
	if err != nil || !packed {
		if err != nil {
			return nil, err
		}
		return openTar(f)
	}
	step := s.cfg.Progress.Begin("unpack", f.Name(), -1)
	temp, err := s.unpackArchive(ctx, f, step)
	step.End(err)
	if err != nil {
		return nil, err
	}
	t, err := openTar(temp)
	if err != nil {
		temp.Close()
		os.Remove(temp.Name())
		return nil, err
	}
	t.temp = temp.Name()
	return t, f.Close()
}

// unpackArchive decompresses a file.
func (s *Store) unpackArchive(ctx context.Context, f *os.File, step Step) (temp *os.File, err error) {
	temp, err = os.CreateTemp(s.path(ingestDir), "archive-*")
	if err != nil {
		return nil, err
	}
	_, err = unpackSum(ctx, temp, &counter{r: f, step: step}, s.newBudget())
	if err == nil {
		_, err = temp.Seek(0, io.SeekStart)
	}
	if err != nil {
		temp.Close()
		os.Remove(temp.Name())
		return nil, err
	}
	return temp, nil
}

// isPacked tells whether a file is compressed.
func isPacked(f *os.File) (bool, error) {
	var head [16]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return false, err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	return tarball.Packed(head[:n])
}

// The files by which a source is known, and the names that an archive of an
// image has at its top.
const (
	layoutFile     = "oci-layout"
	dockerManifest = "manifest.json"
)

// imageFolder is the folders of such an archive: of blobs, and a layer's as
// docker wrote it before 2024.
var imageFolder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(blobs|(sha256:)?[0-9a-f]{64})(/|$)`) })

// IsImage tells whether a folder or an archive holds an image, rather than the
// files of a root file system.
func IsImage(name string) (bool, error) {
	info, err := os.Stat(name)
	if err != nil {
		return false, err
	}
	if info.IsDir() {
		_, err := os.Stat(path.Join(name, layoutFile))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	z, err := tarball.Decompress(f)
	if err != nil {
		return false, nil // whoever reads it as something else knows better what it is not
	}
	defer z.Close()
	return holdsImage(tarball.NewReader(z)), nil
}

// holdsImage looks for the files by which an image is known. A folder that no
// image has is the end: every root file system has one.
func holdsImage(r *tarball.Reader) bool {
	for range maxEntries {
		h, err := r.Next()
		if err != nil {
			return false
		}
		name, err := tarball.Clean(h.Name)
		if err != nil {
			return false
		}
		folder := h.Type == fs9p.ModeDir || strings.Contains(name, "/")
		switch {
		case name == "", h.Class == tarball.Skip:
		case folder && !imageFolder().MatchString(name):
			return false
		case folder:
		case name == layoutFile:
			return true
		case name == dockerManifest:
			b, err := io.ReadAll(io.LimitReader(r, maxManifest))
			if list, listErr := parseDockerManifest(b); err == nil && listErr == nil && len(list) > 0 {
				return true
			}
		}
	}
	return false
}

// Load takes the image of a folder or an archive: an OCI layout, as skopeo and
// buildx write it, or what docker save writes. It gets no name.
func (s *Store) Load(ctx context.Context, name string) (*Image, error) {
	img, err := s.load(ctx, name)
	return img, s.explainFile(name, err)
}

func (s *Store) load(ctx context.Context, name string) (*Image, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	src, err := s.openSource(ctx, name)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if b, err := readFile(src, "index.json"); err == nil {
		return s.loadLayout(ctx, src, b)
	}
	b, err := readFile(src, dockerManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: it has neither index.json nor %s", errKind, dockerManifest)
	}
	if err != nil {
		return nil, err
	}
	return s.loadDocker(ctx, src, b)
}

// readFile reads a small file of a source.
func readFile(src source, name string) ([]byte, error) {
	r, err := src.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readSmall(r, name)
}

// loadLayout takes the image of an OCI layout (image-layout.md).
func (s *Store) loadLayout(ctx context.Context, src source, index []byte) (*Image, error) {
	idx, err := v1.ParseIndexManifest(bytes.NewReader(index))
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	get := func(_ context.Context, d v1.Descriptor, _ bool) ([]byte, error) {
		if err := checkHash(d.Digest); err != nil {
			return nil, err
		}
		r, err := src.open(blobsDir + "/" + d.Digest.Hex)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return readChecked(r, d.Digest)
	}
	c := s.newChooser(get)
	var found *Image
	for _, d := range idx.Manifests {
		img, err := c.imageOf(ctx, d)
		if err != nil {
			return nil, err
		}
		if img != nil && found != nil && found.Digest != img.Digest {
			return nil, errors.New("there are several images in it; one is wanted")
		}
		if img != nil {
			found = img
		}
	}
	if found == nil {
		return nil, c.missing
	}
	return found, s.unpack(ctx, found, func(i int) opener {
		return func(context.Context) (io.ReadCloser, error) {
			return src.open(blobsDir + "/" + found.layers[i].Digest.Hex)
		}
	})
}

// imageOf gives the image that an entry of a layout's index leads to; nil if
// that is none, or one for another platform.
func (c *chooser) imageOf(ctx context.Context, d v1.Descriptor) (*Image, error) {
	raw, err := c.get(ctx, d, false)
	if err != nil {
		return nil, err
	}
	m, err := c.in(ctx, d, raw, 0)
	if errors.Is(err, errKind) || err == nil && (m == nil || !isImage(m.Config.MediaType)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	config, err := c.get(ctx, m.Config, true)
	if err != nil {
		return nil, err
	}
	p, ok := normal(d.Platform)
	m.chosen = m.chosen || ok && c.fits(p)
	var other *PlatformError
	switch err := c.s.checkConfig(config); {
	case errors.As(err, &other) && !m.chosen:
		c.missing.add(other.Have...)
		return nil, nil
	case err != nil && other == nil:
		return nil, err
	}
	img, err := newImage(m, config)
	if err == nil {
		err = c.s.checkSize(img)
	}
	return img, err
}

// dockerImage is an image of an archive of docker save: names of its files.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func parseDockerManifest(b []byte) ([]dockerImage, error) {
	var list []dockerImage
	err := json.Unmarshal(b, &list)
	return list, err
}

// loadDocker takes the image of an archive of docker save (moby's image
// specification v1.2, "Combined Image JSON + Filesystem Changeset Format").
func (s *Store) loadDocker(ctx context.Context, src source, list []byte) (*Image, error) {
	images, err := parseDockerManifest(list)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dockerManifest, err)
	}
	if len(images) != 1 {
		return nil, fmt.Errorf("there are %d images in it; one is wanted", len(images))
	}
	config, err := readFile(src, images[0].Config)
	if err != nil {
		return nil, err
	}
	if err := s.checkConfig(config); err != nil {
		return nil, err
	}
	id, size, err := v1.SHA256(bytes.NewReader(config))
	if err != nil {
		return nil, err
	}
	c, err := v1.ParseConfigFile(bytes.NewReader(config))
	if err != nil {
		return nil, err
	}
	m := &manifest{at: v1.Descriptor{Digest: id, Size: size}, Manifest: &v1.Manifest{}} // raw is left to keep
	m.Config.Digest = id
	if len(images[0].Layers) == len(c.RootFS.DiffIDs) {
		for _, h := range c.RootFS.DiffIDs {
			m.Layers = append(m.Layers, v1.Descriptor{Digest: h, Size: -1})
		}
	}
	img, err := newImage(m, config)
	if err != nil {
		return nil, err
	}
	img.Tags = tags(images[0].RepoTags)
	return img, s.unpack(ctx, img, func(i int) opener {
		return func(context.Context) (io.ReadCloser, error) { return src.open(images[0].Layers[i]) }
	})
}
