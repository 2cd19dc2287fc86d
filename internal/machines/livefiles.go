package machines

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"alpinevm/fs9p"
	"alpinevm/internal/archive"
	"alpinevm/internal/control"
	"alpinevm/kernel"
)

// tree is the guest's root, which belongs to the machine's goroutine.
func (l *Live) tree() *archive.Tree {
	return &archive.Tree{FS: l.root, Do: func(ctx context.Context, f func() error) error {
		return l.m.WithRoot(ctx, func(fs9p.FS) error { return f() })
	}}
}

// files is a request about the guest's files.
func (l *Live) files(r *control.Request, c *control.Conn) error {
	if l.root == nil {
		return fmt.Errorf("machine %s: it has no root file system of ours", l.name())
	}
	if err := l.goesOn(); err != nil {
		return err
	}
	if err := l.elsewhere(r.Path); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	if r.Verb == control.Stat {
		s, err := l.tree().Stat(ctx, r.Path)
		if err != nil {
			return err
		}
		return c.SendJSON(control.KindReply, control.Reply{Stat: &control.FileStat{Exists: s.Exists, Dir: s.Dir}})
	}
	in, put := io.Pipe()
	gone := l.feed(c, put)
	go func() { <-gone; cancel(); put.CloseWithError(io.ErrUnexpectedEOF) }()
	defer in.Close()
	var err error
	if r.Verb != control.Write {
		err = l.m.MoveFiles(ctx, nil) // which writes back
	}
	switch {
	case err != nil:
	case r.Verb == control.Read:
		err = l.tree().Pack(ctx, c.Writer(control.KindStdout), r.Path, nil)
	case r.Verb == control.Diff:
		err = sendChanges(ctx, l.tree(), c.Writer(control.KindStdout))
	default:
		err = l.write(ctx, in, r.Path, r.Owners)
	}
	if err != nil {
		return err
	}
	return c.SendJSON(control.KindExit, control.Exit{})
}

// elsewhere refuses a name that is in a volume: its files are not the root's.
func (l *Live) elsewhere(name string) error {
	name = path.Clean("/" + name)
	for _, v := range l.About.Volumes {
		if name == v.Guest || strings.HasPrefix(name, v.Guest+"/") {
			return fmt.Errorf("%s is in what the host shares: it is there as %s", name, v.Host+strings.TrimPrefix(name, v.Guest))
		}
	}
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run"} {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			return fmt.Errorf("%s is made by the guest's kernel, and not in its root file system; exec reads and writes it", name)
		}
	}
	return nil
}

// write puts an archive into a folder of the guest. Its files are made where the
// guest does not look, and the guest moves them from there.
func (l *Live) write(ctx context.Context, r io.Reader, dir string, owners bool) error {
	stage := ".alpinevm-" + rand.Text()
	t := l.tree()
	if err := t.MakeDir(ctx, stage); err != nil {
		return err
	}
	defer t.Remove(context.WithoutCancel(ctx), stage)
	o := archive.Options{Apart: true}
	if !owners {
		o.Owner = &fs9p.Owner{}
	}
	entries, err := t.Extract(ctx, tar.NewReader(r), "/"+stage, o)
	if err != nil {
		return err
	}
	err = l.m.MoveFiles(ctx, moves(entries, "/"+stage, dir))
	if errors.Is(err, kernel.ErrMoves) {
		err = fmt.Errorf("%w at once: copy them in parts", err)
	}
	return err
}

// moves are what brings entries from a folder into another one: what is at the top
// as a whole where nothing is in its place, else each for itself.
func moves(entries []archive.Entry, from, to string) []kernel.Move {
	var list []kernel.Move
	index := map[string]int{}
	for _, e := range entries {
		top, _, below := strings.Cut(e.Name, "/")
		source, target := path.Join(from, e.Name), path.Join(to, e.Name)
		one := kernel.Move{From: source, To: target}
		if e.Dir {
			one = kernel.Move{To: target, Mode: e.Mode, UID: e.UID, GID: e.GID}
		}
		if !below {
			index[top] = len(list)
			m := kernel.Move{From: source, To: target}
			if e.Dir {
				m.Or = []kernel.Move{one}
			}
			list = append(list, m)
			continue
		}
		if i, ok := index[top]; ok {
			list[i].Or = append(list[i].Or, one)
		}
	}
	return list
}
