package store

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// tarFolder writes an archive of a folder.
func tarFolder(t testing.TB, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tarAs writes an archive of a folder as tools do, with the folders themselves
// and with something in front of all names.
func tarAs(t testing.TB, prefix, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		h := tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimSuffix(prefix+filepath.ToSlash(rel), "/.") + "/", Mode: 0o755}
		var data []byte
		if !d.IsDir() {
			if data, err = os.ReadFile(name); err != nil {
				return err
			}
			h = tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimSuffix(h.Name, "/"), Mode: 0o644, Size: int64(len(data))}
		}
		if err := w.WriteHeader(&h); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// xzed compresses by xz.
func xzed(t testing.TB, b []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w, err := xz.NewWriter(&z)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// writeLayout writes an OCI layout of images, each in an index of its own with
// one for another platform, as buildx does.
func writeLayout(t testing.TB, dir string, nested bool, images ...v1.Image) string {
	t.Helper()
	idx := v1.ImageIndex(empty.Index)
	for _, img := range images {
		add := []mutate.IndexAddendum{
			{Add: image(t, "arm64"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}},
			{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "386"}}},
		}
		if nested {
			idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: mutate.AppendManifests(empty.Index, add...)})
		} else {
			idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: img}) // skopeo gives no platform
		}
	}
	if _, err := layout.Write(dir, idx); err != nil {
		t.Fatal(err)
	}
	return dir
}

// writeRoot writes a root file system.
func writeRoot(t testing.TB, dir string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "bin", "sh"), nil)
	return dir
}

