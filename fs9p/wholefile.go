package fs9p

import (
	"bytes"
	"path"
	"strings"
)

// newFile is the name of a file in the making, in its folder.
const newFile = ".alpinevm-new"

// MakeFolders gives the folder of that name, made with those above it where they
// are missing, mode 0755 and root's. Symbolic links on the way are followed within
// f. The caller releases it. It may be called where IOFS may be used.
func MakeFolders(f FS, name string) (folder Node, err error) {
	return lookup(f, name, true, walkOrMake)
}

// walkOrMake gives what a folder has by that name, a new folder if there is
// nothing.
func walkOrMake(at Node, name string) (Node, error) {
	next, err := at.Walk(name)
	if ErrnoOf(err) != ENOENT {
		return next, err
	}
	if _, err := at.Mkdir(name, 0o755, Owner{}); err != nil {
		return nil, err
	}
	return at.Walk(name)
}

// WriteFile puts a file of root's with that content in the place of what has its
// name, be it a symbolic link, and makes the folders above it. A file that has
// the content already stays as it is. It may be called where IOFS may be used.
func WriteFile(f FS, name string, data []byte, mode uint32) error {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	files := IOFS(f)
	if info, err := files.Lstat(name); err == nil && info.Mode().IsRegular() {
		if old, err := ReadFile(files, name, int64(len(data))); err == nil && bytes.Equal(old, data) {
			return nil
		}
	}
	dir, err := MakeFolders(f, path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Release()
	if err := dir.Unlink(newFile, false); err != nil && ErrnoOf(err) != ENOENT {
		return err
	}
	if err = fill(dir, data, mode); err == nil {
		err = dir.Rename(newFile, dir, path.Base(name))
	}
	if err != nil {
		dir.Unlink(newFile, false)
	}
	return err
}

// fill makes newFile.
func fill(dir Node, data []byte, mode uint32) error {
	n, file, err := dir.Create(newFile, OWronly, mode, Owner{})
	if err != nil {
		return err
	}
	defer n.Release()
	for off := 0; off < len(data) && err == nil; {
		var k int
		k, err = file.WriteAt(data[off:], uint64(off))
		off += k
	}
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}
