package hostfs

import (
	"container/list"
	"os"
	"time"

	"alpinevm/fs9p"
)

// An inode is a file of the host that is held by someone. It knows one of its
// names, or none, and then has a file open, if it can be opened.
type inode struct {
	fs     *FS
	key    key
	id     uint64 // its qid.path
	kind   uint32 // its type on the host
	refs   int
	parent *inode // held; nil where no name is known
	name   string
	gone   bool          // it is no more on the host; what follows is what was known of it
	last   fs9p.Attr     // attributes
	target string        // of a symbolic link
	anchor *os.File      // of a regular file that lost its name
	root   *os.Root      // of a directory, while it is open
	recent *list.Element // its place in fs.dirs
}

func (n *inode) hold() *inode {
	n.refs++
	return n
}

// Release is part of fs9p.Node.
func (n *inode) Release() {
	if n.refs--; n.refs > 0 {
		return
	}
	if n.refs < 0 {
		panic("BUG: hostfs: an inode was released too often")
	}
	if n.recent != nil {
		n.fs.closeDir(n)
	}
	if n.nameless() {
		if fi, err := n.anchor.Stat(); err == nil && attrOf(fi).Nlink == 0 {
			n.fs.forget(n.key)
		}
	}
	if n.anchor != nil {
		n.anchor.Close()
	}
	if n.fs.live[n.key] == n {
		delete(n.fs.live, n.key)
	}
	if n.parent != nil {
		n.parent.Release()
	}
}

// nameless tells whether n lives on by the file that is open only.
func (n *inode) nameless() bool { return n.parent == nil && n.anchor != nil }

// found takes what Lstat told of name in the directory d and holds its inode.
func (fs *FS) found(d *inode, root *os.Root, name string, fi os.FileInfo) (*inode, error) {
	k, err := keyOf(root, name, fi)
	if err != nil {
		return nil, toErrno(err)
	}
	kind := modeOf(fi) & fs9p.ModeType
	n := fs.live[k]
	if n != nil && n.kind != kind {
		// The host has removed it and used its number again.
		n.gone, n.last = true, fs9p.Attr{Mode: n.kind}
		fs.forget(k)
		fs.renumber(k)
		n = nil
	}
	if n == nil {
		n = &inode{fs: fs, key: k, id: fs.number(k), kind: kind}
		fs.live[k] = n
	}
	n.hold()
	n.named(d, name)
	return n, nil
}

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

// dir opens the directory n, or finds it open.
func (n *inode) dir() (*os.Root, error) {
	switch {
	case n == n.fs.top:
		return n.root, nil
	case n.kind != fs9p.ModeDir:
		return nil, fs9p.ENOTDIR
	case n.gone:
		return nil, fs9p.ENOENT
	case n.root != nil:
		n.fs.openDir(n)
		return n.root, nil
	}
	up, err := n.parent.dir()
	if err != nil {
		return nil, err
	}
	root, err := up.OpenRoot(n.name)
	if err != nil {
		return nil, toErrno(err)
	}
	if _, err := n.check(root, ".", root.Stat); err != nil {
		root.Close()
		return nil, err
	}
	n.root = root
	n.fs.openDir(n)
	return root, nil
}

// check says ESTALE if what is found at name is not n, and tells what it is.
func (n *inode) check(root *os.Root, name string, stat func(string) (os.FileInfo, error)) (os.FileInfo, error) {
	fi, err := stat(name)
	if err != nil {
		return nil, toErrno(err)
	}
	if k, err := keyOf(root, name, fi); err != nil {
		return nil, toErrno(err)
	} else if k != n.key || modeOf(fi)&fs9p.ModeType != n.kind {
		return nil, fs9p.ESTALE
	}
	return fi, nil
}

// at gives the directory and the name at which n is now, and what it is.
func (n *inode) at() (*os.Root, string, os.FileInfo, error) {
	dir, name := n.parent, n.name
	if n.kind == fs9p.ModeDir {
		dir, name = n, "."
	}
	if dir == nil {
		return nil, "", nil, fs9p.ESTALE
	}
	root, err := dir.dir()
	if err != nil {
		return nil, "", nil, err
	}
	fi, err := n.check(root, name, root.Lstat)
	return root, name, fi, err
}

// QID is part of fs9p.Node.
func (n *inode) QID() fs9p.QID {
	return fs9p.QID{Type: fs9p.QIDType(n.kind), Version: 1, Path: n.id}
}

// Attr is part of fs9p.Node.
func (n *inode) Attr() (fs9p.Attr, error) {
	var fi os.FileInfo
	var err error
	switch {
	case n.gone:
		return n.last, nil
	case n.nameless():
		fi, err = n.anchor.Stat()
	default:
		_, _, fi, err = n.at()
	}
	if err != nil {
		return fs9p.Attr{}, toErrno(err)
	}
	return n.assume(attrOf(fi)), nil
}

// assume puts what the guest was told in the place of what the host says.
func (n *inode) assume(a fs9p.Attr) fs9p.Attr {
	as, ok := n.fs.assumed[n.key]
	if !ok {
		return a
	}
	if as.owner {
		a.UID, a.GID = as.uid, as.gid
	}
	if as.mode != 0 {
		a.Mode, a.Rdev, a.Size, a.Blocks = as.mode, as.rdev, 0, 0
	}
	return a
}

// attrOf tells what the host knows of a file.
func attrOf(fi os.FileInfo) fs9p.Attr {
	mtime := fi.ModTime()
	t := fs9p.Timespec{Sec: mtime.Unix(), Nsec: uint32(mtime.Nanosecond())}
	a := fs9p.Attr{
		Mode: modeOf(fi), Nlink: 1, Size: uint64(fi.Size()), BlockSize: 4096,
		Blocks: (uint64(fi.Size()) + 511) / 512, Atime: t, Mtime: t, Ctime: t, Btime: t,
	}
	fill(&a, fi)
	return a
}

