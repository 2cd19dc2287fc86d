package apk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"alpinevm/internal/seal"
)

// DefaultMirror is where Alpine's repositories are by default.
const DefaultMirror = "https://dl-cdn.alpinelinux.org/alpine"

// Policy says when the repository is asked.
type Policy string

// Policies, by docker's words.
const (
	Missing Policy = "missing" // for what is not in the cache
	Always  Policy = "always"  // for what is the latest
	Never   Policy = "never"
)

// Config says where packages come from and where they are kept.
type Config struct {
	// Dir is the cache's folder; it is made when something is stored.
	Dir string
	// Mirror is the URL that the names of releases follow; "" is DefaultMirror.
	Mirror string
	// Repository is the part of a release: "" is main. Arch is Alpine's name
	// of the processor: "" is x86.
	Repository, Arch string
	// Keys are trusted to sign indexes; nil are AlpineKeys.
	Keys Keys
	// Transport makes requests; nil is that of package fetch.
	Transport http.RoundTripper
	// PrivateRedirects lets the mirror send us to addresses that are not
	// public.
	PrivateRedirects bool
	// Free tells how many bytes a folder's disk has room for, if that is known;
	// it may be nil.
	Free func(dir string) (n int64, ok bool)
	// Progress is told that a download of size bytes, -1 if that is not known,
	// begins; it gives functions that are called with the bytes that have come,
	// negative ones if it starts anew, and when it has ended. It may be nil.
	Progress func(what string, size int64) (add func(int64), end func(error))
}

// Cache keeps packages in a folder. Several processes may use one, and any of
// them may be killed: a file comes to its place when it is complete, verified
// and on the disk. Its methods may be called from any goroutine.
//
//	data/CHECKSUM.tar   a package's data, uncompressed
//	data/CHECKSUM.sum   their SHA-256
//	refs/HASH           which package a name in a repository stands for
//	new/                files in the making
//
// What has been changed since is found when it is needed, and fetched again.
type Cache struct {
	cfg   Config
	pause time.Duration // before the first retry
}

