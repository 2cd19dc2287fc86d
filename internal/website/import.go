package website

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"alpinevm/fs9p"
	"alpinevm/fs9p/statefs"
	"alpinevm/fs9p/storage"
	"alpinevm/internal/archive"
	"alpinevm/internal/tarball"
	"alpinevm/kernel"
)

var (
	errCut     = errors.New("it has been cut short")
	errNothing = errors.New("there is nothing in it")
)

// Import has a storage that keeps nothing keep the root file system that an archive
// holds, as alpinevm export and a page's export give it. Before all of it is there the
// storage keeps nothing.
func Import(ctx context.Context, s storage.Storage, m *Machine, r io.Reader) error {
	switch mark, err := readMark(s); {
	case err != nil:
		return err
	case mark != "":
		return ErrTaken
	}
	if err := statefs.Clear(s); err != nil {
		return err
	}
	f, err := statefs.Open(statefs.Config{Storage: s})
	if err != nil {
		return err
	}
	err = unpack(ctx, f, r)
	if err == nil {
		err = m.starts(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("the archive cannot be imported: %w", err)
	}
	return writeMark(s, wholeRoot)
}

// unpack puts what is in an archive into a file system.
func unpack(ctx context.Context, to fs9p.FS, r io.Reader) error {
	z, err := tarball.Decompress(r)
	if err != nil {
		return err
	}
	defer z.Close()
	e := &ending{r: z}
	list, err := (&archive.Tree{FS: to}).Extract(ctx, tar.NewReader(e), "/", archive.Options{})
	if err == nil {
		_, err = io.Copy(io.Discard, e) // its checksum is at the end
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errCut
	case err != nil:
		return err
	case e.zeros < tarEnd:
		return errCut
	case len(list) == 0:
		return errNothing
	}
	return nil
}

// tarEnd is how many zeros an archive ends with, at least (POSIX.1-2017 pax, "ustar
// Interchange Format").
const tarEnd = 1024

// ending counts the zeros that it has read last.
type ending struct {
	r     io.Reader
	zeros int
}

// Read is part of io.Reader.
func (e *ending) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	for _, b := range p[:n] {
		if e.zeros++; b != 0 {
			e.zeros = 0
		}
	}
	return n, err
}

// starts refuses a root that the machine cannot start.
func (m *Machine) starts(root fs9p.FS) error {
	if m.Busybox != nil {
		return nil
	}
	if _, err := kernel.RootTools(fs9p.IOFS(root)); err != nil {
		return fmt.Errorf("it has no busybox to start with, as Alpine's roots have, and this page's image brings none: it needs a page of its own image (%w)", err)
	}
	return nil
}
