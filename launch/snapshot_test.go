package launch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/internal/baretest"
	"alpinevm/internal/guesttest"
)

// unpackRoot puts the test's root into a folder.
func unpackRoot(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(guesttest.RootFile(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(name, 0o755)
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, name)
		case tar.TypeReg:
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(name, b, os.FileMode(h.Mode)&0o777|0o200)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFrom has machines go on from snapshots: with roots in memory and in folders,
// with the files that they have made, and with folders that are shared, in which
// what has changed meanwhile is seen to have.
func TestFrom(t *testing.T) {
	if testing.Short() {
		t.Skip("boots guests")
	}
	folder := t.TempDir()
	unpackRoot(t, folder)
	for _, root := range []string{guesttest.RootFile(t), folder} {
		share := t.TempDir()
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(share, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("f", "old")
		spec := func(in io.Reader, out *baretest.Buffer) *Spec {
			return &Spec{
				Config: alpinevm.Config{
					Memory: alpinevm.MinMemory, Boot: alpinevm.Boot{Cache: guesttest.Cache(t)},
					Session: &alpinevm.Session{
						Args:  []string{"sh", "-c", `echo made >/made; rm /etc/motd; cat /v/f; echo; exec 3</etc/hostname; rm /etc/hostname; echo ready; read x; cat /made <&3; ls /etc/motd; cat /v/f /v/g; exit 5`},
						Stdin: in, Stdout: out, Stderr: out,
					},
				},
				Rootfs: root, Kernel: guesttest.File(t, "686-pae/vmlinuz"), Modules: guesttest.File(t, "686-pae/modules"),
				Volumes: []Volume{{Host: share, Guest: "/v"}},
			}
		}
		open := func(s *Spec) *alpinevm.Config {
			cfg, closeAll, err := s.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { closeAll() })
			return cfg
		}
		in, keep := io.Pipe()
		defer keep.Close()
		var before baretest.Buffer
		m, err := alpinevm.New(*open(spec(in, &before)))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		file := captured(t, m, func() bool { return strings.Contains(before.String(), "ready") })
		write("f", "new")
		write("g", " and more")

		snap := opened(t, file)
		defer snap.Close()
		var after baretest.Buffer
		s := &Spec{Config: alpinevm.Config{Boot: alpinevm.Boot{Cache: guesttest.Cache(t)}, Session: &alpinevm.Session{Stdin: strings.NewReader("go on\n"), Stdout: &after, Stderr: &after}}, From: snap}
		if _, _, err := s.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "-v HOST:/v") {
			t.Errorf("without what was shared: %v", err)
		}
		s.Volumes = []Volume{{Host: share, Guest: "/v"}}
		again, err := snap.Clone(*open(s))
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		end, err := again.Run(ctx)
		if err != nil || end.Code != 5 {
			t.Errorf("%+v, %v", end, err)
		}
		if got := after.String(); !strings.Contains(got, "made\n") || !strings.Contains(got, "/etc/motd: No such file") || !strings.Contains(got, "new and more") {
			t.Errorf("%s: the guest printed %q", filepath.Base(root), got)
		}
	}
}

// captured runs a machine until ready says so, and gives a snapshot of it.
func captured(t *testing.T, m *alpinevm.Machine, ready func() bool) []byte {
	t.Helper()
	var b bytes.Buffer
	for late := time.Now().Add(2 * time.Minute); ; {
		if time.Now().After(late) {
			t.Fatal("the guest is not ready")
		}
		if s, _ := m.Step(); s == alpinevm.Ended {
			t.Fatal("the guest has ended")
		} else if s != alpinevm.Idle {
			continue
		}
		time.Sleep(20 * time.Microsecond)
		if !ready() {
			continue
		}
		s, err := m.Capture()
		if errors.Is(err, alpinevm.ErrNotQuiet) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
}

func opened(t *testing.T, file []byte) *alpinevm.Snapshot {
	t.Helper()
	s, err := alpinevm.OpenSnapshot(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAbsoluteName: a file is named independently of the folder that we are in,
// whatever is in it; what is none stays.
func TestAbsoluteName(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	dir, err := os.Getwd() // a temporary folder may be behind a link
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"3.20", "vmlinuz", "linux-virt.apk"} {
		if got := absoluteName(name); got != name {
			t.Errorf("%s, which is no file: %s", name, got)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := absoluteName(name); got != filepath.Join(dir, name) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := absoluteName(""); got != "" {
		t.Error(got)
	}
}
