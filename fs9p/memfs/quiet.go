package memfs

import (
	"strings"

	"alpinevm/fs9p"
)

// A quiet FS is one whose directories keep their times when something is put
// into them: they are those of the archive.
type quiet struct{ *FS }

// Attach is part of fs9p.FS.
func (q quiet) Attach(aname string) (fs9p.Node, error) {
	n, err := q.FS.Attach(aname)
	if err != nil {
		return nil, err
	}
	return quietNode{n}, nil
}

type quietNode struct{ fs9p.Node }

// quietly makes a change of the directory n.
func (n quietNode) quietly(change func() error) error {
	a, err := n.Attr()
	if err == nil {
		err = change()
	}
	if err != nil {
		return err
	}
	return n.SetAttr(fs9p.SetAttr{
		Valid: fs9p.SetAtime | fs9p.SetAtimeTo | fs9p.SetMtime | fs9p.SetMtimeTo, Atime: a.Atime, Mtime: a.Mtime,
	})
}

// Walk is part of fs9p.Node.
func (n quietNode) Walk(name string) (fs9p.Node, error) {
	child, err := n.Node.Walk(name)
	if err != nil {
		return nil, err
	}
	return quietNode{child}, nil
}

// Mkdir is part of fs9p.Node. The name may be a part of a longer one, which it
// must not keep in memory.
func (n quietNode) Mkdir(name string, mode uint32, owner fs9p.Owner) (q fs9p.QID, err error) {
	err = n.quietly(func() (err error) { q, err = n.Node.Mkdir(strings.Clone(name), mode, owner); return err })
	return q, err
}

// Symlink is part of fs9p.Node.
func (n quietNode) Symlink(name, target string, owner fs9p.Owner) (q fs9p.QID, err error) {
	err = n.quietly(func() (err error) { q, err = n.Node.Symlink(strings.Clone(name), target, owner); return err })
	return q, err
}

// Mknod is part of fs9p.Node.
func (n quietNode) Mknod(name string, mode uint32, rdev uint64, owner fs9p.Owner) (q fs9p.QID, err error) {
	err = n.quietly(func() (err error) { q, err = n.Node.Mknod(strings.Clone(name), mode, rdev, owner); return err })
	return q, err
}

// Link is part of fs9p.Node.
func (n quietNode) Link(name string, target fs9p.Node) error {
	return n.quietly(func() error { return n.Node.Link(strings.Clone(name), target.(quietNode).Node) })
}

// Unlink is part of fs9p.Node.
func (n quietNode) Unlink(name string, dir bool) error {
	return n.quietly(func() error { return n.Node.Unlink(name, dir) })
}
