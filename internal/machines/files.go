package machines

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"alpinevm/fs9p"
	"alpinevm/fs9p/overlay"
	"alpinevm/internal/archive"
	"alpinevm/internal/control"
	"alpinevm/launch"
)

// Files are those of a machine, of one that runs as its guest sees them.
type Files struct {
	name string
	tree *archive.Tree // nil: it runs
	end  func() error
}

// OpenFiles finds a machine's files. One that does not run cannot start before
// Close.
func OpenFiles(ctx context.Context, name string) (*Files, error) {
	_, err := Ask(name, &control.Request{Verb: control.Info})
	if err == nil {
		return &Files{name: name, end: func() error { return nil }}, nil
	}
	if !errors.Is(err, ErrNotRunning) {
		return nil, err
	}
	m, err := Open(ctx, name)
	if err != nil {
		return nil, err
	}
	if m.IsNew {
		m.Close()
		return nil, fmt.Errorf("machine %s: %w", name, ErrNone)
	}
	f := &Files{name: name}
	if err := f.open(ctx, m); err != nil {
		return nil, errors.Join(fmt.Errorf("machine %s: %w", name, err), m.Close())
	}
	return f, nil
}

// open puts the machine's changes on its image.
func (f *Files) open(ctx context.Context, m *Machine) error {
	s, err := launch.Images(launch.Fetching{}, nil)
	if err != nil {
		return err
	}
	img, err := s.Pinned(ctx, m.dir)
	if err != nil {
		return err
	}
	lower, err := s.Open(ctx, img)
	if err != nil {
		return err
	}
	upper, err := m.Upper(nil)
	if err != nil {
		return errors.Join(err, lower.Close())
	}
	root, err := overlay.New(overlay.Config{Upper: upper, Lower: lower})
	if err != nil {
		return errors.Join(err, upper.Close(), lower.Close())
	}
	f.tree = &archive.Tree{FS: root}
	f.end = func() error { return errors.Join(lower.Close(), upper.Close(), m.Close()) }
	return nil
}

// Close ends the use of the files.
func (f *Files) Close() error { return f.end() }

// Stat looks at a name.
func (f *Files) Stat(ctx context.Context, name string) (s archive.Stat, err error) {
	if f.tree != nil {
		s, err = f.tree.Stat(ctx, name)
	} else {
		var r *control.Reply
		if r, err = Ask(f.name, &control.Request{Verb: control.Stat, Path: name}); err == nil && r.Stat != nil {
			s = archive.Stat{Exists: r.Stat.Exists, Dir: r.Stat.Dir}
		}
	}
	return s, f.named(err)
}

// Read writes an archive of what is at a name.
func (f *Files) Read(ctx context.Context, w io.Writer, name string) error {
	if f.tree != nil {
		return f.named(f.tree.Pack(ctx, w, name, nil))
	}
	c, err := Dial(f.name, &control.Request{Verb: control.Read, Path: name})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Stream(w, io.Discard)
	return f.named(err)
}

// Write puts an archive into a folder. owners says that files have those of the
// archive; else they are root's.
func (f *Files) Write(ctx context.Context, r io.Reader, dir string, owners bool) error {
	if f.tree != nil {
		var o archive.Options
		if !owners {
			o.Owner = &fs9p.Owner{}
		}
		_, err := f.tree.Extract(ctx, tar.NewReader(r), dir, o)
		return f.named(err)
	}
	c, err := Dial(f.name, &control.Request{Verb: control.Write, Path: dir, Owners: owners})
	if err != nil {
		return err
	}
	defer c.Close()
	sent := make(chan error, 1)
	go func() {
		_, err := io.CopyBuffer(c.Writer(control.KindStdin), struct{ io.Reader }{r}, make([]byte, control.MaxFrame))
		if err == nil {
			err = c.Send(control.KindStdin, nil)
		} else {
			c.Close() // what is there is no archive
		}
		sent <- err
	}()
	_, err = c.Stream(io.Discard, io.Discard)
	var said control.Error
	if err == nil || errors.As(err, &said) { // what lies behind the archive's end is not waited for
		return f.named(err)
	}
	if e := <-sent; e != nil {
		return e
	}
	return f.named(err)
}

// named gives an error the machine's name.
func (f *Files) named(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, fs9p.ENOENT) || errors.Is(err, fs.ErrNotExist) {
		err = errors.New("there is no such file in it")
	}
	return fmt.Errorf("machine %s: %w", f.name, err)
}
