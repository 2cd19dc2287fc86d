package alpinevm

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Limits of files and functions that are written by hand, in lines.
const (
	maxFileLines     = 1000
	maxFunctionLines = 150
)

// source is one Go file of the module.
type source struct {
	name, pkg string // pkg is "" for the root
	text      string
	files     *token.FileSet
	file      *ast.File
}

func (s *source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

func parseSource(name, text string) (*source, error) {
	s := &source{name: filepath.ToSlash(name), text: text, files: token.NewFileSet()}
	if s.pkg = path.Dir(s.name); s.pkg == "." {
		s.pkg = ""
	}
	var err error
	s.file, err = parser.ParseFile(s.files, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return s, err
}

// sources parses every Go file of the module.
func sources(t *testing.T) []*source {
	t.Helper()
	var list []*source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch base := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || path.Ext(base) != ".go":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		s, err := parseSource(name, string(text))
		list = append(list, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 100 {
		t.Fatalf("only %d Go files were seen", len(list))
	}
	return list
}

// imports are the import paths of a file, those of the module without its name.
func (s *source) imports() (ours, others []string) {
	for _, imp := range s.file.Imports {
		target, _ := strconv.Unquote(imp.Path.Value)
		if rel, ok := strings.CutPrefix(target+"/", "alpinevm/"); ok {
			ours = append(ours, strings.TrimSuffix(rel, "/"))
		} else {
			others = append(others, target)
		}
	}
	return ours, others
}

// calls lists the selectors of package pkg that the file uses, by their names, with what
// is called with which arguments; nil arguments where it is no call.
func (s *source) calls(pkg string, each func(name string, at token.Pos, args []ast.Expr)) {
	called := map[*ast.SelectorExpr][]ast.Expr{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
				called[sel] = call.Args
			}
		}
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg {
				each(sel.Sel.Name, sel.Pos(), called[sel])
			}
		}
		return true
	})
}

func (s *source) at(pos token.Pos) int { return s.files.Position(pos).Line }

// rails are the rules beside the table of layers. Each gives what is wrong with a file.
var rails = []struct {
	name  string
	check func(*source) []string
}{
	{"layers", railLayers}, {"other imports", railOutside}, {"tests only", railTestsOnly}, {"time", railTime},
	{"goroutines", railGoroutines}, {"build tags", railTags}, {"sizes", railSizes}, {"reading", railReading}, {"arena", railArena},
	{"starting", railStarting},
}

// TestLayering holds every file of the module against the table of layers and the rails.
func TestLayering(t *testing.T) {
	for _, s := range sources(t) {
		for _, r := range rails {
			for _, wrong := range r.check(s) {
				t.Errorf("%s: %s", s.name, wrong)
			}
		}
	}
}

// railLayers: a file imports of the module what the layer of its package allows.
func railLayers(s *source) (wrong []string) {
	allow, ok := layerOf(s.pkg)
	if !ok {
		return []string{fmt.Sprintf("package %q has no row in the table of layers", s.pkg)}
	}
	ours, _ := s.imports()
	for _, target := range ours {
		if !allowed(allow, target) && !(s.isTest() && (target == s.pkg || allowed(testOnly, target))) {
			wrong = append(wrong, fmt.Sprintf("imports %s, which the layer of %q does not allow", target, s.pkg))
		}
	}
	return wrong
}

// railOutside: product code imports of the standard library and of others what the row of
// its room allows.
func railOutside(s *source) (wrong []string) {
	if s.isTest() || allowed(testsOnly, s.pkg) {
		return nil
	}
	allow, ok := rowOf(outside, s.pkg)
	if !ok {
		return []string{fmt.Sprintf("package %q has no row in the table of other imports", s.pkg)}
	}
	_, others := s.imports()
	for _, target := range others {
		if !allowed(allow, target) {
			wrong = append(wrong, fmt.Sprintf("imports %s, which is not for %q", target, s.pkg))
		}
	}
	return wrong
}

// railTestsOnly: what is there for tests is imported by tests alone.
func railTestsOnly(s *source) (wrong []string) {
	if s.isTest() || allowed(testsOnly, s.pkg) {
		return nil
	}
	ours, others := s.imports()
	for _, target := range slices.Concat(ours, others) {
		if allowed(testsOnly, target) || target == "testing" || strings.HasPrefix(target, "testing/") {
			wrong = append(wrong, fmt.Sprintf("imports %s, which is for tests", target))
		}
	}
	return wrong
}

