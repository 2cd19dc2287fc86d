// Command release builds the archives of a release into a folder: for each platform
// a program with its documents, SHA256SUMS, and a list of what is linked in
// (CycloneDX 1.5, sbom.cdx.json), made of what the Go linker has put into the
// programs. Each program is built twice, in folders of different names; that both
// have the same bytes is part of the release. It is run in the module's root folder:
//
//	go run ./scripts/release [-o dist] [-version v0.1.0] [-platforms linux/amd64,...]
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// platforms are those for which there is a program.
const platforms = "linux/amd64,linux/arm64,linux/386,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64,freebsd/amd64"

// documents go into each archive.
var documents = []string{"LICENSE", "NOTICE", "README.md", "CHANGELOG.md", "SECURITY.md"}

// release is what is built.
type release struct {
	out, version string
	sums         bytes.Buffer
	sbom         sbom
}

func main() {
	log.SetFlags(0)
	r := release{}
	list := flag.String("platforms", platforms, "what to build for, separated by commas")
	flag.StringVar(&r.out, "o", "dist", "where the archives go")
	flag.StringVar(&r.version, "version", "dev", "what the release is called")
	flag.Parse()
	if err := r.build(strings.Split(*list, ",")); err != nil {
		log.Fatal("release: ", err)
	}
}

func (r *release) build(platforms []string) error {
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	for _, p := range platforms {
		if err := r.platform(p); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	text, err := r.sbom.marshal(r.version)
	if err != nil {
		return err
	}
	if err := r.write("sbom.cdx.json", text); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), r.sums.Bytes(), 0o644)
}

// write writes a file of the release and its checksum.
func (r *release) write(name string, data []byte) error {
	fmt.Fprintf(&r.sums, "%x  %s\n", sha256.Sum256(data), name)
	return os.WriteFile(filepath.Join(r.out, name), data, 0o644)
}

// errDiffers is of a program that is not the same each time.
var errDiffers = errors.New("two builds differ: the build depends on its folder or its time")

func (r *release) platform(p string) error {
	system, processor, ok := strings.Cut(p, "/")
	if !ok {
		return errors.New("want SYSTEM/PROCESSOR")
	}
	var built [][]byte
	for _, folder := range []string{"a", "another-folder"} {
		program, err := compile(system, processor, folder)
		if err != nil {
			return err
		}
		built = append(built, program)
	}
	if !bytes.Equal(built[0], built[1]) {
		return errDiffers
	}
	if err := r.sbom.add(built[0]); err != nil {
		return err
	}
	name := fmt.Sprintf("alpinevm-%s-%s-%s", r.version, system, processor)
	files, err := contents(system, built[0])
	if err != nil {
		return err
	}
	pack, end := tarball, ".tar.gz"
	if system == "windows" {
		pack, end = zipped, ".zip"
	}
	data, err := pack(name, files)
	if err != nil {
		return err
	}
	log.Printf("%s%s: %d bytes, the same twice", name, end, len(data))
	return r.write(name+end, data)
}

// compile builds the program in a copy of the sources, in a folder of its own.
func compile(system, processor, folder string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "alpinevm-"+folder)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, sources{os.DirFS(".")}); err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out, "./cmd/alpinevm")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+processor, "GOFLAGS=", "GOWORK=off")
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// file is one of an archive's.
type file struct {
	name string
	data []byte
	mode int64
}

func contents(system string, program []byte) ([]file, error) {
	name := "alpinevm"
	if system == "windows" {
		name += ".exe"
	}
	files := []file{{name, program, 0o755}}
	for _, d := range documents {
		data, err := os.ReadFile(d)
		if err != nil {
			return nil, err
		}
		files = append(files, file{d, data, 0o644})
	}
	return files, nil
}

// tarball makes an archive that depends on nothing but its files.
func tarball(dir string, files []file) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: dir + "/" + f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	err := errors.Join(w.Close(), z.Close())
	return b.Bytes(), err
}

func zipped(dir string, files []file) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: dir + "/" + f.name, Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(w, bytes.NewReader(f.data)); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}

// skipped are folders at the top that are no sources.
var skipped = []string{".git", "dist"}

func isSource(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return !slices.Contains(skipped, top)
}
