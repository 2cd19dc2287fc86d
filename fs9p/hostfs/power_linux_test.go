package hostfs

import (
	"bytes"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// hostXattrs lists the attributes that a file of the host has, but for those of
// its security modules.
func hostXattrs(t *testing.T, name string) []string {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := unix.Llistxattr(name, buf)
	check(t, err)
	var list []string
	for x := range bytes.SplitSeq(buf[:n], []byte{0}) {
		if len(x) > 0 && !slices.Contains([]string{"security.selinux"}, string(x)) {
			list = append(list, string(x))
		}
	}
	return list
}