var fileTypes = []struct {
	mode os.FileMode
	kind uint32
}{
	{os.ModeDir, fs9p.ModeDir},
	{os.ModeSymlink, fs9p.ModeSymlink},
	{os.ModeNamedPipe, fs9p.ModeFIFO},
	{os.ModeSocket, fs9p.ModeSocket},
	{os.ModeDevice | os.ModeCharDevice, fs9p.ModeChar},
	{os.ModeDevice, fs9p.ModeBlock},
}

var specialBits = []struct {
	mode os.FileMode
	bit  uint32
}{{os.ModeSetuid, fs9p.ModeSetUID}, {os.ModeSetgid, fs9p.ModeSetGID}, {os.ModeSticky, fs9p.ModeSticky}}

// modeOf turns Go's file mode into Linux's.
func modeOf(fi os.FileInfo) uint32 {
	mode := fi.Mode()
	out := uint32(mode.Perm())
	for _, s := range specialBits {
		if mode&s.mode != 0 {
			out |= s.bit
		}
	}
	for _, t := range fileTypes {
		if mode.Type()&t.mode == t.mode {
			return out | t.kind
		}
	}
	return out | fs9p.ModeRegular
}

// goMode turns permission bits into Go's.
func goMode(mode uint32) os.FileMode {
	out := os.FileMode(mode & 0o777)
	for _, s := range specialBits {
		if mode&s.bit != 0 {
			out |= s.mode
		}
	}
	return out
}

// SetAttr is part of fs9p.Node.
func (n *inode) SetAttr(a fs9p.SetAttr) error {
	if a.Valid&fs9p.SetSize != 0 {
		if err := n.truncate(a.Size); err != nil {
			return err
		}
	}
	if a.Valid&(fs9p.SetUID|fs9p.SetGID) != 0 {
		old, err := n.Attr()
		if err != nil {
			return err
		}
		owner := fs9p.Owner{UID: old.UID, GID: old.GID}
		if a.Valid&fs9p.SetUID != 0 {
			owner.UID = a.UID
		}
		if a.Valid&fs9p.SetGID != 0 {
			owner.GID = a.GID
		}
		if err := n.chown(owner); err != nil {
			return err
		}
	}
	if a.Valid&fs9p.SetMode != 0 {
		if err := n.chmod(a.Mode); err != nil {
			return err
		}
	}
	if a.Valid&(fs9p.SetAtime|fs9p.SetMtime) != 0 {
		return n.chtimes(a)
	}
	return nil
}

func (n *inode) truncate(size uint64) error {
	f, shared, err := n.file(os.O_WRONLY)
	if err != nil {
		return err
	}
	if !shared {
		defer f.Close()
	}
	return toErrno(f.Truncate(int64(size)))
}

// chown changes the owner on the host where it may, else in the guest's eyes.
func (n *inode) chown(owner fs9p.Owner) error {
	var err error
	if n.nameless() {
		err = n.anchor.Chown(int(owner.UID), int(owner.GID))
	} else {
		root, name, _, e := n.at()
		if e != nil {
			return e
		}
		err = root.Lchown(name, int(owner.UID), int(owner.GID))
	}
	as, had := n.fs.assumed[n.key]
	switch {
	case err == nil && had:
		as.owner = false
		n.fs.assumed[n.key] = as
	case err == nil:
	case ownerRefused(err):
		as.owner, as.uid, as.gid = true, owner.UID, owner.GID
		n.fs.assumed[n.key] = as
	default:
		return toErrno(err)
	}
	return nil
}

func (n *inode) chmod(mode uint32) error {
	if as, ok := n.fs.assumed[n.key]; ok && as.mode != 0 {
		as.mode = as.mode&fs9p.ModeType | mode&fs9p.ModePerm
		n.fs.assumed[n.key] = as
		return nil
	}
	if n.nameless() {
		return toErrno(n.anchor.Chmod(goMode(mode)))
	}
	if n.kind == fs9p.ModeSymlink {
		return fs9p.EOPNOTSUPP
	}
	root, name, _, err := n.at()
	if err != nil {
		return err
	}
	return toErrno(root.Chmod(name, goMode(mode)))
}

func (n *inode) chtimes(a fs9p.SetAttr) error {
	var atime, mtime time.Time // zero leaves it
	now := time.Now()
	if a.Valid&fs9p.SetAtime != 0 {
		if atime = now; a.Valid&fs9p.SetAtimeTo != 0 {
			atime = time.Unix(a.Atime.Sec, int64(a.Atime.Nsec))
		}
	}
	if a.Valid&fs9p.SetMtime != 0 {
		if mtime = now; a.Valid&fs9p.SetMtimeTo != 0 {
			mtime = time.Unix(a.Mtime.Sec, int64(a.Mtime.Nsec))
		}
	}
	if n.nameless() {
		return toErrno(chtimesOpen(n.anchor, atime, mtime))
	}
	root, name, _, err := n.at()
	if err != nil {
		return err
	}
	if n.kind == fs9p.ModeSymlink {
		return toErrno(chtimesLink(root, name, atime, mtime))
	}
	return toErrno(root.Chtimes(name, atime, mtime))
}

// Readlink is part of fs9p.Node.
func (n *inode) Readlink() (string, error) {
	if n.kind != fs9p.ModeSymlink {
		return "", fs9p.EINVAL
	}
	if n.gone {
		return n.target, nil
	}
	root, name, _, err := n.at()
	if err != nil {
		return "", err
	}
	target, err := root.Readlink(name)
	return target, toErrno(err)
}
