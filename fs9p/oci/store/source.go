package store

import (
	"archive/tar"
	"bufio"
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

	v1 "github.com/google/go-containerregistry/pkg/v1"
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

// maxEntries bounds the files of an archive; an image has some hundred.
const maxEntries = 100_000

// openTar finds the files of an archive. The caller closes f if there is an error.
func openTar(f *os.File) (*tarSource, error) {
	t := &tarSource{file: f, entries: map[string]tarEntry{}}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return t, nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, err
		}
		name := path.Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			off, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, err
			}
			t.entries[name] = tarEntry{off: off, size: h.Size}
		case tar.TypeSymlink:
			t.entries[name] = tarEntry{link: path.Join(path.Dir(name), h.Linkname)}
		case tar.TypeLink:
			t.entries[name] = tarEntry{link: path.Clean(h.Linkname)}
		}
		if len(t.entries) > maxEntries {
			return nil, fmt.Errorf("an archive of more than %d files", maxEntries)
		}
	}
}

// openSource opens an image's files. A compressed archive is decompressed into
// the store's ingest folder for the time being.
func (s *Store) openSource(name string) (source, error) {
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
	t, err := s.openArchive(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

func (s *Store) openArchive(f *os.File) (*tarSource, error) {
	packed, err := isPacked(f)
	if err != nil || !packed {
		if err != nil {
			return nil, err
		}
		return openTar(f)
	}
	step := s.cfg.Progress.Begin("unpack", f.Name(), -1)
	temp, err := s.unpackArchive(f, step)
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
func (s *Store) unpackArchive(f *os.File, step Step) (temp *os.File, err error) {
	temp, err = os.CreateTemp(s.path(ingestDir), "archive-*")
	if err != nil {
		return nil, err
	}
	z, err := decompressor(&counter{r: f, step: step})
	if err == nil {
		_, err = io.Copy(temp, io.LimitReader(z, maxLayer))
		z.Close()
	}
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
	var head [4]byte
	if _, err := io.ReadFull(f, head[:]); err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return false, err
	}
	_, err := f.Seek(0, io.SeekStart)
	return bytes.HasPrefix(head[:], magicGzip) || bytes.Equal(head[:], magicZstd), err
}

// The files by which a source is known, and the names that an archive of an
// image has at its top.
const (
	layoutFile     = "oci-layout"
	dockerManifest = "manifest.json"
)

var imageName = regexp.MustCompile(`^(oci-layout|index\.json|manifest\.json|repositories|blobs(/.*)?|` +
	`(sha256:)?[0-9a-f]{64}(|\.json|\.tar|\.tar\.gz|/|/VERSION|/json|/layer\.tar))$`)

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
	z, err := decompressor(bufio.NewReader(f))
	if err != nil {
		return false, nil // whoever reads it as something else knows better what it is not
	}
	defer z.Close()
	r := tar.NewReader(z)
	for range maxEntries {
		h, err := r.Next()
		if err != nil || !imageName.MatchString(path.Clean(h.Name)) {
			return false, nil
		}
		if name := path.Clean(h.Name); name == layoutFile || name == dockerManifest {
			return true, nil
		}
	}
	return false, nil
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
	src, err := s.openSource(name)
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
	b, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err == nil && len(b) > maxManifest {
		err = fmt.Errorf("%s has more than %d bytes", name, maxManifest)
	}
	return b, err
}

// loadLayout takes the image of an OCI layout (image-layout.md).
func (s *Store) loadLayout(ctx context.Context, src source, index []byte) (*Image, error) {
	idx, err := v1.ParseIndexManifest(bytes.NewReader(index))
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	get := func(_ context.Context, d v1.Descriptor) ([]byte, error) {
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
	missing := &PlatformError{Want: s.cfg.Platform}
	var found *Image
	for _, d := range idx.Manifests {
		raw, err := get(ctx, d)
		if err != nil {
			return nil, err
		}
		m, err := s.chooseIn(ctx, d, raw, get, missing, 0)
		if errors.Is(err, errKind) || err == nil && (m == nil || !isImage(m.Config.MediaType)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		config, err := get(ctx, m.Config)
		if err != nil {
			return nil, err
		}
		var other *PlatformError
		if err := s.checkConfig(config); errors.As(err, &other) {
			missing.Have = append(missing.Have, other.Have...)
			continue
		} else if err != nil {
			return nil, err
		}
		img, err := newImage(m, config)
		if err != nil {
			return nil, err
		}
		if found != nil && found.Digest != img.Digest {
			return nil, errors.New("there are several images in it; one is wanted")
		}
		found = img
	}
	if found == nil {
		return nil, missing
	}
	return found, s.unpack(ctx, found, func(i int) opener {
		return func(context.Context) (io.ReadCloser, error) {
			return src.open(blobsDir + "/" + found.layers[i].Digest.Hex)
		}
	})
}

// loadDocker takes the image of an archive of docker save (moby's image
// specification v1.2, "Combined Image JSON + Filesystem Changeset Format").
func (s *Store) loadDocker(ctx context.Context, src source, list []byte) (*Image, error) {
	var images []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(list, &images); err != nil {
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
	return img, s.unpack(ctx, img, func(i int) opener {
		return func(context.Context) (io.ReadCloser, error) { return src.open(images[0].Layers[i]) }
	})
}
