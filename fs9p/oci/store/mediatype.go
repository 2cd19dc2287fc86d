package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// What a registry or a layout may hold that is no image.
var (
	errKind   = errors.New("not a container image")
	errOld    = errors.New("an image of docker's schema 1, of before 2016")
	errBoth   = errors.New("what came is an index and an image at once")
	errNoJSON = errors.New("what came is no manifest")
)

// manifestKind tells what a manifest is: an index, an image's, or else. What it
// says of itself counts (image-spec, manifest.md, "mediaType"), else what was
// said of it, which may have parameters, and else what is in it.
func manifestKind(raw []byte, said types.MediaType) (types.MediaType, error) {
	var m struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     types.MediaType `json:"mediaType"`
		Manifests     json.RawMessage `json:"manifests"`
		Config        json.RawMessage `json:"config"`
		Layers        json.RawMessage `json:"layers"`
		FSLayers      json.RawMessage `json:"fsLayers"`
	}
	said = bare(said)
	if err := json.Unmarshal(raw, &m); err != nil {
		return said, fmt.Errorf("%w (%.100q)", errNoJSON, said)
	}
	index, image := m.Manifests != nil, m.Config != nil || m.Layers != nil
	own := bare(m.MediaType)
	switch {
	case index && (image || m.FSLayers != nil):
		return "", errBoth // whose digest would stand for two things
	case known(own):
		return own, nil
	case index && (own == "" || !known(said)):
		return types.OCIImageIndex, nil
	case image && (own == "" || !known(said)):
		return types.OCIManifestSchema1, nil
	case m.FSLayers != nil, m.SchemaVersion == 1:
		return types.DockerManifestSchema1, nil
	case known(said):
		return said, nil
	case own != "":
		return own, nil
	}
	return said, nil
}

func known(t types.MediaType) bool { return t.IsIndex() || t.IsImage() || t.IsSchema1() }

// bare is a media type without parameters.
func bare(t types.MediaType) types.MediaType {
	if b, _, err := mime.ParseMediaType(string(t)); err == nil {
		return types.MediaType(b)
	}
	return t
}

// configTypes are the media types of the configurations of images: those of the
// specifications, and what docker 1.10 and others have written in their place.
var configTypes = map[types.MediaType]bool{
	types.OCIConfigJSON: true, types.DockerConfigJSON: true,
	"application/octet-stream": true, "application/json": true, "text/plain": true, "": true,
}

// isImage tells whether a manifest's configuration is that of an image and not
// of something else that registries hold.
func isImage(t types.MediaType) bool { return configTypes[bare(t)] }
