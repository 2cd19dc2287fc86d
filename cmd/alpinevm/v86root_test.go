//go:build linux

package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"alpinevm/bench"
	"alpinevm/internal/guesttest"
	"alpinevm/kernel"
	"alpinevm/launch"
	"alpinevm/web"
)

// v86Root makes the root file system that both machines have, an archive: Alpine's, the
// measured programs, and Go for linux/386 with a program to build.
func v86Root(t *testing.T, to string) {
	t.Helper()
	in, err := os.Open(guesttest.RootFile(t))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := tar.NewWriter(out)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = w.WriteHeader(h)
		}
		if err == nil {
			_, err = io.Copy(w, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(name string, mode fs.FileMode, data []byte) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: int64(mode.Perm()), Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	programs := measured()
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		put("usr/local/bin/"+name, 0o755, programs[name].file())
	}
	put("root/hello/go.mod", 0o644, []byte("module hello\n\ngo 1.22\n"))
	put("root/hello/hello.go", 0o644, []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n"))
	putToolchain(t, put)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// putToolchain adds what of Go builds programs.
func putToolchain(t *testing.T, put func(name string, mode fs.FileMode, data []byte)) {
	t.Helper()
	cache, err := launch.CacheDir("toolchain")
	if err != nil {
		t.Fatal(err)
	}
	g, err := bench.HostToolchain(context.Background(), cache, func(s string) { t.Log(s) })
	if err != nil {
		t.Fatal(err)
	}
	t.Log("the guests have ", g.Version)
	const root = "usr/local/go"
	add := func(dir, at string, skip ...string) {
		err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if slices.Contains(skip, name) || d.Name() == "testdata" {
				return fs.SkipDir
			}
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || !info.Mode().IsRegular() || strings.HasSuffix(name, "_test.go") {
				return err
			}
			data, err := os.ReadFile(filepath.Join(dir, name))
			put(path.Join(at, name), info.Mode(), data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add(g.Dir, root, "src")
	add(g.Src, root+"/src", "cmd")
}

// v86Folder makes what v86 has a root file system of: the description of the archive's
// tree in version 3 of its format, and a file for each content.
func v86Folder(t *testing.T, archive, to string) {
	t.Helper()
	files := filepath.Join(to, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	root := &v86File{mode: 0o40755, inside: map[string]*v86File{}}
	var total int64
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		f := root.at(strings.Split(strings.Trim(path.Clean("/"+h.Name), "/"), "/"))
		f.size, f.mode, f.mtime, f.uid, f.gid = h.Size, h.Mode&0o7777, h.ModTime.Unix(), h.Uid, h.Gid
		switch h.Typeflag {
		case tar.TypeDir:
			f.mode |= 0o40000
		case tar.TypeSymlink:
			f.mode |= 0o120000
			f.content = h.Linkname
		case tar.TypeLink:
			*f = *root.at(strings.Split(h.Linkname, "/"))
		case tar.TypeReg:
			f.mode |= 0o100000
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(data)
			f.content = hex.EncodeToString(sum[:]) + ".bin"
			if err := os.WriteFile(filepath.Join(files, f.content), data, 0o644); err != nil {
				t.Fatal(err)
			}
			total += h.Size
		default:
			t.Fatalf("%s has the type %q", h.Name, h.Typeflag)
		}
	}
	data, err := json.Marshal(map[string]any{"version": 3, "size": total, "fsroot": root.list()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "fs.json"), data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// v86File is a file as v86's description has it.
type v86File struct {
	size, mtime int64
	mode        int64
	uid, gid    int
	content     string // the name of its content, or where a link leads
	inside      map[string]*v86File
}

// at is the file below f that the names lead to. It and the folders above are made.
func (f *v86File) at(names []string) *v86File {
	if len(names) == 0 {
		return f
	}
	if f.inside == nil {
		f.inside = map[string]*v86File{}
	}
	next := f.inside[names[0]]
	if next == nil {
		next = &v86File{mode: 0o40755}
		f.inside[names[0]] = next
	}
	return next.at(names[1:])
}

// list is what is in the folder f: name, size, time, mode, owner, group, and what is
// in it, its content or where it leads.
func (f *v86File) list() []any {
	all := []any{}
	for _, name := range slices.Sorted(maps.Keys(f.inside)) {
		c := f.inside[name]
		row := []any{name, c.size, c.mtime, c.mode, c.uid, c.gid}
		if c.mode&0o170000 == 0o40000 {
			row = append(row, c.list())
		} else {
			row = append(row, c.content)
		}
		all = append(all, row)
	}
	return all
}

// v86Init is the first program of v86's guest: it has the root where ours is, and a shell
// on the serial line.
const v86Init = `#!/bin/busybox sh
export PATH=/bin
for m in /modules/*; do busybox insmod $m; done
busybox mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072,cache=loose host9p /root
busybox mount -t proc proc /root/proc
busybox mount -t sysfs sys /root/sys
busybox mount -t devtmpfs dev /root/dev
busybox ifconfig lo 127.0.0.1
cd /root
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb PS1='` + v86Prompt + `'
exec busybox chroot /root /usr/bin/setsid -c /bin/sh </root/dev/ttyS0 >/root/dev/ttyS0 2>&1
`

// v86Prompt is the shell's in both guests.
const v86Prompt = "ready> "

// v86Initrd is what v86's guest begins with.
func v86Initrd(t *testing.T) []byte {
	t.Helper()
	image, err := kernel.Parse(guesttest.Kernel(t, "686-pae"))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := kernel.OpenModules(os.DirFS(guesttest.File(t, "686-pae/modules")), image.Release)
	if err != nil {
		t.Fatal(err)
	}
	modules, err := tree.Load("virtio_pci", "9pnet_virtio", "9p")
	if err != nil {
		t.Fatal(err)
	}
	busybox, err := os.ReadFile(guesttest.File(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	c := &kernel.CPIO{}
	c.Dir("/root")
	c.CharDevice("/dev/console", 0o600, 5, 1)
	c.File("/bin/busybox", 0o755, busybox)
	c.File("/init", 0o755, []byte(v86Init))
	for i, m := range modules {
		c.File(fmt.Sprintf("/modules/%03d-%s.ko", i, m.Name), 0o644, slices.Concat(m.Data, m.Signature))
	}
	data, err := c.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// v86Package is the folder of v86's npm package: name is one, or a version, which npm
// fetches into our cache.
func v86Package(t *testing.T, name string) string {
	t.Helper()
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		if err := isV86(name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	dir, err := launch.CacheDir("v86-" + name)
	if err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(dir, "node_modules", "v86")
	if isV86(inside) == nil {
		return inside
	}
	if out, err := exec.Command("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", dir, "v86@"+name).CombinedOutput(); err != nil {
		t.Fatalf("npm install v86@%s: %v; give -v86 a version that there is, or the folder of its package: %s", name, err, out)
	}
	return inside
}

// isV86 says what a folder lacks that is to be v86's package.
func isV86(dir string) error {
	for _, name := range []string{"build/libv86.mjs", "build/v86.wasm"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("-v86 %s: it is no package of v86, which has %s: give the folder that npm install v86 makes in node_modules, or a version", dir, name)
		}
	}
	return nil
}

// TestV86Package has a folder that is no package refused by what it lacks.
func TestV86Package(t *testing.T) {
	dir := t.TempDir()
	for i, tt := range []struct{ made, lacks string }{
		{"", "libv86.mjs"}, {"build/v86.wasm", "libv86.mjs"}, {"build/libv86.mjs/f", "libv86.mjs"}, {"build/libv86.mjs", "v86.wasm"}, {"build/libv86.mjs build/v86.wasm", ""},
	} {
		at := filepath.Join(dir, strconv.Itoa(i))
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range strings.Fields(tt.made) {
			file := filepath.Join(at, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		err := isV86(at)
		if (err == nil) != (tt.lacks == "") || err != nil && (!strings.Contains(err.Error(), at) || !strings.Contains(err.Error(), tt.lacks)) {
			t.Errorf("a folder of %q: %v, want it to name the folder and %q", tt.made, err, tt.lacks)
		}
	}
}

// webProgram is the page's program, of this very tree.
func webProgram(t *testing.T) []byte {
	t.Helper()
	files, err := web.Files()
	if err != nil {
		t.Fatal(err, ": make web does")
	}
	f, err := files.Open("alpinevm.wasm.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestV86Folder describes a small archive.
func TestV86Folder(t *testing.T) {
	archive, to := filepath.Join(t.TempDir(), "tar"), t.TempDir()
	out, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := tar.NewWriter(out)
	for _, h := range []tar.Header{
		{Name: "./bin/", Typeflag: tar.TypeDir, Mode: 0o755, Uid: 1},
		{Name: "bin/a", Typeflag: tar.TypeReg, Mode: 0o4755, Size: 4, Gid: 2},
		{Name: "bin/b", Typeflag: tar.TypeLink, Linkname: "bin/a"},
		{Name: "etc/c", Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: "../bin/a"},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, "text"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	v86Folder(t, archive, to)
	sum := sha256.Sum256([]byte("text"))
	name := hex.EncodeToString(sum[:]) + ".bin"
	got, err := os.ReadFile(filepath.Join(to, "fs.json"))
	if want := `{"fsroot":[["bin",0,0,16877,1,0,[["a",4,0,35309,0,2,"` + name + `"],["b",4,0,35309,0,2,"` + name + `"]]],["etc",0,0,16877,0,0,[["c",0,0,41471,0,0,"../bin/a"]]]],"size":4,"version":3}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if text, err := os.ReadFile(filepath.Join(to, "files", name)); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
}
