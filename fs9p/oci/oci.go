// Package oci shows the layers of a container image as one read-only file
// system, a back end of fs9p that is meant to be the lower of fs9p/overlay.
//
// Source: "OCI Image Layer Filesystem Changeset" (image-spec 1.1, layer.md):
// tar archives that are applied in order, with whiteouts and opaque folders;
// and POSIX pax, GNU and star for the archives (package archive/tar).
//
// Nothing is unpacked. [Build] reads the headers of all layers once and writes
// a tree: a small file that holds the merged result, with the place in a layer
// of every file's content. [Open] serves a tree and its layers, which need be
// uncompressed, and keeps only a fixed cache of the tree in memory.
//
// Layers are hostile: a name that leads out of the image is an error that names
// it, as is whatever Linux could not hold (a name of more than 255 bytes, a
// device number of more than 32 bits). Symbolic links on the way to an entry
// are followed inside the image.
//
// Deviation: the hard links that AUFS kept under /.wh..wh.plnk before 2017 are
// not looked for; an image that has them is refused by the name of the link.
package oci

import (
	"errors"
	"fmt"
	"io"

	"alpinevm/fs9p"
)

// Layer is an uncompressed layer: a tar archive of Size bytes. Name stands for
// it in errors.
type Layer struct {
	Name string
	Data io.ReaderAt
	Size int64
}

// FS is an image's file system. It is used by one goroutine, as fs9p.FS says.
type FS struct {
	tree   tree
	layers []Layer
}

// ErrTree is the error of a file that is no tree or a damaged one.
var ErrTree = errors.New("not a tree of an image, or a damaged one")

// Open serves a tree of size bytes that Build made of these layers. It reads
// all of the tree to check it, but keeps no more than a part. The caller closes
// the readers when the FS is no longer used.
func Open(r io.ReaderAt, size int64, layers []Layer) (*FS, error) {
	fs := &FS{layers: layers}
	if err := fs.tree.open(r, size); err != nil {
		return nil, err
	}
	if int(fs.tree.layers) != len(layers) {
		return nil, fmt.Errorf("%w: of %d layers, not %d", ErrTree, fs.tree.layers, len(layers))
	}
	return fs, nil
}

// Version changes when Build makes another tree of the same layers.
const Version = magic

// TreeBytes tells how many bytes the files of all layers of a tree hold, hidden
// ones included. The tree is not checked.
func TreeBytes(r io.ReaderAt) (int64, error) {
	var b [headerSize]byte
	if _, err := r.ReadAt(b[:], 0); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrTree, err)
	}
	if string(b[:len(magic)]) != magic {
		return 0, ErrTree
	}
	var h header
	h.code(coder{b: b[len(magic):]})
	return int64(h.bytes), nil
}

// Attach gives the root, or the directory that aname names; symbolic links on
// the way are not followed.
func (fs *FS) Attach(aname string) (fs9p.Node, error) {
	n, err := fs.node(rootID)
	if err != nil {
		return nil, err
	}
	return fs9p.Below(n, aname)
}

// Inode is part of fs9p.Numbered.
func (fs *FS) Inode(path uint64) (fs9p.Node, error) {
	if path == 0 || path > uint64(fs.tree.inodes) {
		return nil, fs9p.ENOENT
	}
	n, err := fs.node(uint32(path))
	if err != nil {
		return nil, err
	}
	return n, nil
}

// blockSize is what Attr and Statfs count in.
const blockSize = 4096

// Statfs is part of fs9p.FS. Nothing is free.
func (fs *FS) Statfs() (fs9p.Statfs, error) {
	return fs9p.Statfs{
		Type: fs9p.Magic, BlockSize: blockSize, Blocks: (fs.tree.bytes + blockSize - 1) / blockSize,
		Files: uint64(fs.tree.inodes), NameLen: fs9p.MaxName,
	}, nil
}
