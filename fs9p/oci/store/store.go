// Package store keeps container images on the host's disk and pulls them from
// registries, for package oci to serve.
//
// Sources: OCI image-spec 1.1 (manifest, index, config, layout), OCI
// distribution-spec 1.1 as go-containerregistry speaks it, and Docker's image
// manifest version 2, schema 2.
//
// A store is a folder that is an OCI image layout, with parts of our own beside
// it:
//
//	oci-layout, index.json   which images there are, by name; index.json.copy
//	                         is the same once more
//	blobs/sha256/HEX         manifests, configurations, layers as they came
//	layers/HEX               uncompressed layers, by diff ID
//	trees/HEX                what package oci makes of an image's layers
//	ingest/                  files in the making
//	locks/                   empty files for locks
//
// Every file comes into being in ingest and is moved to its place when all of
// it is there, checked and on the disk. So several processes may use a store at
// once and any of them may be killed: what is in its place is whole, and what
// is in ingest is garbage that a later call removes. What has been changed since
// is found when it is needed (see sound.go and package seal), and made or fetched again.
package store

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm/internal/seal"
)

// Config says where a store is and how it pulls.
type Config struct {
	// Dir is the store's folder; it is made when something is stored.
	Dir string
	// Platform is what images must be for; linux/386 if it is empty.
	Platform v1.Platform
	// Transport speaks to registries; nil is that of package fetch. Keychain
	// has the user's credentials; nil is what docker and podman use.
	Transport http.RoundTripper
	Keychain  authn.Keychain
	// PrivateRedirects lets registries send us to addresses that are not
	// public.
	PrivateRedirects bool
	// Large raises the bounds of what an image may be.
	Large bool
	// Free tells how many bytes a folder's disk has room for, if that is known;
	// it may be nil.
	Free func(dir string) (n int64, ok bool)
	// Progress is told what happens; it may be nil.
	Progress Progress
}

// Progress shows what takes time. Begin may be called from several goroutines,
// and each step is used from one.
type Progress interface {
	// Begin starts a step, such as "download" or "unpack", for something of
	// size bytes, -1 if that is not known.
	Begin(verb, what string, size int64) Step
}

// Step is a part of the work. It ends with one call of End.
type Step interface {
	// Add tells that n more bytes are done; of a step that starts anew n is
	// negative.
	Add(n int64)
	// End ends the step.
	End(err error)
}

// Store is a folder of images. Its methods may be called from any goroutine.
type Store struct {
	cfg Config
	// create makes a new file in a folder; tests replace it.
	create func(dir, pattern string) (file, error)
	// pause is how long the first retry waits; each further one waits three
	// times as long.
	pause  time.Duration
	bounds bounds
}

// file is what is written in ingest.
type file interface {
	Write([]byte) (int, error)
	Name() string
	Sync() error
	Close() error
}

// New makes a Store. The folder is not looked at yet.
func New(cfg Config) *Store {
	if cfg.Platform.OS == "" {
		cfg.Platform = ours
	}
	if cfg.Progress == nil {
		cfg.Progress = silent{}
	}
	if cfg.Free == nil {
		cfg.Free = func(string) (int64, bool) { return 0, false }
	}
	if cfg.Keychain == nil {
		cfg.Keychain = authn.DefaultKeychain
	}
	b := usualBounds
	if cfg.Large {
		b = largeBounds
	}
	return &Store{
		cfg: cfg, bounds: b,
		create: func(dir, pattern string) (file, error) { return os.CreateTemp(dir, pattern) },
		pause:  500 * time.Millisecond,
	}
}

// silent is the Progress of nobody.
type silent struct{}

func (silent) Begin(string, string, int64) Step { return silent{} }
func (silent) Add(int64)                        {}
func (silent) End(error)                        {}

// The folders of a store.
const (
	blobsDir  = "blobs/sha256"
	layersDir = "layers"
	treesDir  = "trees"
	ingestDir = "ingest"
	locksDir  = "locks"
)

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.cfg.Dir}, elem...)...)
}

// layoutText is what an OCI layout says that it is (image-layout.md).
const layoutText = `{"imageLayoutVersion":"1.0.0"}` + "\n"

// begin makes the store ready to be written to, which it is until the caller
// calls end. What killed processes have left behind is removed if no other
// process is writing.
func (s *Store) begin(ctx context.Context) (end func(), err error) {
	for _, d := range []string{blobsDir, layersDir, treesDir, ingestDir, locksDir} {
		if err := os.MkdirAll(s.path(d), 0o755); err != nil {
			return nil, err
		}
	}
	if err := s.sweep(); err != nil {
		return nil, err
	}
	if end, err = s.share(ctx, lockUse); err != nil {
		return nil, err
	}
	if b, err := os.ReadFile(s.path(layoutFile)); err == nil && string(b) == layoutText {
		return end, nil
	}
	err = s.place(ctx, s.path(layoutFile), func(f file) error {
		_, err := f.Write([]byte(layoutText))
		return err
	})
	if err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// place makes a file by what write writes and moves it to its place, which may
// be taken, when all of it is on the disk and sealed.
func (s *Store) place(ctx context.Context, to string, write func(f file) error) error {
	f, err := s.create(s.path(ingestDir), filepath.Base(to)+"-*")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		seal.Set(f.Name(), filepath.Base(to))
		err = os.Rename(f.Name(), to)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return nil
}

// there tells whether a file is in its place, of size bytes unless size is
// negative.
func there(name string, size int64) bool {
	info, err := os.Stat(name)
	return err == nil && (size < 0 || info.Size() == size)
}

// blob is the place of a blob. Only SHA-256 is served: it is what there is.
func (s *Store) blob(h v1.Hash) string { return s.path(blobsDir, h.Hex) }

// checkHash refuses digests that are no file names.
func checkHash(h v1.Hash) error {
	if h.Algorithm != "sha256" || len(h.Hex) != 64 {
		return fmt.Errorf("digest %.100q: want sha256", h.String())
	}
	for _, c := range h.Hex {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("digest %.100q: not in hexadecimal", h.String())
		}
	}
	return nil
}
