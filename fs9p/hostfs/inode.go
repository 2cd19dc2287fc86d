package hostfs

import (
	"container/list"
	"os"

	"alpinevm/fs9p"
)

// An inode is a file of the host that is held by someone. It knows one of its
// names, or none, and then has a file open, if it can be opened.
type inode struct {
	fs      *FS
	key     key
	id      uint64 // its qid.path
	kind    uint32 // its type on the host
	refs    int
	dying   bool   // it is in fs.dying
	parent  *inode // held; nil where no name is known
	name    string
	handles []*handle     // of a regular file that is open
	anchor  *handle       // one of them, which is kept since the file lost its name
	gone    *remains      // not nil when it is no more on the host
	folder  *folder       // of a directory, while it is open
	recent  *list.Element // its place in fs.folders
}

// remains are what was known of a file that is no more.
type remains struct {
	attr   fs9p.Attr
	target string // of a symbolic link
}

func (n *inode) hold() *inode {
	n.refs++
	return n
}

// Release is part of fs9p.Node.
func (n *inode) Release() {
	if n.refs--; n.refs < 0 {
		panic("BUG: hostfs: an inode was released too often")
	}
	if n.refs == 0 {
		n.fs.bury(n)
	}
	n.fs.reap()
}

// bury puts n, which nobody holds, among those to be let go of.
func (fs *FS) bury(n *inode) {
	if !n.dying {
		n.dying = true
		fs.dying = append(fs.dying, n)
	}
}

// reap lets go of inodes that nobody holds, and of those above them that only
// they held. A request does so for more than it can have added, and not for a
// chain of any length.
func (fs *FS) reap() {
	const most = 64
	for range most {
		last := len(fs.dying) - 1
		if last < 0 {
			return
		}
		n := fs.dying[last]
		fs.dying = fs.dying[:last]
		n.dying = false
		if n.refs > 0 { // it was found again
			continue
		}
		if up := n.drop(); up != nil {
			if up.refs--; up.refs == 0 {
				fs.bury(up)
			}
		}
	}
}

// drop ends n and gives what it holds.
func (n *inode) drop() *inode {
	if n.recent != nil {
		n.fs.closeFolder(n)
	}
	if n.parent == nil && n.anchor != nil {
		if fi, err := n.anchor.f.Stat(); err == nil && attrOf(fi).Nlink == 0 {
			n.fs.freed(attrOf(fi))
			n.fs.forget(n.key)
		}
	}
	if n.anchor != nil {
		n.anchor.release()
	}
	if n.gone != nil {
		n.fs.gone.Delete(n.id)
	} else {
		n.fs.live.Delete(n.key)
	}
	return n.parent
}

// found takes what Lstat told of name in the directory d and holds its inode.
func (fs *FS) found(d *inode, f *folder, name string, fi os.FileInfo) (*inode, error) {
	k, err := f.identify(name, fi)
	if err != nil {
		return nil, toErrno(err)
	}
	kind := modeOf(fi) & fs9p.ModeType
	n := fs.live.At(k)
	if n != nil && n.kind != kind {
		fs.replaced(n)
		n = nil
	}
	if n == nil {
		if fs.inodes() >= fs.limit.inodes {
			return nil, fs9p.ENFILE
		}
		n = &inode{fs: fs, key: k, kind: kind}
		n.id = fs.number(k)
		fs.live.Put(k, n)
	}
	n.hold()
	n.named(d, name)
	return n, nil
}

// replaced notes that the host has removed n and used its number again.
func (fs *FS) replaced(n *inode) {
	n.vanish(&remains{attr: fs9p.Attr{Mode: n.kind}})
	fs.numbers.retire(n.mark())
}

// vanish notes that n is no more on the host, which may use its number again.
func (n *inode) vanish(was *remains) {
	n.gone = was
	n.fs.live.Delete(n.key)
	n.fs.gone.Put(n.id, n)
	n.fs.forget(n.key)
}

// inodes counts those that are held, but for the top.
func (fs *FS) inodes() int { return fs.live.Len() + fs.gone.Len() - 1 }

// named notes where n is.
func (n *inode) named(d *inode, name string) {
	if n == n.fs.top || n.parent == d && n.name == name {
		return
	}
	d.hold()
	if n.parent != nil {
		n.parent.Release()
	}
	n.parent, n.name = d, name
}

// unnamed notes that n has no name that is known.
func (n *inode) unnamed() {
	n.parent.Release()
	n.parent, n.name = nil, ""
}

// A place is where an inode is on the host now: a name in a folder, or a file
// that is open. A directory can be both.
type place struct {
	dir  *folder
	name string
	file *os.File
	info os.FileInfo
}

// place finds n. A regular file that somebody has open is found by that when
// the host has moved, removed or replaced it.
func (n *inode) place() (place, error) {
	if n.parent == nil {
		return n.anchored()
	}
	if n.kind == fs9p.ModeDir {
		return n.placeDir()
	}
	f, err := n.parent.dir()
	var fi os.FileInfo
	if err == nil {
		fi, err = n.check(f, n.name)
	}
	if err == nil {
		return place{dir: f, name: n.name, info: fi}, nil
	}
	if lost(err) && len(n.handles) > 0 {
		n.keepOpen()
		n.unnamed()
		return n.anchored()
	}
	return place{}, err
}

// placeDir is the place of a directory: open, since one that may not be searched
// has no "." either.
func (n *inode) placeDir() (place, error) {
	f, err := n.dir()
	if err != nil {
		return place{}, err
	}
	p := place{dir: f, name: "."}
	if !dirsAreFiles {
		p.info, err = n.check(f, p.name)
		return p, err
	}
	if p.file, err = f.file(); err == nil {
		p.info, err = p.file.Stat()
	}
	return p, toErrno(err)
}

// lost tells whether an error says that a file is not where it was.
func lost(err error) bool {
	e := fs9p.ErrnoOf(err)
	return e == fs9p.ENOENT || e == fs9p.ENOTDIR || e == fs9p.ESTALE
}

// anchored is the place of a file without a name.
func (n *inode) anchored() (place, error) {
	if n.anchor == nil {
		return place{}, fs9p.ESTALE
	}
	fi, err := n.anchor.f.Stat()
	return place{file: n.anchor.f, info: fi}, toErrno(err)
}

// check says ESTALE if what is found at name is not n, and tells what it is.
func (n *inode) check(f *folder, name string) (os.FileInfo, error) {
	fi, err := f.root.Lstat(name)
	if err != nil {
		return nil, toErrno(err)
	}
	if k, err := f.identify(name, fi); err != nil {
		return nil, toErrno(err)
	} else if k != n.key || modeOf(fi)&fs9p.ModeType != n.kind {
		return nil, fs9p.ESTALE
	}
	return fi, nil
}

// mark is what stands for n in the tables of what is known of it.
func (n *inode) mark() uint64 { return n.fs.numbers.mark(n.key) }

// QID is part of fs9p.Node.
func (n *inode) QID() fs9p.QID {
	return fs9p.QID{Type: fs9p.QIDType(n.kind), Version: 1, Path: n.id}
}
