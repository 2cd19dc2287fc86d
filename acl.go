package alpinevm

import (
	"fmt"

	"alpinevm/kernel"
)

// options9P mounts files with their access control lists.
func options9P(cache string) string { return kernel.Options9P(dataMsize, cache) + ",posixacl" }

// aclFixed are the updates of Linux 6.N that have "fs/9p: fix NULL pointer
// dereference on mkdir" (2025), by N; 6.15 has it from the beginning.
var aclFixed = map[int]int{12: 23, 13: 11, 14: 2}

// aclFault tells whether the guest's kernel crashes where a folder is made in one
// with a default access control list. Without a kernel of ours nobody knows.
func (m *Machine) aclFault(cache string) bool {
	return m.image.Kernel == nil || aclFault(m.image.Kernel.Release, cache)
}

// aclFault does so for a kernel of that release: v9fs does from 5.19 on where it
// caches names, elsewhere from 6.9 on.
func aclFault(release, cache string) bool {
	var major, minor, update int
	if n, _ := fmt.Sscanf(release, "%d.%d.%d", &major, &minor, &update); n < 2 {
		return true
	}
	first := 6*100 + 9
	if cache == cacheOwned {
		first = 5*100 + 19
	}
	fixed, ever := aclFixed[minor]
	v := major*100 + minor
	return v >= first && v < 6*100+15 && (major < 6 || !ever || update < fixed)
}
