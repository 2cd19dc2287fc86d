package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRelease builds a release for one platform.
func TestRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program twice")
	}
	out := t.TempDir()
	t.Chdir("../..")
	r := release{out: out, version: "v0.0.0-test"}
	if err := r.build([]string{"linux/386"}); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
	if err != nil || strings.Count(string(sums), "\n") != 2 || !strings.Contains(string(sums), "  alpinevm-v0.0.0-test-linux-386.tar.gz\n") {
		t.Errorf("%s, %v", sums, err)
	}
	text, err := os.ReadFile(filepath.Join(out, "sbom.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		BOMFormat  string
		Components []struct{ Name, Version, PURL string }
	}
	if err := json.Unmarshal(text, &list); err != nil || list.BOMFormat != "CycloneDX" {
		t.Fatal(err)
	}
	var names []string
	for _, c := range list.Components {
		names = append(names, c.Name)
		if c.Version == "" || !strings.HasPrefix(c.PURL, "pkg:golang/"+c.Name+"@") {
			t.Errorf("%+v", c)
		}
	}
	if got := strings.Join(names, " "); !strings.Contains(got, "stdlib") || !strings.Contains(got, "gvisor.dev/gvisor") {
		t.Errorf("%s", got)
	}
	if err := r.build([]string{"nosuch"}); err == nil {
		t.Error("a platform that is none")
	}
}
