package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/pflag"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/oci/store"
	"alpinevm/fs9p/overlay"
)

// imageFlags say which image a session runs and what in it.
type imageFlags struct {
	name       string // from the arguments
	pull       string
	entrypoint *string // nil where it is not given
}

func (i *imageFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&i.pull, "pull", string(store.Missing), "ask the registry for the image: always, missing or never")
	fl.Func("entrypoint", "run `PROGRAM` in place of the image's entry point; empty for none", func(s string) error {
		i.entrypoint = &s
		return nil
	})
}

// take takes the image's name out of the arguments, where it is the first. A
// "--" behind it is left out.
func (i *imageFlags) take(args []string) []string {
	i.name, args = args[0], args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	return args
}

// openImage opens the image that the user named, or that a machine has, as the
// guest's root, and makes of its configuration what the flags leave open. file
// tells that name is a folder or an archive.
func (f *runFlags) openImage(ctx context.Context, cfg *alpinevm.Config, name string, file bool, open *closers) error {
	policy, err := store.ParsePolicy(f.image.pull)
	if err != nil {
		return err
	}
	s, finish, err := openStore(name, f.quiet)
	if err != nil {
		return err
	}
	defer finish()
	var img *store.Image
	switch {
	case f.machine != nil:
		img, err = f.machineImage(ctx, s, name, file, policy)
	case file:
		img, err = s.Load(ctx, name)
	default:
		img, err = s.Image(ctx, name, policy)
	}
	if err != nil {
		return err
	}
	root, err := s.Open(ctx, img)
	if err != nil {
		return err
	}
	*open = append(*open, root)
	upper, err := f.upper(open)
	if err != nil {
		return err
	}
	if cfg.Session.Root, err = overlay.New(overlay.Config{Upper: upper, Lower: root}); err != nil {
		return err
	}
	if f.machine != nil {
		name = f.machine.Image
	}
	if err := makeVolumes(cfg.Session.Root, img.Config.Volumes); err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	if err := f.applyImage(cfg.Session, img.Config); err != nil {
		return fmt.Errorf("image %s: %w", name, err)
	}
	return nil
}

// applyImage lets the image's configuration say what the flags do not.
func (f *runFlags) applyImage(s *alpinevm.Session, c v1.Config) error {
	if s.User == "" {
		s.User = c.User
	}
	if s.Dir == "" {
		s.Dir = c.WorkingDir
	}
	env := slices.DeleteFunc(slices.Clone(c.Env), func(e string) bool { return strings.IndexByte(e, '=') < 1 })
	s.Env = append(env, s.Env...)
	if s.Init {
		return nil
	}
	s.Args = command(c, f.image.entrypoint, s.Args)
	if plain := f.machine != nil && f.machine.File != nil && f.machine.File.Plain; len(s.Args) == 0 && !plain {
		return errors.New("it names no command to run; give one behind the image")
	}
	return nil
}

// command is what docker would run: the entry point with the arguments or, if
// there are none, with CMD. Another entry point leaves out CMD.
func command(c v1.Config, entrypoint *string, args []string) []string {
	entry, cmd := c.Entrypoint, c.Cmd
	if entrypoint != nil {
		entry, cmd = nil, nil
		if *entrypoint != "" {
			entry = []string{*entrypoint}
		}
	}
	if len(args) > 0 {
		cmd = args
	}
	return slices.Concat(entry, cmd)
}

// makeVolumes makes the folders that an image declares as volumes, where they
// are not in it. Like the rest of the root they are forgotten in the end.
func makeVolumes(root fs9p.FS, volumes map[string]struct{}) error {
	for v := range volumes {
		if _, err := fs.Stat(fs9p.IOFS(root), strings.TrimPrefix(path.Clean("/"+v), "/")); err == nil || path.Clean("/"+v) == "/" {
			continue
		}
		n, err := makeFolders(root, v)
		if err != nil {
			return fmt.Errorf("its volume %q: %w", v, err)
		}
		n.Release()
	}
	return nil
}

// maxFollow is how many symbolic links Linux follows on one path.
const maxFollow = 40

// makeFolders gives a folder, made with those above it where they are missing.
// Symbolic links on the way are followed within the root.
func makeFolders(root fs9p.FS, name string) (folder fs9p.Node, err error) {
	at, err := root.Attach("")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			at.Release()
		}
	}()
	follows := 0
	for todo := name; todo != ""; {
		var part string
		part, todo, _ = strings.Cut(todo, "/")
		if part == "" || part == "." {
			continue
		}
		next, err := at.Walk(part)
		if fs9p.ErrnoOf(err) == fs9p.ENOENT {
			if _, err = at.Mkdir(part, 0o755, fs9p.Owner{}); err == nil {
				next, err = at.Walk(part)
			}
		}
		if err != nil {
			return nil, err
		}
		if next.QID().Type&fs9p.QTSymlink == 0 {
			at.Release()
			at = next
			continue
		}
		target, err := next.Readlink()
		next.Release()
		if follows++; err == nil && follows > maxFollow {
			err = fs9p.ELOOP
		}
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(target, "/") {
			top, err := root.Attach("")
			if err != nil {
				return nil, err
			}
			at.Release()
			at = top
		}
		todo = target + "/" + todo
	}
	return at, nil
}
