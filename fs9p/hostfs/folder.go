package hostfs

import (
	"os"
	"path/filepath"
	"slices"

	"alpinevm/fs9p"
)

// A folder is a directory of the host that is open.
type folder struct {
	root *os.Root
	self *os.File // the directory as a file; nil before it is asked for
}

// file gives the directory as a file, for system calls that os.Root does not make.
func (f *folder) file() (*os.File, error) {
	var err error
	if f.self == nil {
		f.self, err = f.root.Open(".")
	}
	return f.self, err
}

func (f *folder) close() error {
	if f.self != nil {
		f.self.Close()
	}
	return f.root.Close()
}

// dir opens the directory n, or finds it open: through the nearest one above it
// that is. What lies between can have been moved by the host; what is found in
// the end must be n.
func (n *inode) dir() (*folder, error) {
	var names []string
	at := n
	for at.folder == nil {
		switch {
		case at.kind != fs9p.ModeDir:
			return nil, fs9p.ENOTDIR
		case at.gone != nil:
			return nil, fs9p.ENOENT
		case len(names) == maxDepth:
			return nil, fs9p.ENAMETOOLONG
		}
		names = append(names, at.name)
		at = at.parent
	}
	if at != n.fs.top {
		n.fs.folders.MoveToFront(at.recent)
	}
	if at == n {
		return n.folder, nil
	}
	slices.Reverse(names)
	root, err := at.folder.root.OpenRoot(filepath.Join(names...))
	if err != nil {
		return nil, toErrno(err)
	}
	f := &folder{root: root}
	if _, err := n.check(f, "."); err != nil {
		f.close()
		return nil, err
	}
	n.folder, n.recent = f, n.fs.folders.PushFront(n)
	if n.fs.folders.Len() > maxFolders {
		n.fs.closeFolder(n.fs.folders.Back().Value.(*inode))
	}
	return f, nil
}

// closeFolder closes the directory n, which can be opened again.
func (fs *FS) closeFolder(n *inode) {
	fs.folders.Remove(n.recent)
	n.folder.close()
	n.folder, n.recent = nil, nil
}

// depth is how far n is below the top; one more than maxDepth stands for all
// that are too deep.
func (n *inode) depth() int {
	d := 0
	for ; n != n.fs.top && n.parent != nil && d <= maxDepth; d++ {
		n = n.parent
	}
	return d
}

// above tells whether d is n or below it. d is not too deep.
func (n *inode) above(d *inode) bool {
	for ; d != n; d = d.parent {
		if d == d.parent {
			return false
		}
	}
	return true
}
