package machines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"alpinevm/fs9p/statefs"
)

// Listed is a machine as a list shows it.
type Listed struct {
	Name string
	Record
	Size    int64 // bytes on the disk besides the image
	Running bool
}

// entriesOf lists a folder; one that is not there is empty.
func entriesOf(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// List lists the machines, the newest first.
func List() ([]Listed, error) {
	top, err := folder()
	if err != nil {
		return nil, err
	}
	entries, err := entriesOf(top)
	if err != nil {
		return nil, err
	}
	var list []Listed
	for _, e := range entries {
		if !machineName().MatchString(e.Name()) {
			continue
		}
		r, err := readRecord(filepath.Join(top, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // in the making
		}
		if err != nil {
			return nil, err
		}
		l := Listed{Name: e.Name(), Record: r}
		if l.Size, err = statefs.Usage(filepath.Join(top, e.Name(), upperDir)); err != nil {
			return nil, err
		}
		look := flock.New(filepath.Join(top, lockDir, e.Name()))
		ok, err := look.TryRLock()
		l.Running = err == nil && !ok
		look.Close()
		list = append(list, l)
	}
	slices.SortStableFunc(list, func(a, b Listed) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.Name, b.Name))
	})
	return list, nil
}

// Remove removes a machine that is not running.
func Remove(ctx context.Context, name string) error {
	m, err := lock(ctx, name)
	if err != nil {
		return err
	}
	defer m.Close()
	if _, err := os.Stat(m.dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("machine %s: %w", name, ErrNone)
	}
	if err := m.remove(); err != nil {
		return fmt.Errorf("machine %s: %w", name, err)
	}
	return unpin(ctx, m.dir)
}
