package linux

import (
	"testing"

	"alpinevm/kernel"
)

// TestWithTmpfs: what the guest has in memory already is replaced, and nothing is
// mounted twice.
func TestWithTmpfs(t *testing.T) {
	mounts := withTmpfs(kernel.StandardMounts(), []kernel.Mount{
		{Type: "tmpfs", Target: "/dev/shm", Options: "size=1m"}, {Type: "tmpfs", Target: "/tmp"}, {Type: "tmpfs", Target: "/tmp", Options: "size=2m"},
	})
	options := map[string]string{}
	for _, m := range mounts {
		if _, twice := options[m.Target]; twice {
			t.Errorf("%s is mounted twice", m.Target)
		}
		options[m.Target] = m.Options
	}
	if options["/dev/shm"] != "size=1m" || options["/tmp"] != "size=2m" || len(mounts) != len(kernel.StandardMounts())+1 {
		t.Errorf("%+v", mounts)
	}
}
