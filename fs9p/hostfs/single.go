package hostfs

import (
	"path/filepath"

	"alpinevm/fs9p"
)

// Single is a directory that holds one file of the host and nothing else,
// whatever is beside the file on the host. The directory cannot be changed; the
// file can.
type Single struct {
	fs   *FS
	name string
}

// NewFile serves the file at name, which is no symbolic link.
func NewFile(name string) (*Single, error) {
	fs, err := New(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	return &Single{fs, filepath.Base(name)}, nil
}

// Close closes the folder that the file is in. No Node may be in use.
func (s *Single) Close() error { return s.fs.Close() }

// Slow is part of fs9p.Slow.
func (s *Single) Slow() bool { return true }

// Attach is part of fs9p.FS. There is one directory.
func (s *Single) Attach(aname string) (fs9p.Node, error) {
	if aname != "" && aname != "/" {
		return nil, fs9p.ENOENT
	}
	return s.dir(), nil
}

// Statfs is part of fs9p.FS.
func (s *Single) Statfs() (fs9p.Statfs, error) { return s.fs.Statfs() }

func (s *Single) dir() fs9p.Node { return &singleDir{s, s.fs.top.hold()} }

// singleDir is the directory of a Single. It embeds nothing, so that no way to
// change the host's own folder comes in unseen.
type singleDir struct {
	s   *Single
	top *inode
}

func (d *singleDir) QID() fs9p.QID                { return d.top.QID() }
func (d *singleDir) Release()                     { d.top.Release() }
func (d *singleDir) Attr() (fs9p.Attr, error)     { return d.top.Attr() }
func (d *singleDir) SetAttr(fs9p.SetAttr) error   { return fs9p.EPERM }
func (d *singleDir) Readlink() (string, error)    { return "", fs9p.EINVAL }
func (d *singleDir) Xattr(string) ([]byte, error) { return nil, fs9p.ENODATA }
func (d *singleDir) Xattrs() ([]string, error)    { return nil, nil }
func (d *singleDir) RemoveXattr(string) error     { return fs9p.EPERM }
func (d *singleDir) Unlink(string, bool) error    { return fs9p.EPERM }
func (d *singleDir) SetXattr(string, []byte, uint32) error {
	return fs9p.EPERM
}
func (d *singleDir) Link(string, fs9p.Node) error { return fs9p.EPERM }
func (d *singleDir) Rename(string, fs9p.Node, string) error {
	return fs9p.EPERM
}
func (d *singleDir) Mkdir(string, uint32, fs9p.Owner) (fs9p.QID, error) {
	return fs9p.QID{}, fs9p.EPERM
}
func (d *singleDir) Symlink(string, string, fs9p.Owner) (fs9p.QID, error) {
	return fs9p.QID{}, fs9p.EPERM
}
func (d *singleDir) Mknod(string, uint32, uint64, fs9p.Owner) (fs9p.QID, error) {
	return fs9p.QID{}, fs9p.EPERM
}
func (d *singleDir) Create(string, uint32, uint32, fs9p.Owner) (fs9p.Node, fs9p.File, error) {
	return nil, nil, fs9p.EPERM
}

// Walk finds the file, or the directory itself as its parent.
func (d *singleDir) Walk(name string) (fs9p.Node, error) {
	switch name {
	case "..":
		return d.s.dir(), nil
	case d.s.name:
		return d.top.Walk(name)
	}
	return nil, fs9p.ENOENT
}

// Open opens the directory for listing.
func (d *singleDir) Open(flags uint32) (fs9p.File, error) {
	if fs9p.CanWrite(flags) {
		return nil, fs9p.EISDIR
	}
	f, err := d.top.Open(flags)
	if err != nil {
		return nil, err
	}
	return singleListing{f, d.s.name}, nil
}

// singleListing is the open directory: of the host's listing, one entry.
type singleListing struct {
	f    fs9p.File
	name string
}

func (l singleListing) ReadAt([]byte, uint64) (int, error)  { return 0, fs9p.EISDIR }
func (l singleListing) WriteAt([]byte, uint64) (int, error) { return 0, fs9p.EBADF }
func (l singleListing) Sync(dataOnly bool) error            { return l.f.Sync(dataOnly) }
func (l singleListing) Close() error                        { return l.f.Close() }

func (l singleListing) ReadDir(cookie uint64, emit func(fs9p.Dirent) bool) error {
	return l.f.ReadDir(cookie, func(e fs9p.Dirent) bool { return e.Name != l.name || emit(e) })
}