// timeless rooms do not ask the host for the time, and do not wait: a Clock is given to
// what needs one.
var timeless = []string{"cpu/...", "devices/...", "bios", "kernel", "fs9p", "internal/imageconfig", "internal/linux", "internal/printable"}

var hostTime = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func railTime(s *source) (wrong []string) {
	if s.isTest() || !allowed(timeless, s.pkg) || allowed(testsOnly, s.pkg) {
		return nil
	}
	s.calls("time", func(name string, at token.Pos, _ []ast.Expr) {
		if slices.Contains(hostTime, name) {
			wrong = append(wrong, fmt.Sprintf("line %d uses time.%s: the time is given to %q", s.at(at), name, s.pkg))
		}
	})
	return wrong
}

// railGoroutines: the processor and the devices belong to the goroutine that runs the machine.
func railGoroutines(s *source) (wrong []string) {
	if s.isTest() || !allowed([]string{"cpu/...", "devices/...", "bios"}, s.pkg) || allowed(testsOnly, s.pkg) {
		return nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if g, ok := n.(*ast.GoStmt); ok {
			wrong = append(wrong, fmt.Sprintf("line %d starts a goroutine", s.at(g.Pos())))
		}
		return true
	})
	return wrong
}

// leaves are the files that may depend on the host's system or processor: what allocates
// memory, generated code, the host's files, programs. Tests may anywhere.
var leaves = []string{
	"cpu/jit/amd64/*", "cpu/jit/arm64/*", "cpu/jit/wasm/*", "cpu/mem/alloc_*", "cpu/mem/arena_*", "cpu/cputest/silicon_*",
	"fs9p/hostfs/*", "fs9p/statefs/host_*", "fs9p/statefs/space_*", "fs9p/storage/*", "internal/control/peer_*", "internal/board/bell_*", "internal/board/turn_*", "internal/board/disassemble_*", "internal/confine/*", "net/usernet/hostudp_*",
	"bench/child_*", "bench/guest/*", "internal/costtest/*", "internal/profile/write_*", "fs9p/fstest/guest/*", "cmd/*/*",
}

func railTags(s *source) []string {
	if s.isTest() || !s.constrained() {
		return nil
	}
	for _, l := range leaves {
		if ok, _ := path.Match(l, s.name); ok {
			return nil
		}
	}
	return []string{"is built for some hosts only, which is for the leaves"}
}

var (
	systems    = strings.Fields("aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows")
	processors = strings.Fields("386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x wasm")
)

// constrained says that a file is not built everywhere, by its name or by a constraint.
func (s *source) constrained() bool {
	words := strings.Split(strings.TrimSuffix(path.Base(s.name), ".go"), "_")
	if last := words[len(words)-1]; len(words) > 1 && (slices.Contains(systems, last) || slices.Contains(processors, last)) {
		return true
	}
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			if c.Pos() < s.file.Package && constraint.IsGoBuild(c.Text) {
				return true
			}
		}
	}
	return false
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// railSizes: what is written by hand can be read at one go.
func railSizes(s *source) (wrong []string) {
	if generated.MatchString(s.text) {
		return nil
	}
	if n := strings.Count(s.text, "\n"); n > maxFileLines {
		wrong = append(wrong, fmt.Sprintf("has %d lines, more than %d", n, maxFileLines))
	}
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			if n := s.at(f.End()) - s.at(f.Pos()) + 1; n > maxFunctionLines {
				wrong = append(wrong, fmt.Sprintf("%s has %d lines, more than %d", f.Name.Name, n, maxFunctionLines))
			}
		}
	}
	return wrong
}

// ownFiles are the packages that read the host's own files, or trees of which they know
// no more than that they are an fs.FS: those of guests have a ReadFile with a limit.
var ownFiles = []string{"kernel/...", "bench", "scripts/..."}

// railReading: what a guest or an image has made is read by fs9p.ReadFile, and what else
// comes from outside up to a limit that stands where it is read.
func railReading(s *source) (wrong []string) {
	if s.isTest() || allowed(testsOnly, s.pkg) {
		return nil
	}
	s.calls("fs", func(name string, at token.Pos, _ []ast.Expr) {
		if name == "ReadFile" && !allowed(ownFiles, s.pkg) {
			wrong = append(wrong, fmt.Sprintf("line %d uses fs.ReadFile: fs9p.ReadFile has a limit", s.at(at)))
		}
	})
	s.calls("io", func(name string, at token.Pos, args []ast.Expr) {
		if name == "ReadAll" && !(len(args) == 1 && isCallOf(args[0], "io", "LimitReader")) {
			wrong = append(wrong, fmt.Sprintf("line %d uses io.ReadAll of what is no io.LimitReader", s.at(at)))
		}
	})
	return wrong
}

