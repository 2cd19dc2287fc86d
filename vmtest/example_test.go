package vmtest_test

import (
	"testing"

	"alpinevm/launch"
	"alpinevm/vmtest"
)

// A test of what a command does in a guest of its own.
func ExampleRun() {
	_ = func(t *testing.T) { // TestInstall
		vmtest.Run(t, "alpine:3.20", func(t *testing.T, vm *launch.VM) {
			out, err := vm.Command("id", "-un").Output()
			if err != nil || string(out) != "root\n" {
				t.Errorf("%q, %v", out, err)
			}
		}, launch.Memory(256<<20))
	}
}
