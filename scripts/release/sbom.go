package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"maps"
	"slices"
)

// sbom is what is linked into the programs, by package URL.
type sbom struct {
	modules map[string]component
}

// component is one of CycloneDX 1.5.
type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
}

func module(path, version string) component {
	return component{"library", path, version, "pkg:golang/" + path + "@" + version}
}

// add reads what the linker has put into a program.
func (s *sbom) add(program []byte) error {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return err
	}
	if s.modules == nil {
		s.modules = map[string]component{}
	}
	std := module("stdlib", info.GoVersion[len("go"):])
	s.modules[std.PURL] = std
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		c := module(d.Path, d.Version)
		s.modules[c.PURL] = c
	}
	return nil
}

// marshal gives the document, which is the same each time.
func (s *sbom) marshal(version string) ([]byte, error) {
	type metadata struct {
		Component component `json:"component"`
	}
	document := struct {
		Format     string      `json:"bomFormat"`
		Spec       string      `json:"specVersion"`
		Version    int         `json:"version"`
		Metadata   metadata    `json:"metadata"`
		Components []component `json:"components"`
	}{Format: "CycloneDX", Spec: "1.5", Version: 1, Metadata: metadata{component{"application", "alpinevm", version, "pkg:generic/alpinevm@" + version}}}
	for _, k := range slices.Sorted(maps.Keys(s.modules)) {
		document.Components = append(document.Components, s.modules[k])
	}
	b, err := json.MarshalIndent(document, "", "  ")
	return append(b, '\n'), err
}
