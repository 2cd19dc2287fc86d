package fs9p

import "strings"

// maxLinks bounds how many symbolic links one name may lead through, as in Linux.
const maxLinks = 40

// Lookup gives the node at name, a path from the top of f; the caller releases
// it. With follow set a last symbolic link is followed, others always are, those
// with an absolute target from the top. It never leaves f. It may be called where
// IOFS may be used.
func Lookup(f FS, name string, follow bool) (Node, error) { return lookup(f, name, follow, Node.Walk) }

// lookup is Lookup with step for each part of the way.
func lookup(f FS, name string, follow bool, step func(Node, string) (Node, error)) (node Node, err error) {
	at, err := f.Attach("")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			at.Release()
		}
	}()
	links := 0
	for todo := strings.Split(name, "/"); len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		if part == "" || part == "." {
			continue
		}
		next, err := step(at, part)
		if err != nil {
			return nil, err
		}
		if next.QID().Type&QTSymlink == 0 || !follow && len(todo) == 0 {
			at.Release()
			at = next
			continue
		}
		target, err := next.Readlink()
		next.Release()
		if links++; err == nil && links > maxLinks {
			err = ELOOP
		}
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(target, "/") {
			top, err := f.Attach("")
			if err != nil {
				return nil, err
			}
			at.Release()
			at = top
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return at, nil
}
