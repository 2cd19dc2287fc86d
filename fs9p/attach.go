package fs9p

import (
	"path"
	"strings"
)

// Below gives the directory that aname, the name of a Tattach, has below root;
// empty or "/" is root itself. Symbolic links on the way are not followed. The
// caller's handle on root is taken over: it becomes the result, or is released.
func Below(root Node, aname string) (Node, error) {
	at := root
	for name := range strings.SplitSeq(path.Clean("/"+aname), "/") {
		if name == "" {
			continue
		}
		next, err := at.Walk(name)
		at.Release()
		if err != nil {
			return nil, err
		}
		at = next
	}
	if at.QID().Type&QTDir == 0 {
		at.Release()
		return nil, ENOTDIR
	}
	return at, nil
}