// dockerSave writes what docker save writes.
func dockerSave(t testing.TB, images map[string]v1.Image) []byte {
	t.Helper()
	refs := map[name.Reference]v1.Image{}
	for s, img := range images {
		r, err := name.ParseReference(s)
		if err != nil {
			t.Fatal(err)
		}
		refs[r] = img
	}
	var b bytes.Buffer
	if err := tarball.MultiRefWrite(refs, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func zstded(t testing.TB, b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

// oldDockerSave is what docker save wrote before 2024: layers in folders, of
// which equal ones are symbolic links, and the manifest at the end.
func oldDockerSave(t testing.TB, img v1.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	put := func(h tar.Header, data []byte) {
		h.Size, h.Mode = int64(len(data)), 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Write(data)
	}
	layers, _ := img.Layers()
	var names []string
	for i, l := range layers {
		dir := strings.Repeat(string(rune('a'+i)), 64)
		names = append(names, dir+"/layer.tar")
		put(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/"}, nil)
		put(tar.Header{Typeflag: tar.TypeReg, Name: dir + "/VERSION"}, []byte("1.0"))
		if i > 0 && layers[i] == layers[0] {
			put(tar.Header{Typeflag: tar.TypeSymlink, Name: names[i], Linkname: "../" + names[0]}, nil)
			continue
		}
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		put(tar.Header{Typeflag: tar.TypeReg, Name: names[i]}, data)
	}
	config, _ := img.RawConfigFile()
	id, _ := img.ConfigName()
	put(tar.Header{Typeflag: tar.TypeReg, Name: id.Hex + ".json"}, config)
	list, _ := json.Marshal([]map[string]any{{"Config": id.Hex + ".json", "RepoTags": nil, "Layers": names}})
	put(tar.Header{Typeflag: tar.TypeReg, Name: "manifest.json"}, list)
	w.Close()
	return b.Bytes()
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	first := layer(t, "plain", map[string]string{"f": "data"})
	img := image(t, "386", first, layer(t, "plain", map[string]string{"g": "more"}), first)
	flat := writeLayout(t, filepath.Join(dir, "flat"), false, img)
	nested := writeLayout(t, filepath.Join(dir, "nested"), true, img)
	packed := image(t, "386", layer(t, "gzip", map[string]string{"f": "data"}), layer(t, "zstd", map[string]string{"g": "more"}))
	saved := dockerSave(t, map[string]v1.Image{"a:1": img})
	more := writeLayout(t, filepath.Join(dir, "more"), true, img)
	writeFile(t, filepath.Join(more, "README"), []byte("mine"))
	writeFile(t, filepath.Join(more, "AAA"), []byte("mine"))
	xzLayers := image(t, "386", layer(t, "xz", map[string]string{"f": "data"}), layer(t, "xz", map[string]string{"g": "more"}))
	for what, name := range map[string]string{
		"flat": flat, "nested": nested,
		"compressed":  writeLayout(t, filepath.Join(dir, "packed"), true, packed),
		"tar":         writeFile(t, filepath.Join(dir, "nested.tar"), tarFolder(t, nested)),
		"tar.gz":      writeFile(t, filepath.Join(dir, "nested.tar.gz"), gzipped(tarFolder(t, nested))),
		"tar .":       writeFile(t, filepath.Join(dir, "dot.tar"), tarAs(t, "./", nested)),
		"tar . xz":    writeFile(t, filepath.Join(dir, "dot.tar.xz"), xzed(t, tarAs(t, "./", nested))),
		"tar /":       writeFile(t, filepath.Join(dir, "absolute.tar"), tarAs(t, "/", nested)),
		"more files":  writeFile(t, filepath.Join(dir, "more.tar"), tarAs(t, "./", more)),
		"xz layers":   writeLayout(t, filepath.Join(dir, "xz"), true, xzLayers),
		"docker xz":   writeFile(t, filepath.Join(dir, "docker.tar.xz"), xzed(t, saved)),
		"docker":      writeFile(t, filepath.Join(dir, "docker.tar"), saved),
		"docker gz":   writeFile(t, filepath.Join(dir, "docker.tar.gz"), gzipped(saved)),
		"docker zstd": writeFile(t, filepath.Join(dir, "docker.tar.zst"), zstded(t, saved)),
		"old docker":  writeFile(t, filepath.Join(dir, "old.tar"), oldDockerSave(t, img)),
	} {
		t.Run(what, func(t *testing.T) {
			if is, err := IsImage(name); err != nil || !is {
				t.Errorf("is an image: %v, %v", is, err)
			}
			s := newStore(t, filepath.Join(t.TempDir(), "cache"))
			got, err := s.Load(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			for file, want := range map[string]string{"f": "data", "g": "more"} {
				if data := cat(t, s, got, file); data != want {
					t.Errorf("%s: %q", file, data)
				}
			}
			if got.Config.Env[0] != "A=b" || got.String() != got.ID.Hex[:12] {
				t.Errorf("%+v", got)
			}
			if list, err := s.Images(ctx); err != nil || len(list) > 0 {
				t.Errorf("%d images, %v", len(list), err)
			}
			if left := files(t, s, ingestDir); len(left) > 0 {
				t.Errorf("left in ingest: %v", left)
			}
		})
	}
}

// sparseDocker is an archive whose files GNU tar has made sparse.
func sparseDocker(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	h := tar.Header{Typeflag: tar.TypeReg, Name: "manifest.json", Mode: 0o644, Size: 4, PAXRecords: map[string]string{
		"XYZ.sparse.size": "100", "XYZ.sparse.numblocks": "1", "XYZ.sparse.map": "0,4",
	}}
	if err := w.WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("[{}]"))
	w.Close()
	return bytes.ReplaceAll(b.Bytes(), []byte("XYZ.sparse."), []byte("GNU.sparse."))
}

func TestLoadRefused(t *testing.T) {
	dir := t.TempDir()
	img := image(t, "386", layer(t, "plain", map[string]string{"f": "data"}))
	other := image(t, "386", layer(t, "plain", map[string]string{"f": "other"}))
	damaged := writeLayout(t, filepath.Join(dir, "damaged"), true, img)
	layers, _ := img.Layers()
	digest, _ := layers[0].Digest()
	writeFile(t, filepath.Join(damaged, blobsDir, digest.Hex), []byte("damaged"))
	broken := writeLayout(t, filepath.Join(dir, "broken"), true, img)
	config, _ := img.ConfigName()
	writeFile(t, filepath.Join(broken, blobsDir, config.Hex), []byte("{}"))
	outside := writeLayout(t, filepath.Join(dir, "outside"), true, img)
	writeFile(t, filepath.Join(outside, "index.json"), []byte(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,"digest":"sha256:../../../secret"}]}`))
	emptyDir := filepath.Join(dir, "empty")
	os.Mkdir(emptyDir, 0o755)
	for name, want := range map[string]string{
		filepath.Join(dir, "missing"): "no such file",
		emptyDir:                      "not a container image: it has neither index.json nor manifest.json",
		damaged:                       "not what its digest promised",
		broken:                        "not what its digest promised",
		outside:                       "index.json",
		writeLayout(t, filepath.Join(dir, "two"), true, img, other):                                                   "there are several images in it",
		writeLayout(t, filepath.Join(dir, "arm"), false, image(t, "arm64")):                                           "there is no image for linux/386; it has linux/arm64",
		writeFile(t, filepath.Join(dir, "two.tar"), dockerSave(t, map[string]v1.Image{"a:1": img, "b:1": other})):     "there are 2 images in it",
		writeFile(t, filepath.Join(dir, "amd.tar"), dockerSave(t, map[string]v1.Image{"a:1": image(t, "amd64")})):     "it has linux/amd64",
		writeFile(t, filepath.Join(dir, "plain.tar"), archive(t, map[string]string{"bin/sh": ""})):                    "not a container image",
		writeFile(t, filepath.Join(dir, "image.zip"), []byte("PK\x03\x04 and so on")):                                 "it is in the form of zip, which is not read here; want a folder or a tar archive",
		writeFile(t, filepath.Join(dir, "sparse.tar"), sparseDocker(t)):                                               "a sparse file; make the archive without",
		writeFile(t, filepath.Join(dir, "out.tar"), archive(t, map[string]string{"../oci-layout": "{}"})):             "the name leads out of the image",
		writeFile(t, filepath.Join(dir, "text"), []byte("hello")):                                                     "text",
		writeFile(t, filepath.Join(dir, "cut.tar.gz"), gzipped(dockerSave(t, map[string]v1.Image{"a:1": img}))[:300]): "unexpected EOF",
	} {
		s := newStore(t, filepath.Join(t.TempDir(), "cache"))
		_, err := s.Load(ctx, name)
		checkError(t, err, want)
		if n := len(files(t, s, layersDir)) + len(files(t, s, ingestDir)); n > 0 {
			t.Errorf("%s: %d files are left", name, n)
		}
	}
}

func TestIsImage(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]bool{
		dir: false,
		writeFile(t, filepath.Join(dir, "root.tar"), archive(t, map[string]string{"bin/sh": "", "manifest.json": ""})):                                false,
		writeFile(t, filepath.Join(dir, "root.tar.gz"), gzipped(archive(t, map[string]string{"./bin/sh": "", "etc/x": ""}))):                          false,
		writeFile(t, filepath.Join(dir, "manifest.tar"), archive(t, map[string]string{"a-manifest": "", "manifest.json": `{"name":"x"}`, "n/x": ""})): false,
		writeFile(t, filepath.Join(dir, "dot.tar"), tarAs(t, "./", writeRoot(t, filepath.Join(dir, "root")))):                                         false,
		writeFile(t, filepath.Join(dir, "zip"), []byte("PK\x03\x04 and so on")):                                                                       false,
		writeFile(t, filepath.Join(dir, "zero"), nil):                                                                                                 false,
		writeFile(t, filepath.Join(dir, "gz"), []byte{0x1f, 0x8b}):                                                                                    false,
	} {
		if got, err := IsImage(name); got != want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := IsImage(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing file is an image, or not")
	}
}

// unsynced is a file that may be lost with the power.
type unsynced struct{ *os.File }

func (unsynced) Sync() error { return nil }

// FuzzLoad loads archives of any bytes. The disk has no part in that: nothing is synced.
func FuzzLoad(f *testing.F) {
	img := image(f, "386", layer(f, "plain", map[string]string{"f": "data"}))
	dir := writeLayout(f, f.TempDir(), true, img)
	f.Add(tarFolder(f, dir))
	f.Add(dockerSave(f, map[string]v1.Image{"a:1": img}))
	f.Add(oldDockerSave(f, img))
	f.Add(archive(f, map[string]string{"manifest.json": `[{"Config":"x","Layers":["x","/etc/passwd","../y"]}]`, "x": `{"rootfs":{"diff_ids":["sha256:0"]}}`}))
	f.Add(archive(f, map[string]string{"index.json": `{"manifests":[{"digest":"sha256:","mediaType":"application/vnd.oci.image.index.v1+json"}]}`}))
	temp := f.TempDir()
	s := newStore(f, filepath.Join(temp, "cache"))
	s.create = func(dir, pattern string) (file, error) {
		t, err := os.CreateTemp(dir, pattern)
		return unsynced{t}, err
	}
	name := filepath.Join(temp, "archive")
	f.Fuzz(func(t *testing.T, b []byte) {
		writeFile(t, name, b)
		IsImage(name)
		if img, err := s.Load(ctx, name); err == nil {
			root, err := s.Open(ctx, img)
			if err != nil {
				t.Fatal(err)
			}
			root.Close()
		}
		err := filepath.WalkDir(temp, func(path string, d fs.DirEntry, err error) error {
			if rel, _ := filepath.Rel(temp, path); err == nil && rel != "." && rel != "archive" && !strings.HasPrefix(rel, "cache") {
				t.Errorf("a file has come into being at %s", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