// New makes a Cache. The folder is not looked at yet.
func New(cfg Config) *Cache {
	for _, d := range []struct {
		field *string
		value string
	}{{&cfg.Mirror, DefaultMirror}, {&cfg.Repository, "main"}, {&cfg.Arch, "x86"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if cfg.Keys == nil {
		cfg.Keys = AlpineKeys()
	}
	if cfg.Free == nil {
		cfg.Free = func(string) (int64, bool) { return 0, false }
	}
	if cfg.Progress == nil {
		cfg.Progress = func(string, int64) (func(int64), func(error)) { return func(int64) {}, func(error) {} }
	}
	return &Cache{cfg: cfg, pause: 500 * time.Millisecond}
}

// Package is a package whose data are in the cache.
type Package struct {
	Info
	Data string // name of the file with its data, a tar archive
}

// Package gives a package of a release such as "v3.20", "edge" or
// "latest-stable": that version, or what the cache or the repository has as the
// latest one if version is empty. Its error is one line for people; it wraps
// ErrNotFound, ErrSignature, ErrHash, ErrFormat or ErrMissing where one of
// those is why.
func (c *Cache) Package(ctx context.Context, release, name, version string, policy Policy) (*Package, error) {
	what := fmt.Sprintf("package %s of Alpine %s", name, release)
	if !validName(release) || !validName(name) || version != "" && !validName(version) {
		return nil, fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	ref := c.ref(release, name, version)
	p, before := c.cached(ref)
	if before == nil && policy != Always {
		return p, nil
	}
	if policy == Never {
		return nil, c.explain(what, before)
	}
	p, err := c.update(ctx, release, name, version, ref)
	if err != nil {
		return nil, withDamage(c.explain(what, err), before)
	}
	return p, nil
}

// ref is the name of the file that says what a name stands for.
func (c *Cache) ref(release, name, version string) string {
	sum := sha256.New()
	for _, s := range []string{c.cfg.Mirror, release, c.cfg.Repository, c.cfg.Arch, name, version} {
		fmt.Fprintf(sum, "%d %s\n", len(s), s)
	}
	return filepath.Join(c.cfg.Dir, "refs", hex.EncodeToString(sum.Sum(nil)))
}

// data is the name of the file with a package's data.
func (c *Cache) data(sum Checksum) string {
	return filepath.Join(c.cfg.Dir, "data", sum.String()+".tar")
}

// cached reads a ref whose package is there and whole. The error is ErrMissing,
// or a DamagedError, which is one.
func (c *Cache) cached(ref string) (*Package, error) {
	b, err := os.ReadFile(ref)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, err
	}
	p := &Package{}
	text, sum, ok := bytes.Cut(b, []byte("\n"))
	if !ok || string(sum) != hexSum(text)+"\n" || json.Unmarshal(text, &p.Info) != nil {
		return nil, &DamagedError{ref}
	}
	p.Data = c.data(p.Checksum)
	if !c.sound(p.Data) {
		return nil, &DamagedError{p.Data}
	}
	return p, nil
}

// placeRef says what a name stands for.
func (c *Cache) placeRef(ref string, info Info) error {
	text, err := json.Marshal(info)
	if err != nil {
		return err
	}
	return c.place(ref, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n%s\n", text, hexSum(text))
		return err
	})
}

// update asks the repository, and fetches the package unless it is there.
func (c *Cache) update(ctx context.Context, release, name, version, ref string) (*Package, error) {
	net := c.newClient()
	defer net.Close()
	base := c.url(release)
	index, err := c.index(ctx, net, base)
	if err != nil {
		return nil, fmt.Errorf("its index: %w", err)
	}
	info, err := index.Find(name, version)
	if err != nil {
		return nil, err
	}
	p := &Package{Info: info, Data: c.data(info.Checksum)}
	if !c.sound(p.Data) {
		if err := c.fetch(ctx, net, base+info.FileName(), info, p.Data); err != nil && !c.sound(p.Data) {
			return nil, fmt.Errorf("%s: %w", info.FileName(), err)
		}
	}
	old, _ := c.cached(ref)
	if err := c.placeRef(ref, p.Info); err != nil {
		return nil, err
	}
	if old != nil && old.Checksum != p.Checksum {
		c.drop(old)
	}
	return p, nil
}

// drop removes the data of a package that no name stands for any more, and what
// others have put beside it under its name.
func (c *Cache) drop(p *Package) {
	refs, err := os.ReadDir(filepath.Join(c.cfg.Dir, "refs"))
	if err != nil {
		return
	}
	for _, r := range refs {
		if q, err := c.cached(filepath.Join(c.cfg.Dir, "refs", r.Name())); err == nil && q.Checksum == p.Checksum {
			return
		}
	}
	files, _ := filepath.Glob(strings.TrimSuffix(p.Data, ".tar") + ".*")
	for _, f := range files {
		os.Remove(f)
	}
}

// Open gives the package in a local file, which is verified as apk add does: one
// of Keys has signed it.
func (c *Cache) Open(name string) (*Package, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	o, err := open(f)
	if err != nil {
		return nil, c.explainFile(name, err)
	}
	if err := c.cfg.Keys.verify(o.signed, o.control); err != nil {
		return nil, c.explainFile(name, err)
	}
	p := &Package{Info: o.Info, Data: c.data(o.Checksum)}
	if c.sound(p.Data) {
		return p, nil
	}
	if err := c.placeData(p.Data, o); err != nil {
		return nil, c.explainFile(name, err)
	}
	return p, nil
}

// place makes a file by write, and moves it to its place when it is complete
// and on the disk.
func (c *Cache) place(name string, write func(io.Writer) error) error {
	making := filepath.Join(c.cfg.Dir, "new")
	for _, dir := range []string{making, filepath.Dir(name)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	c.sweep(making)
	f, err := os.CreateTemp(making, "")
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
		seal.Set(f.Name(), filepath.Base(name))
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// abandoned is the age of a file in the making whose process is gone.
const abandoned = 24 * time.Hour

// sweep removes what killed processes have left.
func (c *Cache) sweep(making string) {
	entries, err := os.ReadDir(making)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
			os.Remove(filepath.Join(making, e.Name()))
		}
	}
}

// IsPackage tells whether a file is a package rather than something else.
func IsPackage(name string) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	_, err = open(f)
	var path *fs.PathError
	if errors.As(err, &path) {
		return false, err
	}
	return err == nil, nil
}
