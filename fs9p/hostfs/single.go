package hostfs

import (
	"fmt"
	"path/filepath"

	"alpinevm/fs9p"
)

// Single is a directory that holds one file of the host and nothing else,
// whatever is beside the file on the host. The directory cannot be changed; the
// file can.
//
// The file is what has the name: a host that writes files anew and renames them
// over the old ones, as editors do, shows the guest the new one. Who has the old
// one open goes on with that. While the host has anything but a regular file
// under the name, there is none.
type Single struct {
	fs   *FS
	name string
	id   uint64 // the qid.path of the file, whichever it is
}

// NewFile serves the file at name, which is no symbolic link.
func NewFile(name string) (*Single, error) {
	fs, err := New(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	s := &Single{fs: fs, name: filepath.Base(name)}
	n, err := s.file()
	if err != nil {
		fs.Close()
		return nil, fmt.Errorf("hostfs: %s: %w", name, err)
	}
	defer n.Release()
	s.id = n.id
	return s, nil
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

// Inode is part of fs9p.Numbered.
func (s *Single) Inode(path uint64) (fs9p.Node, error) {
	switch path {
	case s.fs.top.id:
		return s.dir(), nil
	case s.id:
		return singleFile{s}, nil
	}
	return nil, fs9p.ENOENT
}

// file holds what the name stands for now.
func (s *Single) file() (*inode, error) {
	n, _, err := s.fs.top.lookup(s.name)
	if err != nil {
		return nil, err
	}
	if n.kind != fs9p.ModeRegular {
		n.Release()
		return nil, fs9p.ENOENT
	}
	return n, nil
}

// qid is that of the file. Version 0 says that a guest must not cache it.
func (s *Single) qid() fs9p.QID { return fs9p.QID{Type: fs9p.QTFile, Path: s.id} }

func (s *Single) dir() fs9p.Node { return &singleDir{s: s, top: s.fs.top.hold()} }

// singleDir is the directory of a Single. It embeds nothing of the host's, so
// that no way to change the host's own folder comes in unseen.
type singleDir struct {
	s   *Single
	top *inode
}

func (d *singleDir) QID() fs9p.QID                         { return d.top.QID() }
func (d *singleDir) Release()                              { d.top.Release() }
func (d *singleDir) Attr() (fs9p.Attr, error)              { return d.top.Attr() }
func (d *singleDir) SetAttr(fs9p.SetAttr) error            { return fs9p.EPERM }
func (d *singleDir) Xattr(string) ([]byte, error)          { return nil, fs9p.ENODATA }
func (d *singleDir) Xattrs() ([]string, error)             { return nil, nil }
func (d *singleDir) RemoveXattr(string) error              { return fs9p.EPERM }
func (d *singleDir) SetXattr(string, []byte, uint32) error { return fs9p.EPERM }

func (d *singleDir) Readlink() (string, error)              { return "", fs9p.EINVAL }
func (d *singleDir) Unlink(string, bool) error              { return fs9p.EPERM }
func (d *singleDir) Link(string, fs9p.Node) error           { return fs9p.EPERM }
func (d *singleDir) Rename(string, fs9p.Node, string) error { return fs9p.EPERM }
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
		n, err := d.s.file()
		if err != nil {
			return nil, err
		}
		n.Release()
		return singleFile{d.s}, nil
	}
	return nil, fs9p.ENOENT
}

// Open opens the directory for listing.
func (d *singleDir) Open(uint32) (fs9p.File, error) { return singleListing{d.s}, nil }

// singleListing is the open directory.
type singleListing struct{ s *Single }

func (singleListing) ReadAt([]byte, uint64) (int, error)  { return 0, fs9p.EISDIR }
func (singleListing) WriteAt([]byte, uint64) (int, error) { return 0, fs9p.EISDIR }
func (singleListing) Sync(bool) error                     { return nil }
func (singleListing) Close() error                        { return nil }

func (l singleListing) ReadDir(cookie uint64, emit func(fs9p.Dirent) bool) error {
	if cookie > fs9p.DirStart {
		return nil
	}
	n, err := l.s.file()
	if err != nil {
		if lost(err) {
			return nil
		}
		return err
	}
	n.Release()
	emit(fs9p.Dirent{QID: l.s.qid(), Cookie: fs9p.DirStart + 1, Type: fs9p.DirentType(fs9p.ModeRegular), Name: l.s.name})
	return nil
}
