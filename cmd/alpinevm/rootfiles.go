package main

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/kernel"
)

// putNetworkFiles writes the resolver's files into the guest's root, where
// programs in the guest can replace them. The root is ours: what is written to
// it is kept in memory or in a machine.
func putNetworkFiles(cfg *alpinevm.Config) error {
	if cfg.Network == nil || cfg.Session == nil {
		return nil
	}
	for _, f := range cfg.Network.Files(cfg.Hostname) {
		if err := putFile(cfg.Session.Root, f); err != nil {
			return fmt.Errorf("the root's %s: %w", f.Name, err)
		}
	}
	cfg.Network.FilesInRoot = true
	return nil
}

// tempFile is the name of a file in the making.
const tempFile = ".alpinevm-new"

// putFile puts a file in the place of what has its name, be it a symbolic link.
func putFile(root fs9p.FS, f kernel.GuestFile) error {
	name := strings.TrimPrefix(f.Name, "/")
	files := fs9p.IOFS(root)
	if info, err := files.Lstat(name); err == nil && info.Mode().IsRegular() {
		if old, err := fs9p.ReadFile(files, name, int64(len(f.Data))); err == nil && bytes.Equal(old, f.Data) {
			return nil
		}
	}
	dir, err := makeFolders(root, path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Release()
	if err := dir.Unlink(tempFile, false); err != nil && fs9p.ErrnoOf(err) != fs9p.ENOENT {
		return err
	}
	n, file, err := dir.Create(tempFile, fs9p.OWronly, f.Mode, fs9p.Owner{})
	if err != nil {
		return err
	}
	defer n.Release()
	for off := 0; off < len(f.Data) && err == nil; {
		var k int
		k, err = file.WriteAt(f.Data[off:], uint64(off))
		off += k
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = dir.Rename(tempFile, dir, path.Base(name))
	}
	if err != nil {
		dir.Unlink(tempFile, false)
	}
	return err
}
