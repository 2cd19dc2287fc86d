package linux

import (
	"strconv"
	"strings"

	"alpinevm/kernel"
)

// Mount tags of the 9P devices. Volumes have theirs from Volume.Mount.
const (
	RootTag    = "root"
	ModulesTag = "modules"
	volumeTag  = "volume" // and a number
)

// Sizes of 9P messages in bytes: the most that Linux's transport takes, and
// what suffices for control files.
const (
	DataMsize = 512000
	CtlMsize  = 128 << 10
)

// Cache modes of v9fs. The root and the modules change only through the guest,
// so everything may be cached; a volume's files may change on the host.
const (
	CacheOwned  = "loose"
	CacheShared = "mmap"
)

// options9P mounts files with their access control lists.
func options9P(cache string) string { return kernel.Options9P(DataMsize, cache) + ",posixacl" }

// aclFixed are the updates of Linux 6.N that have "fs/9p: fix NULL pointer
// dereference on mkdir" (2025), by N; 6.15 has it from the beginning.
var aclFixed = map[int]int{12: 23, 13: 11, 14: 2}

// ACLFault tells whether a kernel of that release crashes where a folder is made in
// one with a default access control list: v9fs does from 5.19 on where it caches
// names, elsewhere from 6.9 on. Of a release that says no version nobody knows.
func ACLFault(release, cache string) bool {
	numbers, known := version(release)
	if !known {
		return true
	}
	major, minor, update := numbers[0], numbers[1], numbers[2]
	first := 6*100 + 9
	if cache == CacheOwned {
		first = 5*100 + 19
	}
	fixed, ever := aclFixed[minor]
	v := major*100 + minor
	return v >= first && v < 6*100+15 && (major < 6 || !ever || update < fixed)
}

// version takes the numbers from the front of a kernel's release: two at least, else it
// says none.
func version(release string) (numbers [3]int, ok bool) {
	for i := range numbers {
		end := strings.IndexFunc(release+"-", func(r rune) bool { return r < '0' || r > '9' })
		n, err := strconv.Atoi(release[:end])
		if err != nil {
			break
		}
		numbers[i], ok = n, i > 0
		rest, more := strings.CutPrefix(release[end:], ".")
		if !more {
			break
		}
		release = rest
	}
	return numbers, ok
}
