package machines

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"alpinevm/fs9p"
	"alpinevm/fs9p/oci/store"
	"alpinevm/internal/control"
	"alpinevm/launch"
)

// Rename gives a machine another name, also one that runs.
func Rename(ctx context.Context, name, to string) error {
	n, err := lock(ctx, to)
	if errors.Is(err, errRunning) {
		err = fmt.Errorf("machine %s: %w", to, ErrThere)
	}
	if err != nil {
		return err
	}
	defer n.Close()
	if _, err := os.Lstat(n.dir); err == nil || answers(to) {
		return fmt.Errorf("machine %s: %w", to, ErrThere)
	}
	if socket, err := Socket(to); err == nil {
		os.Remove(socket) // of a machine whose process was killed
	}
	c, err := Dial(name, &control.Request{Verb: control.Rename, To: to})
	switch {
	case errors.Is(err, ErrNotRunning):
		return renameStopped(ctx, name, n)
	case err != nil:
		return err
	}
	defer c.Close()
	return renameRunning(ctx, name, n, c)
}

// answers tells whether there is a machine of that name that runs.
func answers(name string) bool {
	c, err := Dial(name, &control.Request{Verb: control.Info})
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// renameStopped renames a machine that is kept. n has the new name, locked.
func renameStopped(ctx context.Context, name string, n *Machine) error {
	m, err := lock(ctx, name)
	if err != nil {
		return err
	}
	defer m.Close()
	if _, err := readRecord(m.dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNone
		}
		return fmt.Errorf("machine %s: %w", name, err)
	}
	return m.rename(ctx, n, renames{{m.dir, n.dir}})
}

// rename moves what m has to n. Its image is pinned for both meanwhile.
func (m *Machine) rename(ctx context.Context, n *Machine, files renames) error {
	s, err := launch.Images(launch.Fetching{}, nil)
	if err != nil {
		return err
	}
	img, err := s.Pinned(ctx, m.dir)
	switch {
	case errors.Is(err, store.ErrMissing): // it is looked for at the next run
	case err != nil:
		return fmt.Errorf("machine %s: %w", m.name, err)
	default:
		if err := s.Pin(ctx, img, n.dir); err != nil {
			return fmt.Errorf("machine %s: %w", m.name, err)
		}
	}
	if err := files.do(); err != nil {
		return errors.Join(fmt.Errorf("machine %s: %w", m.name, stateError(err)), s.Unpin(ctx, n.dir))
	}
	return s.Unpin(ctx, m.dir)
}

// renames are files and what they are to be called.
type renames [][2]string

// do renames them, all or none.
func (list renames) do() error {
	for i, r := range list {
		if err := rename(r[0], r[1]); err != nil {
			for _, r := range slices.Backward(list[:i]) {
				os.Rename(r[1], r[0])
			}
			return err
		}
	}
	return nil
}

// rename renames a file. A socket takes no other's place: that is a machine's which
// has begun to run meanwhile.
func rename(from, to string) error {
	if strings.HasSuffix(to, socketSuffix) {
		err := os.Link(from, to)
		if err == nil {
			return os.Remove(from)
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return os.Rename(from, to)
}

// renameRunning renames a machine that runs, which c has asked to stand still. What
// is locked of it stays so: its lock is the file's, whatever that is called.
func renameRunning(ctx context.Context, name string, n *Machine, c *control.Conn) error {
	if runtime.GOOS == "windows" {
		return fmt.Errorf("machine %s: it is running; stop it first: Windows renames no files that are open", name)
	}
	r, err := c.Reply()
	if err != nil {
		return err
	}
	if r.Machine == nil {
		return fmt.Errorf("machine %s: %w of a rename", name, control.ErrFrame)
	}
	from, err := Socket(name)
	if err != nil {
		return err
	}
	socket := [2]string{from, filepath.Join(filepath.Dir(from), n.name+socketSuffix)}
	if r.Machine.Kept {
		m := &Machine{name: name, dir: filepath.Join(filepath.Dir(n.dir), name)}
		locks := filepath.Dir(n.lock.Path())
		err = m.rename(ctx, n, renames{{m.dir, n.dir}, {filepath.Join(locks, name), n.lock.Path()}, socket})
	} else {
		var files renames
		if base := r.Machine.Log; base != "" {
			for _, f := range logFiles(base) {
				files = append(files, [2]string{f, renamedLog(base, n.name) + strings.TrimPrefix(f, base)})
			}
		}
		err = append(files, socket).do()
	}
	if err != nil {
		return err // which the machine sees
	}
	if err := c.Send(control.KindStdin, nil); err != nil {
		return fmt.Errorf("machine %s: %w", name, err)
	}
	_, err = c.Reply()
	return err
}

// renamedLog is the base of a log that is not kept when its machine has another name.
func renamedLog(base, name string) string { return filepath.Join(filepath.Dir(base), name) }

// renamePatience is how long a machine stands still for who renames it.
const renamePatience = 10 * time.Second

// rename stands still while a client gives the machine's files another name, and goes
// by that.
func (l *Live) rename(r *control.Request, c *control.Conn) error {
	to, err := Socket(r.To)
	if err != nil {
		return err
	}
	if err := l.goesOn(); err != nil {
		return err
	}
	if !l.saving.TryLock() { // what is frozen is read by its name
		return fmt.Errorf("machine %s: it is being cloned or saved; try again when that is done", l.name())
	}
	defer l.saving.Unlock()
	socket, err := os.Lstat(l.server.Path())
	if err != nil {
		return err
	}
	stand := func(fs9p.FS) error {
		c.SetDeadline(time.Now().Add(renamePatience))
		defer c.SetDeadline(time.Time{})
		if err := c.SendJSON(control.KindReply, control.Reply{Machine: &control.Machine{Kept: l.kept != nil, Log: l.logBase()}}); err != nil {
			return nil
		}
		c.Next() // whatever comes, or nothing: what counts is what was done
		if there, err := os.Lstat(to); err == nil && os.SameFile(socket, there) {
			l.moved(r.To, to)
		}
		return nil
	}
	if l.root != nil {
		err = l.m.WithRoot(l.ctx, stand)
	} else {
		err = stand(nil)
	}
	return l.done(c, err)
}

// moved has the machine go by another name.
func (l *Live) moved(name, socket string) {
	l.server.Moved(socket)
	if l.kept != nil {
		l.kept.moved(name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.About.Name = name
	switch {
	case l.kept != nil:
		l.About.Log = l.kept.LogBase()
	case l.About.Log != "":
		l.About.Log = renamedLog(l.About.Log, name)
	}
}
