package machines

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"alpinevm/fs9p/oci/store"
	"alpinevm/fs9p/statefs"
	"alpinevm/internal/control"
	"alpinevm/launch"
)

// ErrThere is of a machine that is to be made.
var ErrThere = errors.New("there is one of that name; alpinevm rm removes machines")

// Free is an error where a machine of that name cannot be made.
func Free(name string) error {
	if !machineName().MatchString(name) {
		_, err := Socket(name)
		return err
	}
	if _, err := Find(name); err == nil {
		return fmt.Errorf("machine %s: %w", name, ErrThere)
	}
	if _, err := Ask(name, &control.Request{Verb: control.Info}); err == nil {
		return fmt.Errorf("machine %s: there is one of that name, which runs", name)
	}
	return nil
}

// CloneStopped copies a machine that is kept and does not run. Files are shared
// until one of the two changes them.
//
// run gives how each is to be started later.
func CloneStopped(ctx context.Context, name string, to []string, run func(was *Invocation, name string) (*Invocation, error)) (made []string, err error) {
	m, err := lock(ctx, name)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if m.Record, err = readRecord(m.dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNone
		}
		return nil, fmt.Errorf("machine %s: %w", name, err)
	}
	for _, next := range to {
		later, err := run(m.Run, next)
		if err != nil {
			return made, fmt.Errorf("machine %s: %w", name, err)
		}
		if err := m.clone(ctx, filepath.Join(m.dir, upperDir), next, later); err != nil {
			return made, err
		}
		made = append(made, next)
	}
	return made, nil
}

// CloneKept makes a kept machine's folder of another one's, which runs, and of what
// was frozen of what that has changed. run is how it is to be started later.
func CloneKept(ctx context.Context, name, folder, to string, run *Invocation) error {
	r, err := Find(name)
	if err != nil {
		return err
	}
	m := &Machine{name: name, Record: r}
	if m.dir, err = folderOf(name); err != nil {
		return err
	}
	return m.clone(ctx, folder, to, run)
}

func folderOf(name string) (string, error) {
	top, err := folder()
	return filepath.Join(top, name), err
}

// clone makes another machine, whose record comes last: until then there is none.
func (m *Machine) clone(ctx context.Context, upper, name string, run *Invocation) (err error) {
	n, err := lock(ctx, name)
	if err != nil {
		return err
	}
	defer n.lock.Close()
	if _, err := os.Lstat(filepath.Join(n.dir, recordFile)); err == nil {
		return fmt.Errorf("machine %s: %w", name, ErrThere)
	}
	defer func() {
		if err != nil {
			n.remove()
			err = fmt.Errorf("machine %s: %w", name, stateError(err))
		}
	}()
	if err := n.clear(); err != nil {
		return err
	}
	if err := statefs.Copy(upper, filepath.Join(n.dir, upperDir)); err != nil {
		return err
	}
	s, err := launch.Images(launch.Fetching{}, nil)
	if err != nil {
		return err
	}
	switch img, err := s.Pinned(ctx, m.dir); {
	case errors.Is(err, store.ErrMissing): // it is looked for at the next run
	case err != nil:
		return err
	default:
		if err := s.Pin(ctx, img, n.dir); err != nil {
			return err
		}
	}
	n.Record = m.Record
	n.Created, n.Run = time.Now().UTC(), run
	return n.write()
}

// scratchDir holds the snapshots of clones until these have read them. Each is
// locked by who made it.
const scratchDir = ".clones"

// Scratch is a file for a snapshot that is used once.
type Scratch struct {
	*os.File
	lock *flock.Flock
}

// NewScratch makes one, and removes those whose makers have died.
func NewScratch() (*Scratch, error) {
	dir, err := folderOf(scratchDir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, stateError(err)
	}
	sweepScratch(dir)
	lock, err := lockNew(dir)
	if err != nil {
		return nil, stateError(err)
	}
	f, err := os.OpenFile(lock.Path(), os.O_RDWR, 0)
	if err != nil {
		lock.Close()
		return nil, stateError(err)
	}
	return &Scratch{f, lock}, nil
}

// lockNew makes a file that is locked. Others who sweep may be faster.
func lockNew(dir string) (*flock.Flock, error) {
	for {
		var number [8]byte
		rand.Read(number[:])
		lock := flock.New(filepath.Join(dir, hex.EncodeToString(number[:])))
		ok, err := lock.TryLock()
		if ok || errors.Is(err, errors.ErrUnsupported) {
			if _, err := os.Lstat(lock.Path()); err == nil {
				return lock, nil
			}
		} else if err != nil {
			lock.Close()
			return nil, err
		}
		lock.Close()
	}
}

// Close removes it. Who has opened it keeps it.
func (s *Scratch) Close() error {
	return errors.Join(s.File.Close(), os.Remove(s.Name()), s.lock.Close())
}

// sweepScratch removes files that nobody has locked.
func sweepScratch(dir string) {
	entries, _ := entriesOf(dir)
	for _, e := range entries {
		lock := flock.New(filepath.Join(dir, e.Name()))
		if ok, err := lock.TryLock(); ok && err == nil {
			os.Remove(lock.Path())
		}
		lock.Close()
	}
}

// Sweep removes what processes that have died have left of machines that never
// came to be.
func Sweep() error {
	top, err := folder()
	if err != nil {
		return err
	}
	sweepScratch(filepath.Join(top, scratchDir))
	entries, err := entriesOf(top)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !machineName().MatchString(e.Name()) {
			continue
		}
		if err := sweepMachine(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// sweepMachine removes a folder that has no record, and that nobody uses.
func sweepMachine(name string) error {
	m, err := lock(context.Background(), name)
	if errors.Is(err, errRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer m.lock.Close()
	if _, err := os.Lstat(filepath.Join(m.dir, recordFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return m.remove()
}
