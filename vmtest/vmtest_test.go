package vmtest_test

import (
	"strings"
	"testing"

	"alpinevm/internal/guesttest"
	"alpinevm/launch"
	"alpinevm/vmtest"
)

// TestRun: each test has a guest of its own.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	kernel := launch.Kernel(guesttest.File(t, "686-pae/vmlinuz"), guesttest.File(t, "686-pae/modules"))
	for range 3 {
		vmtest.Run(t, guesttest.RootFile(t), func(t *testing.T, vm *launch.VM) {
			out, err := vm.Command("sh", "-c", "ls /mine 2>/dev/null; touch /mine; uname").CombinedOutput()
			if got := strings.TrimSpace(string(out)); got != "Linux" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		}, kernel, launch.Memory(64<<20), launch.Network(nil))
	}
}
