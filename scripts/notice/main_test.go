package main

import (
	"os"
	"regexp"
	"testing"
)

// TestNotice: NOTICE names the modules that are linked in, and no others.
func TestNotice(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile("NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	modules, err := linked()
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^={80}\n(.+)$`).FindAllStringSubmatch(string(text), -1) {
		named[m[1]] = true
		if _, ok := modules[m[1]]; !ok {
			t.Errorf("%s is named and not linked in: go run ./scripts/notice", m[1])
		}
	}
	for name := range modules {
		if !named[name] {
			t.Errorf("%s is linked in and not named: go run ./scripts/notice", name)
		}
	}
}
