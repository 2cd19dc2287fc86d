package alpinevm_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSpecificationNamesTests: a promise whose test is gone is no promise.
func TestSpecificationNamesTests(t *testing.T) {
	declared := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				declared[fn.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("SPECIFICATION.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(Test|Benchmark|Fuzz)[A-Z0-9]\w*\*?`).FindAllString(string(text), -1)
	if len(named) == 0 {
		t.Error("no test is named")
	}
	for _, name := range named {
		prefix, many := strings.CutSuffix(name, "*")
		found := declared[name]
		for d := range declared {
			found = found || many && strings.HasPrefix(d, prefix)
		}
		if !found {
			t.Errorf("%s is nowhere", name)
		}
	}
	for _, m := range regexp.MustCompile("`((?:cpu|devices|bios|kernel|fs9p|net|internal|launch|cmd|bench)(?:/\\w+)*)`").FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Error(err)
		}
	}
}
