//go:build linux

package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/internal/apktest"
	"alpinevm/internal/guesttest"
	"alpinevm/kernel"
)

// BenchmarkWarmStart measures what users wait for before the guest's first
// instruction when everything is cached: the time from the start of the program
// to the first line of its trace of instructions. On a busy machine the processor
// time tells more, which has some of the trace in it.
func BenchmarkWarmStart(b *testing.B) {
	key := apktest.NewKey(b, "test.rsa.pub")
	mirror := newMirror(b, key, allModules(b))
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer srv.Close()
	dir := b.TempDir()
	keyFile := filepath.Join(dir, key.Name)
	if err := os.WriteFile(keyFile, key.Public(), 0o600); err != nil {
		b.Fatal(err)
	}
	alpine := alpineImage(b, v1.Config{Cmd: []string{"true"}})
	host := strings.TrimPrefix(srv.URL, "http://")
	for _, tt := range []struct {
		name string
		img  v1.Image
		args []string
	}{
		{"alpine", alpine, nil},
		{"machine", alpine, []string{"--name", "box"}},
		{"50000files", withFiles(b, alpine), nil},
	} {
		b.Run(tt.name, func(b *testing.B) {
			ref := host + "/" + tt.name
			push(b, ref, tt.img)
			args := append(append([]string{"run", "-q", "--mirror", mirror.URL + "/alpine/", "--mirror-key", keyFile}, tt.args...), ref)
			start := func(args ...string) *exec.Cmd {
				cmd := exec.Command("alpinevm", args...)
				cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "XDG_STATE_HOME="+filepath.Join(dir, "state"))
				return cmd
			}
			if out, err := start(args...).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
			var used time.Duration
			for b.Loop() {
				cmd := start(append([]string{args[0], "--trace", "code"}, args[1:]...)...)
				errs, err := cmd.StderrPipe()
				if err != nil {
					b.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				line, err := bufio.NewReader(errs).ReadString('\n')
				b.StopTimer()
				cmd.Process.Kill()
				cmd.Wait()
				used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				if err != nil || !strings.Contains(line, " 0 code ") {
					b.Fatalf("%q, %v", line, err)
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}

// allModules are all modules of a kernel at their place in a package.
func allModules(b *testing.B) fs.FS {
	b.Helper()
	folder := os.DirFS(guesttest.File(b, "686-pae/modules"))
	mods, err := kernel.OpenModules(folder, "")
	if err != nil {
		b.Fatal(err)
	}
	m := memfs.New(memfs.Config{})
	err = fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		return m.Add("lib/modules/"+mods.Release+"/"+name, memfs.Entry{Mode: fs9p.ModeRegular | 0o644, Data: bytes.NewReader(data)})
	})
	if err != nil {
		b.Fatal(err)
	}
	return fs9p.IOFS(m)
}

// withFiles adds 50,000 files of 20 KB in ten layers to an image, 1 GB.
func withFiles(b *testing.B, img v1.Image) v1.Image {
	b.Helper()
	data := make([]byte, 20_000)
	for l := range 10 {
		var layer bytes.Buffer
		z, err := gzip.NewWriterLevel(&layer, gzip.BestSpeed)
		if err != nil {
			b.Fatal(err)
		}
		w := tar.NewWriter(z)
		for i := range 5000 {
			w.WriteHeader(&tar.Header{Name: fmt.Sprintf("usr/share/folder%02d/sub%d/file-%d-%d", i%50, l, l, i), Mode: 0o644, Size: int64(len(data))})
			w.Write(data)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		z.Close()
		added, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
		if err != nil {
			b.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, added); err != nil {
			b.Fatal(err)
		}
	}
	return img
}
