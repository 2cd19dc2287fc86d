package store

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"alpinevm/internal/fetch"
)

// A Reference names an image as docker does: a registry, which is Docker Hub
// where there is none, a repository, and a tag, which is "latest" where there
// is none, or a digest.
type Reference struct {
	ref    name.Reference
	digest string // empty where there is a tag
}

// The name of Docker Hub in references, in go-containerregistry's, and the
// folder of its official images.
const (
	hub         = "docker.io/"
	hubRegistry = "index.docker.io"
	hubOfficial = "library/"
)

// ParseReference reads a reference such as "alpine:3.20", "docker.io/i386/alpine"
// or "localhost:5000/x@sha256:...".
func ParseReference(s string) (Reference, error) {
	registry, _, _ := strings.Cut(s, "/")
	var options []name.Option
	if fetch.Loopback(registry) {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(s, options...)
	if err != nil {
		return Reference{}, fmt.Errorf("image %q: not a reference such as alpine:3.20 or registry/folder/image:tag: %w", s, err)
	}
	r := Reference{ref: ref}
	if d, ok := ref.(name.Digest); ok {
		r.digest = d.DigestStr()
	}
	return r, nil
}

// repository is the name without tag and digest, with the registry.
func (r Reference) repository() string {
	repo := r.ref.Context()
	if repo.RegistryStr() == hubRegistry {
		return hub + repo.RepositoryStr()
	}
	return repo.Name()
}

// Repository is the name without tag and digest, as docker shows it: Docker
// Hub's without the registry; empty where there is no name.
func (r Reference) Repository() string {
	if r.ref == nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimPrefix(r.repository(), hub), hubOfficial)
}

// Tag is the tag; empty where there is a digest.
func (r Reference) Tag() string {
	if r.ref == nil || r.digest != "" {
		return ""
	}
	return r.ref.Identifier()
}

// Digest is the digest, "sha256:..."; empty where there is a tag.
func (r Reference) Digest() string { return r.digest }

// Full is the name with everything.
func (r Reference) Full() string { return r.repository() + r.suffix() }

// String is the name as docker shows it.
func (r Reference) String() string { return r.Repository() + r.suffix() }

func (r Reference) suffix() string {
	if r.digest != "" {
		return "@" + r.digest
	}
	return ":" + r.Tag()
}

// registry is the host that the image comes from, as messages name it.
func (r Reference) registry() string {
	if r.onHub() {
		return "Docker Hub"
	}
	return r.ref.Context().RegistryStr()
}

func (r Reference) onHub() bool { return r.ref.Context().RegistryStr() == hubRegistry }
