package alpinevm

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// layers is the import table of the design: what each package may import of
// this module. A pattern that ends in /... stands for everything below it. Of
// several rows that match a package the longest one counts. Test files may
// import what testOnly names and their own package's layer besides.
var layers = []struct {
	pkg   string
	allow []string
}{
	{"cpu/x86", nil},
	{"cpu/mem", nil},
	{"cpu/softfloat", nil},
	{"cpu/gen", nil},
	{"cpu", []string{"cpu/x86", "cpu/mem", "cpu/softfloat"}},
	{"cpu/cputest/...", []string{"cpu", "cpu/x86", "cpu/mem", "cpu/softfloat"}},
	{"cpu/jit/...", []string{"cpu", "cpu/x86", "cpu/mem", "cpu/softfloat", "cpu/jit/..."}},
	{"devices", nil},
	{"devices/virtio/virtq", nil},
	{"devices/virtio", []string{"devices", "devices/virtio/virtq"}},
	{"devices/...", []string{"devices"}},
	{"bios", nil},
	{"kernel", nil},
	{"kernel/...", []string{"kernel"}},
	{"fs9p", nil},
	{"fs9p/...", []string{"fs9p", "fs9p/tarball"}},
	{"fs9p/memfs", []string{"fs9p", "fs9p/tarball", "fs9p/tree"}},
	{"fs9p/statefs", []string{"fs9p", "fs9p/tree"}},
	{"fs9p/oci/store", []string{"fs9p", "fs9p/oci", "fs9p/tarball"}},
	{"net/usernet", nil},
	{"internal/board", []string{"cpu", "cpu/mem", "cpu/x86", "devices/...", "bios", "kernel"}},
	{"internal/printable", nil},
	{"", []string{"cpu", "cpu/jit/...", "internal/board", "internal/printable", "devices/virtio", "kernel", "fs9p/...", "net/usernet"}},
	{"internal/imageconfig", []string{"", "fs9p", "kernel"}},
	{"launch", []string{"", "internal/imageconfig", "fs9p/...", "kernel/...", "net/usernet"}},
	{"internal/machines", []string{"launch", "fs9p/..."}},
	{"cmd/...", []string{"", "launch", "internal/machines", "internal/printable", "fs9p/...", "kernel/...", "net/usernet", "bench"}},
	{"bench/...", []string{"", "fs9p/...", "kernel/...", "net/usernet", "bench"}},
	{"scripts/...", []string{"", "kernel/..."}},
	{"internal/apktest", nil},
	{"internal/baretest", nil},
	{"internal/guesttest", []string{"kernel", "fs9p", "fs9p/memfs", "internal/guesttest/guestfile"}},
	{"internal/guesttest/guestfile", nil},
}

// testOnly is what test files of any package may import besides.
var testOnly = []string{
	"cpu/jit/...",
	"cpu/cputest", "fs9p", "fs9p/fstest", "fs9p/memfs", "fs9p/overlay", "fs9p/statefs", "net/usernet", "internal/guesttest/...", "internal/apktest", "internal/baretest",
}

func matches(pattern, pkg string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	return pattern == pkg
}

func layerOf(pkg string) (allow []string, ok bool) {
	best := -1
	for _, l := range layers {
		if n := len(strings.TrimSuffix(l.pkg, "/...")); matches(l.pkg, pkg) && n > best {
			allow, ok, best = l.allow, true, n
		}
	}
	return allow, ok
}

func allowed(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if matches(p, pkg) {
			return true
		}
	}
	return false
}

// TestLayering parses every import of the module against the table.
func TestLayering(t *testing.T) {
	const module = "alpinevm"
	files := 0
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != "." && (strings.HasPrefix(base, ".") || base == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		files++
		pkg := path.Dir(filepath.ToSlash(name))
		if pkg == "." {
			pkg = ""
		}
		allow, ok := layerOf(pkg)
		if !ok {
			t.Errorf("%s: package %q has no row in the table of layers", name, pkg)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			target, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			rel, ours := strings.CutPrefix(target+"/", module+"/")
			if !ours {
				continue
			}
			rel = strings.TrimSuffix(rel, "/")
			test := strings.HasSuffix(name, "_test.go")
			if allowed(allow, rel) || test && (rel == pkg || allowed(testOnly, rel)) {
				continue
			}
			t.Errorf("%s imports %s, which the layer of %q does not allow", name, target, pkg)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d Go files were seen", files)
	}
}

// TestLayeringRefuses checks the checker on imports that must be refused.
func TestLayeringRefuses(t *testing.T) {
	for _, tt := range []struct {
		pkg, imp string
		ok       bool
	}{
		{"cpu", "devices", false}, {"cpu", "cpu/jit", false}, {"cpu/x86", "cpu/mem", false},
		{"devices/pic", "devices/pit", false}, {"devices/virtio", "devices/virtio/virtq", true},
		{"bios", "kernel", false}, {"fs9p/memfs", "fs9p", true}, {"fs9p/memfs", "fs9p/overlay", false},
		{"", "net/usernet", true}, {"cmd/alpinevm", "cpu", false}, {"net/usernet", "devices", false},
	} {
		allow, found := layerOf(tt.pkg)
		if got := found && allowed(allow, tt.imp); got != tt.ok {
			t.Errorf("%q importing %q: allowed %v, want %v", tt.pkg, tt.imp, got, tt.ok)
		}
	}
}
