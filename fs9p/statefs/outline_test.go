package statefs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

func timeZero() time.Time { return time.Unix(0, 0) }

// outline tells what is in memory of a file system.
func outline(f *FS) string {
	var b strings.Builder
	fmt.Fprintf(&b, "last %d names %d meta %d\n", f.last, f.names, f.meta)
	for _, id := range slices.Sorted(maps.Keys(f.inodes)) {
		n := f.inodes[id]
		fmt.Fprintf(&b, "%d %+v %d links %d %q %v\n", id, n.attrs, n.rdev, n.nlink, n.target, n.xattrs)
		if n.dir == nil {
			continue
		}
		fmt.Fprintf(&b, " in %d\n", n.dir.Parent.id)
		for _, name := range names(n) {
			fmt.Fprintf(&b, " %q %d\n", name, n.dir.Entry(name).Node.id)
		}
	}
	return b.String()
}

// names gives those of a directory, sorted.
func names(n *inode) (list []string) {
	for e := range n.dir.After(0) {
		list = append(list, e.Name)
	}
	slices.Sort(list)
	return list
}
