package hostfs

import (
	"os"
	"time"

	"alpinevm/fs9p"
)

// Attr is part of fs9p.Node.
func (n *inode) Attr() (fs9p.Attr, error) {
	if n.gone != nil {
		return n.gone.attr, nil
	}
	p, err := n.place()
	if err != nil {
		return fs9p.Attr{}, err
	}
	return n.fs.kept.assume(n.mark(), attrOf(p.info)), nil
}

// attrOf tells what the host knows of a file.
func attrOf(fi os.FileInfo) fs9p.Attr {
	t := fs9p.TimespecOf(fi.ModTime())
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

// setIDs are the bits that give a program of the host the rights of its owner.
const setIDs = fs9p.ModeSetUID | fs9p.ModeSetGID

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

// truncate changes the size. Set-id bits of the host do not come to stand for
// other contents; for a write the server clears them.
func (n *inode) truncate(size uint64) error {
	p, err := n.place()
	if err != nil {
		return err
	}
	if mode := modeOf(p.info); mode&setIDs != 0 && n.kind == fs9p.ModeRegular {
		if err := n.setMode(p, mode, 0); err != nil {
			return err
		}
	}
	h, err := n.open(os.O_WRONLY)
	if err != nil {
		return err
	}
	defer h.release()
	return n.fs.resize(h.f, size)
}

// chown changes the owner of a file.
func (n *inode) chown(owner fs9p.Owner) error {
	p, err := n.place()
	if err != nil {
		return err
	}
	refused, err := n.setOwner(p, owner)
	if refused && err == nil {
		return n.touch(p)
	}
	return err
}

// setOwner changes the owner on the host where it may, else in the guest's
// eyes. Set-id bits of the host do not come to stand for another owner.
func (n *inode) setOwner(p place, owner fs9p.Owner) (refused bool, err error) {
	switch err := p.chown(int(owner.UID), int(owner.GID)); {
	case err == nil:
		n.fs.kept.owners.Delete(n.mark())
		if mode := modeOf(p.info); mode&setIDs != 0 && n.kind == fs9p.ModeDir {
			return false, n.setMode(p, mode, 0)
		}
		return false, nil
	case !ownerRefused(err):
		return false, toErrno(err)
	}
	return true, n.fs.kept.own(n.mark(), owner)
}

func (p place) chown(uid, gid int) error {
	if p.file != nil {
		return p.file.Chown(uid, gid)
	}
	return p.dir.root.Lchown(p.name, uid, gid)
}

// chmod changes permissions. Set-id bits that the host has not set itself are
// kept from it.
func (n *inode) chmod(mode uint32) error {
	p, err := n.place()
	if err != nil {
		return err
	}
	if special := n.fs.kept.extra(n.mark()).special; special != 0 {
		err := n.fs.kept.change(n.mark(), func(e *extra) { e.special = special&fs9p.ModeType | mode&fs9p.ModePerm })
		if err != nil {
			return err
		}
		return n.touch(p)
	}
	if n.kind == fs9p.ModeSymlink {
		return fs9p.EOPNOTSUPP
	}
	return n.setMode(p, mode, modeOf(p.info)&setIDs)
}

// setMode sets permissions, of the set-id bits on the host those in may only.
func (n *inode) setMode(p place, mode, may uint32) error {
	kept := mode & setIDs &^ may
	old := n.fs.kept.extra(n.mark()).setID
	set := func(bits uint32) error {
		if bits == n.fs.kept.extra(n.mark()).setID {
			return nil
		}
		return n.fs.kept.change(n.mark(), func(e *extra) { e.setID = bits })
	}
	if err := set(kept); err != nil {
		return err
	}
	if err := p.chmod(mode & fs9p.ModePerm &^ kept); err != nil {
		set(old)
		return toErrno(err)
	}
	return nil
}

func (p place) chmod(mode uint32) error {
	if p.file != nil {
		return p.file.Chmod(goMode(mode))
	}
	return p.dir.root.Chmod(p.name, goMode(mode))
}

// touch sets the time of the last change of a file of which something was
// changed that only the guest sees: by setting what it has, where that changes
// nothing else, or in the guest's eyes.
func (n *inode) touch(p place) error {
	switch mode := modeOf(p.info); {
	case n.kind == fs9p.ModeSymlink && p.chown(-1, -1) == nil:
		return nil
	case n.kind != fs9p.ModeSymlink && mode&setIDs == 0 && p.chmod(mode) == nil:
		return nil
	}
	now := fs9p.TimespecOf(time.Now())
	return n.fs.kept.change(n.mark(), func(e *extra) { e.ctime = now })
}

// times are an access and a modification time; nil leaves one as it is.
type times struct{ access, modified *fs9p.Timespec }

func (n *inode) chtimes(a fs9p.SetAttr) error {
	var t times
	now := fs9p.TimespecOf(time.Now())
	if a.Valid&fs9p.SetAtime != 0 {
		if t.access = &now; a.Valid&fs9p.SetAtimeTo != 0 {
			t.access = &a.Atime
		}
	}
	if a.Valid&fs9p.SetMtime != 0 {
		if t.modified = &now; a.Valid&fs9p.SetMtimeTo != 0 {
			t.modified = &a.Mtime
		}
	}
	p, err := n.place()
	if err != nil {
		return err
	}
	if p.dir == nil {
		return toErrno(chtimesOpen(p.file, t))
	}
	return toErrno(p.dir.chtimes(p.name, n.kind == fs9p.ModeSymlink, t))
}

// Readlink is part of fs9p.Node.
func (n *inode) Readlink() (string, error) {
	if n.kind != fs9p.ModeSymlink {
		return "", fs9p.EINVAL
	}
	if n.gone != nil {
		return n.gone.target, nil
	}
	p, err := n.place()
	if err != nil {
		return "", err
	}
	target, err := p.dir.root.Readlink(p.name)
	return target, toErrno(err)
}
