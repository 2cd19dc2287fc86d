package kernel

import (
	"os"
	"testing"

	"alpinevm/internal/guesttest/guestfile"
)

// guestKernel reads a fetched kernel image.
func guestKernel(t testing.TB, flavour string) []byte {
	t.Helper()
	data, err := os.ReadFile(guestfile.Path(t, flavour+"/vmlinuz"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