func isCallOf(e ast.Expr, pkg, name string) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// railArena: memory without bounds and without marks of code is the processor's alone.
// Whoever else has a Memory has methods that look at both.
func railArena(s *source) (wrong []string) {
	ours, _ := s.imports()
	if s.isTest() || s.pkg == "cpu" || allowed(testsOnly, s.pkg) || !slices.Contains(ours, "cpu/mem") {
		return nil
	}
	s.calls("mem", func(name string, at token.Pos, _ []ast.Expr) {
		if name == "Arena" {
			wrong = append(wrong, fmt.Sprintf("line %d uses mem.Arena, which is for package cpu", s.at(at)))
		}
	})
	ast.Inspect(s.file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 1 {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Attach" {
				wrong = append(wrong, fmt.Sprintf("line %d calls Attach, which gives mem.Arena and is for package cpu", s.at(call.Pos())))
			}
		}
		return true
	})
	return wrong
}

// slowToMake are what no package makes before somebody needs it: every command would
// wait for it as it starts.
var slowToMake = map[string][]string{"regexp": {"MustCompile", "Compile", "MustCompilePOSIX"}, "template": {"Must", "New"}}

// railStarting: nothing of that is made as the program starts.
func railStarting(s *source) (wrong []string) {
	if s.isTest() || allowed(testsOnly, s.pkg) {
		return nil
	}
	called := map[*ast.FuncLit]bool{} // at once
	look := func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if f, ok := call.Fun.(*ast.FuncLit); ok {
				called[f] = true
			}
			for pkg, names := range slowToMake {
				for _, name := range names {
					if isCallOf(call, pkg, name) {
						wrong = append(wrong, fmt.Sprintf("line %d calls %s.%s as the program starts: sync.OnceValue does it when it is needed", s.at(call.Pos()), pkg, name))
					}
				}
			}
		}
		f, later := n.(*ast.FuncLit)
		return !later || called[f]
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			ast.Inspect(d, look)
		case *ast.FuncDecl:
			if d.Name.Name == "init" && d.Recv == nil {
				ast.Inspect(d, look)
			}
		}
	}
	return wrong
}

