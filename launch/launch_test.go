package launch

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm"
	"alpinevm/fs9p"
)

// hostFiles makes a folder of the host with a root's tarball, a folder, and
// files, and gives a function that names what is in it.
func hostFiles(t *testing.T) func(name string) string {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "bin/file", Mode: 0o755, Size: 3})
	io.WriteString(w, "abc")
	w.Close()
	for name, data := range map[string][]byte{"root.tar": b.Bytes(), "kernel": []byte("a kernel"), "busybox": []byte("a busybox"), "empty": nil} {
		if err := os.WriteFile(at(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(at("folder/inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	return at
}

// TestOpen opens the same Spec twice. The Config is completed, and what it was
// completed from stays as it was.
func TestOpen(t *testing.T) {
	at := hostFiles(t)
	for _, root := range []string{"root.tar", "folder"} {
		s := Spec{
			Config: alpinevm.Config{Hostname: "box", Network: &alpinevm.Network{}, Session: &alpinevm.Session{Args: []string{"id"}, Env: make([]string, 0, 8)}},
			Rootfs: at(root), Kernel: at("kernel"), Busybox: at("busybox"), Modules: at("folder"), ModuleFiles: []string{at("kernel") + " with arguments"},
			Volumes: []Volume{{Host: at("folder"), Guest: "/a/b"}, {Host: at("kernel"), Guest: "/a", ReadOnly: true}},
		}
		for range 2 {
			cfg, closeAll, err := s.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b, session := cfg.Boot, cfg.Session
			if string(b.Kernel) != "a kernel" || b.Modules == nil || len(b.ModuleFiles) != 1 || b.ModuleFiles[0].Cmdline != at("kernel")+" with arguments" {
				t.Errorf("%s: %+v", root, b)
			}
			if string(session.Busybox) != "a busybox" || session.Args[0] != "id" || session == s.Config.Session {
				t.Errorf("%s: %+v", root, session)
			}
			if text, err := fs.ReadFile(fs9p.IOFS(session.Root), "etc/hosts"); err != nil || !strings.Contains(string(text), "box") || !cfg.Network.FilesInRoot {
				t.Errorf("%s: the resolver's files: %q, %v", root, text, err)
			}
			if v := cfg.Volumes; len(v) != 2 || v[0].Target != "/a" || v[0].File != "kernel" || !v[0].ReadOnly || v[1].Target != "/a/b" {
				t.Errorf("%s: volumes %+v", root, v)
			}
			if s.Config.Network.FilesInRoot || s.Config.Session.Root != nil || s.Config.Volumes != nil || s.Config.Boot.Kernel != nil {
				t.Errorf("%s: the Spec has changed: %+v", root, s.Config)
			}
			if err := closeAll(); err != nil {
				t.Error(err)
			}
		}
		if _, err := os.Stat(at("folder/etc")); err == nil {
			t.Error("the host's folder was written to")
		}
	}
}

// TestOpenErrors has each thing that a Spec names be wrong: the error says which.
func TestOpenErrors(t *testing.T) {
	at := hostFiles(t)
	for _, tt := range []struct {
		field, name, want string
		spec              Spec
	}{
		{"Kernel", at("nosuch/vmlinuz"), "no such file", Spec{Kernel: at("nosuch/vmlinuz")}},
		{"Kernel", at("empty"), "the file is empty", Spec{Kernel: at("empty")}},
		{"Firmware", at("nosuch"), "no such file", Spec{Firmware: at("nosuch")}},
		{"Initrd", at("nosuch"), "no such file", Spec{Firmware: at("kernel"), Initrd: at("nosuch")}},
		{"Busybox", at("folder"), "is a directory", Spec{Firmware: at("kernel"), Busybox: at("folder")}},
		{"ModuleFiles", at("nosuch"), "no such file", Spec{Kernel: at("kernel"), ModuleFiles: []string{at("nosuch") + " arguments"}}},
		{"Modules", at("nosuch"), "no such file", Spec{Kernel: at("kernel"), Modules: at("nosuch")}},
		{"Rootfs", at("nosuch"), "no such file", Spec{Kernel: at("kernel"), Rootfs: at("nosuch")}},
		{"Rootfs", at("kernel"), "want a folder or a tarball", Spec{Kernel: at("kernel"), Rootfs: at("kernel")}},
		{"Volumes", at("nosuch"), "make it first", Spec{Kernel: at("kernel"), Volumes: []Volume{{Host: at("nosuch"), Guest: "/a"}}}},
		{
			"Volumes", at("kernel") + ":/a", "taken by another",
			Spec{Kernel: at("kernel"), Volumes: []Volume{{Host: at("folder"), Guest: "/a"}, {Host: at("kernel"), Guest: "/a"}}},
		},
		{"Mirror", at("nosuch"), "no such file", Spec{Rootfs: at("root.tar"), Kernel: at("kernel"), Mirror: Mirror{Keys: []string{at("nosuch")}}}},
	} {
		_, _, err := tt.spec.Open(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Field != tt.field || e.Name != tt.name || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want one about %s with %q", tt.field, err, tt.name, tt.want)
		}
	}
	if _, _, err := (&Spec{Image: "x", Kernel: at("kernel"), Pull: "often"}).Open(t.Context()); err == nil {
		t.Error("a policy that there is not")
	}
}
