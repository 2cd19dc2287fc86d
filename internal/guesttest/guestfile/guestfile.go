// Package guestfile finds the files that scripts/guest.sh fetches for tests: kernels,
// busybox, firmware, and Alpine's root file system. It imports nothing of ours, so that
// tests of every package can. Tests alone import it.
package guestfile

import (
	"os"
	"path/filepath"
	"testing"
)

// Alpine is the file name of Alpine's root file system.
const Alpine = "alpine-minirootfs-3.20.3-x86.tar.gz"

// Path is the host's name of a file or folder that scripts/guest.sh fetches, such as
// "686-pae/vmlinuz". The test is skipped where it is not there.
func Path(t testing.TB, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("no %s: there is no cache folder: %v", name, err)
	}
	file := filepath.Join(cache, "alpinevm", "guest", filepath.FromSlash(name))
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no %s: make guest fetches it where the network lets it; otherwise put it there as %s", name, file)
	}
	return file
}

// Root is the host's name of the tarball with Alpine's root file system. It is in
// ../shared/guest beside the module's folder, or where scripts/guest.sh puts it.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
	file := filepath.Join(dir, "..", "shared", "guest", Alpine)
	if _, err := os.Stat(file); err == nil {
		return file
	}
	return Path(t, Alpine)
}
