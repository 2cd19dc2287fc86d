// Package guesttest is the guest software that tests boot, as a machine takes it: the
// kernels and the Alpine root file system that guestfile finds. A test whose guest is
// not there is skipped by name. Tests alone import it.
package guesttest

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
	"alpinevm/internal/guesttest/guestfile"
	"alpinevm/kernel"
)

// File is guestfile.Path.
func File(t testing.TB, name string) string {
	t.Helper()
	return guestfile.Path(t, name)
}

// RootFile is guestfile.Root.
func RootFile(t testing.TB) string {
	t.Helper()
	return guestfile.Root(t)
}

// Kernel reads the kernel image of a flavour, "686" or "686-pae".
func Kernel(t testing.TB, flavour string) []byte {
	t.Helper()
	data, err := os.ReadFile(File(t, flavour+"/vmlinuz"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Cache keeps unpacked kernels between runs of the tests.
func Cache(t testing.TB) kernel.Cache {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("no cache folder: ", err)
	}
	return kernel.DirCache(filepath.Join(cache, "alpinevm", "kernel"))
}

// Modules is a modules folder in memory with the drivers that a session needs,
// and with those that are named. Its contents are the same each time.
func Modules(t testing.TB, flavour string, more ...string) fs9p.FS {
	t.Helper()
	tree, err := kernel.OpenModules(os.DirFS(File(t, flavour+"/modules")), "")
	if err != nil {
		t.Fatal(err)
	}
	mods, err := tree.Load(append([]string{"virtio_pci", "9pnet_virtio", "9p", "virtio_console"}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	m := memfs.New(memfs.Config{Now: Epoch})
	add := func(name string, data []byte) {
		e := memfs.Entry{Mode: fs9p.ModeRegular | 0o644, Data: bytes.NewReader(data)}
		if err := m.Add(path.Join("lib/modules", tree.Release, name), e); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range mods {
		add("kernel/"+f.Name+".ko", f.Data)
	}
	builtin, err := fs.ReadFile(tree.FS, "modules.builtin")
	if err != nil {
		t.Fatal(err)
	}
	add("modules.builtin", builtin)
	return m
}

// Epoch is the time of all files in a repeatable run.
func Epoch() time.Time { return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }

// Root is Alpine's root file system in memory, the caller's own. A nil now is
// time.Now.
func Root(t testing.TB, now func() time.Time) *memfs.FS {
	t.Helper()
	f, err := os.Open(RootFile(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := memfs.New(memfs.Config{Now: now})
	if err := m.LoadTar(f); err != nil {
		t.Fatal(err)
	}
	return m
}
