package kernel

import (
	"os"
	"path/filepath"
	"testing"
)

// guestFile opens a file that scripts/guest.sh fetches, or skips the test.
func guestFile(t testing.TB, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("no cache folder: ", err)
	}
	path := filepath.Join(cache, "alpinevm", "guest", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there: run scripts/guest.sh", name)
	}
	return path
}

// guestKernel reads a fetched kernel image.
func guestKernel(t testing.TB, flavour string) []byte {
	t.Helper()
	data, err := os.ReadFile(guestFile(t, flavour+"/vmlinuz"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
