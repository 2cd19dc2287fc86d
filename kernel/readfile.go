package kernel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Bounds of the files of a root or of a modules folder that are read whole, in bytes, and of the modules in one: Debian's 686 has 3,700
// and a modules.dep of 0.3 MB.
const (
	maxProgram = 64 << 20 // a busybox, or its loader
	maxList    = 16 << 20 // modules.dep, modules.builtin, and what depmod would make
	maxModules = 20_000
)

var errTooMany = errors.New("more modules than a kernel has")

// readFile reads a file of at most limit bytes. Whoever made it may have made it of any size, sparse.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: %w: more than %d MiB", name, errTooLarge, limit>>20)
	}
	return data, err
}
