package bench

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Toolchain is a Go toolchain for linux/386: a GOROOT in two folders, since the
// standard library need not be copied.
type Toolchain struct {
	Dir     string // bin, pkg, VERSION and go.env; an empty folder src
	Src     string // the standard library's source
	Version string // such as "go1.26.8"
}

// tools are the programs that go build, go vet and go test start.
var tools = []string{"compile", "asm", "link", "buildid", "vet", "cgo"}

// HostToolchain cross-builds the host's own Go toolchain for linux/386 into a
// folder below cache, where it is found the next time. report is told what is
// being built.
func HostToolchain(ctx context.Context, cache string, report func(string)) (*Toolchain, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("the host's Go toolchain: %w; install Go or give --toolchain DIR", err)
	}
	root, version, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	t := &Toolchain{Dir: filepath.Join(cache, version+"-linux-386"), Src: filepath.Join(root, "src"), Version: version}
	if _, err := os.Stat(t.Dir); err == nil {
		return t, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cache, ".toolchain-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	toolDir := filepath.Join(dir, "pkg", "tool", "linux_386")
	for _, d := range []string{filepath.Join(dir, "bin"), filepath.Join(dir, "src"), toolDir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	build := func(pkg, out string) error {
		report("build " + pkg + " for linux/386")
		c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
		c.Dir = t.Src
		c.Env = append(os.Environ(), "GOOS=linux", "GOARCH=386", "CGO_ENABLED=0", "GOFLAGS=", "GOTOOLCHAIN=local", "GOWORK=off")
		if msg, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s for linux/386: %w\n%s", pkg, err, msg)
		}
		return nil
	}
	if err := build("cmd/go", filepath.Join(dir, "bin", "go")); err != nil {
		return nil, err
	}
	for _, name := range tools {
		if err := build("cmd/"+name, filepath.Join(toolDir, name)); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"VERSION", "go.env"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return nil, err
		}
	}
	include := filepath.Join("pkg", "include")
	if err := os.CopyFS(filepath.Join(dir, include), os.DirFS(filepath.Join(root, include))); err != nil {
		return nil, err
	}
	// Another process may have been faster; its folder serves as well.
	if err := os.Rename(dir, t.Dir); err != nil {
		if _, e := os.Stat(t.Dir); e != nil {
			return nil, err
		}
	}
	return t, nil
}

// FolderToolchain takes the GOROOT at dir, which must hold tools for linux/386.
func FolderToolchain(dir string) (*Toolchain, error) {
	for _, name := range []string{"bin/go", "pkg/tool/linux_386/compile", "src/fmt/print.go", "VERSION"} {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return nil, fmt.Errorf("toolchain %s: %w; want a GOROOT for linux/386", dir, err)
		}
	}
	version, err := os.ReadFile(filepath.Join(dir, "VERSION"))
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(string(version), "\n")
	return &Toolchain{Dir: dir, Src: filepath.Join(dir, "src"), Version: line}, nil
}

// APK is where Alpine's packages come from, if not from where the guest's root
// file system has them.
type APK struct {
	Mirror string            // URL; "" is the root's own choice
	Keys   map[string][]byte // further public keys, by file name
}

// Install is the shell script that installs Alpine's Go in the guest.
func (a APK) Install() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.Keys)) {
		fmt.Fprintf(&b, "printf %%s %s >/etc/apk/keys/%s\n", quote(string(a.Keys[name])), quote(name))
	}
	if a.Mirror != "" {
		fmt.Fprintf(&b, "release=$(cat /etc/alpine-release)\n"+
			"case $release in *_*) release=edge ;; *) release=v${release%%.*} ;; esac\n"+
			"printf '%%s\\n' %[1]s/$release/main %[1]s/$release/community >/etc/apk/repositories\n", quote(a.Mirror))
	}
	return b.String() + "step install apk add --no-progress go\n"
}

// quote makes text one word of a shell script.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
