package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"alpinevm/internal/fetch"
)

// userAgent is how we name ourselves.
const userAgent = "alpinevm"

// An origin is the repository of an image, at its registry (distribution-spec
// 1.1, "Pull").
type origin struct {
	s    *Store
	ref  Reference
	net  *fetch.Client
	http *http.Client // with the user's credentials
}

// connect asks the registry what it wants of us. The caller closes it.
func (s *Store) connect(ctx context.Context, r Reference, keys authn.Keychain) (*origin, error) {
	repo := r.ref.Context()
	o := &origin{s: s, ref: r, net: fetch.New(fetch.Config{
		Host: repo.RegistryStr(), Private: s.cfg.PrivateRedirects, Transport: s.cfg.Transport, Pause: s.pause,
		Waiting: func(host string, d time.Duration) { s.cfg.Progress.Begin("wait", host+" "+d.String(), -1).End(nil) },
	})}
	auth, err := authn.Resolve(ctx, keys, repo)
	if err != nil {
		return nil, err
	}
	err = s.retry(ctx, func() error {
		t, err := transport.NewWithContext(ctx, repo.Registry, auth, transport.NewUserAgent(o.net, userAgent), []string{repo.Scope(transport.PullScope)})
		o.http = &http.Client{Transport: t}
		return err
	})
	if err != nil {
		o.Close()
		return nil, &laterError{err, o.net.Later()}
	}
	return o, nil
}

// Close ends what connect has begun.
func (o *origin) Close() { o.net.Close() }

// laterError is the error of a registry that may have asked for a pause.
type laterError struct {
	error
	later time.Duration
}

func (e *laterError) Unwrap() error { return e.error }

// url is that of a manifest or a blob.
func (o *origin) url(kind, id string) string {
	repo := o.ref.ref.Context()
	return (&url.URL{Scheme: repo.Scheme(), Host: repo.RegistryStr(), Path: "/v2/" + repo.RepositoryStr() + "/" + kind + "/" + id}).String()
}

// manifestTypes are the kinds of manifests that we ask for. One of docker's
// schema 1 is asked for so as to be named.
var manifestTypes = []types.MediaType{
	types.OCIImageIndex, types.DockerManifestList, types.OCIManifestSchema1, types.DockerManifestSchema2,
	types.DockerManifestSchema1Signed, types.DockerManifestSchema1,
}

// ask asks for a manifest by its tag or digest.
func (o *origin) ask(ctx context.Context, method, id string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, o.url("manifests", id), nil)
	if err != nil {
		return nil, err
	}
	for _, t := range manifestTypes {
		r.Header.Add("Accept", string(t))
	}
	resp, err := o.http.Do(r)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// digest is that of a tag as a HEAD has it, which does not count against Docker
// Hub's limit.
func (o *origin) digest(ctx context.Context, id string) (v1.Hash, error) {
	resp, err := o.ask(ctx, http.MethodHead, id)
	if err != nil {
		return v1.Hash{}, err
	}
	resp.Body.Close()
	return v1.NewHash(resp.Header.Get("Docker-Content-Digest"))
}

// manifest reads a manifest or an index, and checks it where id is a digest.
func (o *origin) manifest(ctx context.Context, id string) (d v1.Descriptor, raw []byte, err error) {
	err = o.s.retry(ctx, func() error {
		resp, err := o.ask(ctx, http.MethodGet, id)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if raw, err = readSmall(resp.Body, "the manifest"); err != nil {
			return err
		}
		d.MediaType = types.MediaType(resp.Header.Get("Content-Type"))
		return nil
	})
	if err != nil {
		return d, nil, &laterError{err, o.net.Later()}
	}
	if d.Digest, d.Size, err = v1.SHA256(bytes.NewReader(raw)); err != nil {
		return d, nil, err
	}
	if strings.Contains(id, ":") && d.Digest.String() != id {
		return d, nil, fmt.Errorf("the manifest: %w", ErrDigest)
	}
	return d, raw, nil
}

// get reads what a manifest or an index names: a manifest or a configuration.
func (o *origin) get(ctx context.Context, d v1.Descriptor, isConfig bool) ([]byte, error) {
	if err := checkHash(d.Digest); err != nil {
		return nil, err
	}
	if isConfig {
		r, err := o.blob(d)(ctx)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return readChecked(r, d.Digest)
	}
	_, raw, err := o.manifest(ctx, d.Digest.String())
	return raw, partError(d.Digest, err)
}

// blob reads a blob. Where the registry does not have it, it may be elsewhere
// (descriptor.md, "urls").
func (o *origin) blob(d v1.Descriptor) opener {
	return func(ctx context.Context) (io.ReadCloser, error) {
		r, err := o.download(ctx, d, o.url("blobs", d.Digest.String()))
		for i := 0; i < len(d.URLs) && isMissing(err); i++ {
			r, err = o.download(ctx, d, d.URLs[i])
		}
		if err != nil {
			return nil, partError(d.Digest, &laterError{err, o.net.Later()})
		}
		return r, nil
	}
}

func (o *origin) download(ctx context.Context, d v1.Descriptor, from string) (*fetch.Download, error) {
	return o.net.Download(ctx, fetch.Source{
		Do: o.http.Do, URL: from, Size: d.Size, Fixed: true, Passing: passing,
		Status: func(r *http.Response) error { return transport.CheckError(r, http.StatusOK, http.StatusPartialContent) },
	})
}

// missingPart is the error of an image that the registry does not have all of.
type missingPart struct {
	digest v1.Hash
	error
}

func (e *missingPart) Unwrap() error { return e.error }

func isMissing(err error) bool {
	var t *transport.Error
	return errors.As(err, &t) && (t.StatusCode == http.StatusNotFound || t.StatusCode == http.StatusGone)
}

// partError makes a missingPart of an error that says so.
func partError(h v1.Hash, err error) error {
	if isMissing(err) {
		return &missingPart{h, err}
	}
	return err
}

// passing tells whether an error may be gone when the same is tried again.
func passing(err error) bool {
	var t *transport.Error
	if errors.As(err, &t) {
		return fetch.PassingStatus(t.StatusCode)
	}
	return fetch.Passing(err)
}