// TestLayeringRailsRefuse checks each rail on a file that it must refuse and on one like
// it that it must not.
func TestLayeringRailsRefuse(t *testing.T) {
	long := func(n int) string { return strings.Repeat("\n", n) }
	for _, tt := range []struct {
		rail, name, text string
		want             string // "" if it is right
	}{
		{"layers", "cpu/a.go", `package cpu; import "alpinevm/devices"`, `imports devices, which the layer of "cpu"`},
		{"layers", "cpu/a.go", `package cpu; import "alpinevm/cpu/mem"`, ""},
		{"layers", "nosuch/a.go", `package nosuch`, `"nosuch" has no row`},
		{"other imports", "cpu/a.go", `package cpu; import "os"`, `imports os, which is not for "cpu"`},
		{"other imports", "devices/pit/a.go", `package pit; import "net/netip"`, `imports net/netip`},
		{"other imports", "devices/pit/a.go", `package pit; import "sync"`, `imports sync`},
		{"other imports", "devices/pit/a.go", `package pit; import "time"`, ""},
		{"other imports", "internal/imageconfig/a.go", `package imageconfig; import "net/http"`, `imports net/http`},
		{"other imports", "bios/a.go", `package bios; import "example.org/x"`, `imports example.org/x`},
		{"other imports", "nosuch/a.go", `package nosuch`, `"nosuch" has no row`},
		{"other imports", "cpu/a_test.go", `package cpu; import "os"`, ""},
		{"tests only", "cmd/alpinevm/a.go", `package main; import "alpinevm/fs9p/fstest"`, `imports fs9p/fstest, which is for tests`},
		{"tests only", "bench/a.go", `package bench; import "testing"`, `imports testing`},
		{"tests only", "cmd/alpinevm/a_test.go", `package main; import "alpinevm/fs9p/fstest"`, ""},
		{"tests only", "internal/apktest/a.go", `package apktest; import "testing"`, ""},
		{"time", "devices/rtc/a.go", `package rtc; import "time"; var now = time.Now`, `line 1 uses time.Now`},
		{"time", "cpu/a.go", "package cpu\nimport \"time\"\nfunc f() { time.Sleep(1) }", `line 3 uses time.Sleep`},
		{"time", "devices/rtc/a.go", `package rtc; import "time"; var d time.Duration`, ""},
		{"time", "net/usernet/a.go", `package usernet; import "time"; var now = time.Now`, ""},
		{"goroutines", "devices/virtio/a.go", "package virtio\nfunc f() {\n go f()\n}", `line 3 starts a goroutine`},
		{"goroutines", "net/usernet/a.go", "package usernet\nfunc f() { go f() }", ""},
		{"build tags", "kernel/a.go", "//go:build linux\n\npackage kernel", `built for some hosts only`},
		{"build tags", "a_windows.go", "package alpinevm", `built for some hosts only`},
		{"build tags", "a_arm64.go", "package alpinevm", `built for some hosts only`},
		{"build tags", "internal/board/other_linux.go", "package board", `built for some hosts only`},
		{"build tags", "internal/board/bell_linux.go", "package board", ""},
		{"build tags", "a_linux_test.go", "package alpinevm", ""},
		{"build tags", "linux.go", "package alpinevm", ""},
		{"sizes", "a.go", "package alpinevm" + long(1001), `has 1001 lines, more than 1000`},
		{"sizes", "a.go", "package alpinevm" + long(1000), ""},
		{"sizes", "a.go", "// Code generated by gen; DO NOT EDIT.\n\npackage alpinevm" + long(2000), ""},
		{"sizes", "a.go", "package alpinevm\nfunc f() {" + long(150) + "}", `f has 151 lines, more than 150`},
		{"sizes", "a_test.go", "package alpinevm\nfunc f() {" + long(149) + "}", ""},
		{"arena", "internal/board/a.go", `package board; import "alpinevm/cpu/mem"; var a mem.Arena`, `line 1 uses mem.Arena`},
		{"arena", "internal/board/a.go", "package board\nimport \"alpinevm/cpu/mem\"\nfunc f(m *mem.Memory) { m.Attach(nil) }", `line 3 calls Attach`},
		{"arena", "cpu/a.go", `package cpu; import "alpinevm/cpu/mem"; var a mem.Arena`, ""},
		{"arena", "internal/board/a.go", `package board; import "alpinevm/cpu/mem"; func f(c *cpu.CPU) { c.Attach(nil, 0) }`, ""},
		{"starting", "launch/a.go", "package launch\nimport \"regexp\"\nvar x = regexp.MustCompile(`a`)", `line 3 calls regexp.MustCompile as the program starts`},
		{"starting", "launch/a.go", "package launch\nvar x = func() any { return regexp.MustCompile(`a`) }()", `line 2 calls regexp.MustCompile`},
		{"starting", "launch/a.go", "package launch\nfunc init() { x = regexp.MustCompile(`a`) }", `line 2 calls regexp.MustCompile`},
		{"starting", "launch/a.go", "package launch\nvar x = []any{template.New(`a`)}", `line 2 calls template.New`},
		{"starting", "launch/a.go", "package launch\nvar x = sync.OnceValue(func() any { return regexp.MustCompile(`a`) })", ""},
		{"starting", "launch/a.go", "package launch\nfunc f() { regexp.MustCompile(`a`) }", ""},
		{"starting", "launch/a_test.go", "package launch\nvar x = regexp.MustCompile(`a`)", ""},
		{"reading", "launch/a.go", `package launch; import "io/fs"; func f(x fs.FS) { fs.ReadFile(x, "") }`, `uses fs.ReadFile`},
		{"reading", "kernel/a.go", `package kernel; import "io/fs"; func f(x fs.FS) { fs.ReadFile(x, "") }`, ""},
		{"reading", "kernel/a.go", `package kernel; import "io"; func f(x io.Reader) { io.ReadAll(x) }`, `uses io.ReadAll`},
		{"reading", "kernel/a.go", `package kernel; import "io"; var f = io.ReadAll`, `uses io.ReadAll`},
		{"reading", "kernel/a.go", `package kernel; import "io"; func f(x io.Reader) { io.ReadAll(io.LimitReader(x, 1)) }`, ""},
	} {
		s, err := parseSource(tt.name, tt.text)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		for _, r := range rails {
			if r.name != tt.rail {
				continue
			}
			got := strings.Join(r.check(s), "; ")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%s of %s %.60q: %q, want %q", r.name, tt.name, tt.text, got, tt.want)
			}
		}
	}
}
