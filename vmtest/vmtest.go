// Package vmtest gives a test a guest of its own: what the test does to it no other
// test sees.
//
//	func TestInstall(t *testing.T) {
//		vmtest.Run(t, "alpine:3.20", func(t *testing.T, vm *launch.VM) {
//			if err := vm.Command("apk", "add", "git").Run(); err != nil {
//				t.Error(err)
//			}
//		})
//	}
package vmtest

import (
	"strings"
	"testing"

	"alpinevm/launch"
)

// Run runs f as a subtest with a guest of the image that has just started, as
// launch.Start makes it. The subtest is parallel to others. Its guest is switched
// off at its end; if it has failed, the end of the kernel's log is shown.
func Run(t *testing.T, image string, f func(t *testing.T, vm *launch.VM), options ...launch.Option) {
	t.Helper()
	t.Run("vm", func(t *testing.T) {
		t.Parallel()
		f(t, Start(t, image, options...))
	})
}

// Start gives a test or a benchmark a guest, which is switched off at its end.
func Start(t testing.TB, image string, options ...launch.Option) *launch.VM {
	t.Helper()
	vm, err := launch.Start(t.Context(), image, options...)
	if err != nil {
		t.Fatalf("vmtest: %v", err)
	}
	t.Cleanup(func() {
		log := vm.Log()
		if err := vm.Close(); err != nil {
			t.Errorf("vmtest: %v", err)
		}
		if t.Failed() {
			t.Logf("the end of the guest's log:\n%s", strings.Join(log[max(0, len(log)-logLines):], "\n"))
		}
	})
	return vm
}

// logLines is how much of the log is shown.
const logLines = 100
