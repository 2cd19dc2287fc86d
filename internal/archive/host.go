package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// PackHost writes an archive of a file or folder of the host, which is called base
// in it.
func PackHost(w io.Writer, name, base string) error {
	out := tar.NewWriter(w)
	err := filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(name, file)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return packFile(out, file, path.Join(base, filepath.ToSlash(below)), info)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

func packFile(w *tar.Writer, file, name string, info fs.FileInfo) error {
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if target, err = os.Readlink(file); err != nil {
			return err
		}
	}
	if info.Mode()&fs.ModeSocket != 0 { // it has no place in an archive
		return nil
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name, h.Format = name, tar.FormatPAX
	if info.IsDir() {
		h.Name += "/"
	}
	if name == "." {
		return nil
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(w, f, h.Size)
	if errors.Is(err, io.EOF) {
		err = errors.New("it became shorter while it was copied")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// UnpackHost puts the archive of a file or folder into a folder of the host, and
// calls it base there, or, where base is empty, its content by its own names. What
// is there is replaced or added to; nothing outside the folder is, whatever the
// archive says, nor does a guest make anything that has power on the host: devices
// are left out, and set-id bits.
func UnpackHost(r io.Reader, dir, base string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	in := tar.NewReader(r)
	var folders []*tar.Header
	var names []string
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		name := renamed(h.Name, base)
		if name == "" || name == "." {
			continue
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%s: %w", h.Name, ErrName)
		}
		if err := unpackFile(root, in, h, name, base); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if h.Typeflag == tar.TypeDir {
			folders, names = append(folders, h), append(names, name)
		}
	}
	for i, h := range folders {
		if err := errors.Join(root.Chmod(names[i], fs.FileMode(h.Mode)&0o777), root.Chtimes(names[i], h.ModTime, h.ModTime)); err != nil {
			return err
		}
	}
	return nil
}

// renamed has base in the place of the first part of a name.
func renamed(name, base string) string {
	_, rest, _ := strings.Cut(strings.Trim(path.Clean("/"+name), "/"), "/")
	return path.Join(base, rest)
}

func unpackFile(root *os.Root, r io.Reader, h *tar.Header, name, base string) error {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	old, err := root.Lstat(name)
	if err == nil && !(old.IsDir() && h.Typeflag == tar.TypeDir) {
		if err := root.Remove(name); err != nil {
			return err
		}
	}
	mode := fs.FileMode(h.Mode) & 0o777
	switch h.Typeflag {
	case tar.TypeDir:
		// Until all is in it we may write there.
		if err := root.Mkdir(name, mode|0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return root.Link(renamed(h.Linkname, base), name)
	case tar.TypeReg:
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		return errors.Join(root.Chmod(name, mode), root.Chtimes(name, h.ModTime, h.ModTime))
	}
	return nil
}
