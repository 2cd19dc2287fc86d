package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"alpinevm/internal/archive"
	"alpinevm/internal/machines"
)

func newCp() *cobra.Command {
	var owners, quiet bool
	c := &cobra.Command{
		Use:   "cp NAME:SOURCE TARGET|- | cp SOURCE|- NAME:TARGET",
		Short: "Copy files and folders between a machine and the host",
		Long: `Copy a file, or a folder with all that is in it, from a machine or into one,
whether it runs or is kept. Nothing is asked of the image.

A folder that is there gets the copy into it; a SOURCE that ends with /. gives
what is in it alone. With - the machine's side is a tar archive on standard
output or input, which is unpacked into the folder TARGET. In the machine files
are root's, unless -a keeps the owners; on the host they are yours. Set-id bits
and devices stay in machines. What the host shares with -v is copied on the host.`,
		Example: `  alpinevm cp box:/etc/os-release .
  alpinevm cp ./site/. web:/usr/share/nginx/html
  alpinevm cp box:/var/log - | tar tv`,
		Args:              want(2, 2),
		RunE:              func(c *cobra.Command, args []string) error { return copyFiles(c.Context(), args[0], args[1], owners) },
		ValidArgsFunction: completeMachines,
	}
	c.Flags().BoolVarP(&owners, "archive", "a", false, "keep the owners of files that are copied into a machine")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing but errors (always so; for docker's users)")
	return c
}

// inMachine takes a place apart, NAME:PATH. One that begins with a dot or a slash,
// or has a slash before the colon, is the host's, and so is a drive's.
func inMachine(place string) (name, file string, ok bool) {
	name, file, ok = strings.Cut(place, ":")
	if !ok || name == "" || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") || filepath.VolumeName(place) != "" {
		return "", place, false
	}
	return name, file, true
}

func copyFiles(ctx context.Context, from, to string, owners bool) error {
	source, sourceFile, out := inMachine(from)
	target, targetFile, in := inMachine(to)
	switch {
	case out && in:
		return errors.New("cp: copy from one machine to another by the host, or in a pipe: alpinevm cp A:/x - | alpinevm cp - B:/")
	case !out && !in:
		return errors.New("cp: name a machine, NAME:PATH, on one side")
	}
	name := source + target // one of them is empty
	f, err := machines.OpenFiles(ctx, name)
	if err != nil {
		return err
	}
	if out {
		err = copyOut(ctx, f, path.Join("/", sourceFile)+trailing(sourceFile), to)
	} else {
		err = copyIn(ctx, f, from, targetFile, owners)
	}
	return errors.Join(err, f.Close())
}

// trailing is what the end of a name says: its content, or that it is a folder.
func trailing(name string) string {
	switch {
	case strings.HasSuffix(name, "/."), name == ".":
		return "/."
	case strings.HasSuffix(name, "/"):
		return "/"
	}
	return ""
}

// copyOut copies from a machine.
func copyOut(ctx context.Context, f *machines.Files, name, to string) error {
	if to == "-" {
		keepBrokenPipes()
		return f.Read(ctx, os.Stdout, name)
	}
	dir, base := filepath.Dir(to), filepath.Base(to)
	info, err := os.Stat(to)
	switch {
	case err == nil && info.IsDir():
		dir, base = to, path.Base(path.Clean(name))
		if trailing(name) == "/." || base == "/" {
			base = ""
		}
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	case err != nil && os.IsPathSeparator(to[len(to)-1]):
		return fmt.Errorf("%s: there is no such folder on the host; make it first", to)
	case err == nil:
		s, err := f.Stat(ctx, name)
		if err != nil {
			return err
		}
		if s.Dir {
			return fmt.Errorf("%s: it is a file, and %s is a folder", to, name)
		}
	}
	r, w := io.Pipe()
	read := make(chan error, 1)
	go func() {
		err := f.Read(ctx, w, name)
		w.CloseWithError(err)
		read <- err
	}()
	err = archive.UnpackHost(r, dir, base)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // the end of the archive
	}
	r.CloseWithError(errCopy)
	if e := <-read; e != nil && !errors.Is(e, errCopy) {
		return e
	}
	return err
}

// errCopy is why a copy's other side has ended.
var errCopy = errors.New("the copy has ended")

// copyIn copies into a machine.
func copyIn(ctx context.Context, f *machines.Files, from, file string, owners bool) error {
	name := path.Join("/", file)
	s, err := f.Stat(ctx, name)
	if err != nil {
		return err
	}
	if from == "-" {
		if !s.Dir {
			return fmt.Errorf("%s: there is no such folder in the machine, which an archive could be unpacked into", file)
		}
		return f.Write(ctx, os.Stdin, name, true)
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	dir, base := path.Dir(name), path.Base(name)
	switch {
	case s.Dir && info.IsDir() && trailing(filepath.ToSlash(from)) == "/.":
		dir, base = name, "."
	case s.Dir:
		dir, base = name, filepath.Base(filepath.Clean(from))
		if abs, err := filepath.Abs(from); err == nil {
			base = filepath.Base(abs)
		}
	case s.Exists && info.IsDir():
		return fmt.Errorf("%s: it is a file in the machine, and %s is a folder", file, from)
	case !s.Exists && strings.HasSuffix(file, "/") && !info.IsDir():
		return fmt.Errorf("%s: there is no such folder in the machine", file)
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(archive.PackHost(w, from, base)) }()
	err = f.Write(ctx, r, dir, owners)
	r.CloseWithError(errCopy)
	return err
}

func newExport() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:     "export NAME",
		Short:   "Write a machine's root file system as a tar archive",
		Example: `  alpinevm export -o box.tar box`,
		Args:    want(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := machines.OpenFiles(c.Context(), args[0])
			if err != nil {
				return err
			}
			err = toFile(output, func(w io.Writer) error { return f.Read(c.Context(), w, "/") })
			return errors.Join(err, f.Close())
		},
		ValidArgsFunction: completeMachines,
	}
	c.Flags().StringVarP(&output, "output", "o", "", "write to this `FILE` instead of standard output")
	return c
}

// toFile has write write to a file, which is there whole or not at all, or to
// standard output, which must not be a terminal.
func toFile(name string, write func(io.Writer) error) error {
	if name == "" || name == "-" {
		if outputIsTerminal() {
			return errors.New("the archive is not for a terminal; give -o FILE, or a pipe")
		}
		keepBrokenPipes()
		return write(os.Stdout)
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
