package machines

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// IsName tells whether a machine or a volume can have the name.
func IsName(name string) bool { return machineName().MatchString(name) }

// Volume is a folder that is kept by name, to be shared with machines. In the folder
// of all volumes there is also
//
//	.locks/NAME   an empty file, locked by each machine that runs with the volume
type Volume struct {
	Name    string
	Dir     string
	Created time.Time
	UsedBy  []string // machines that are kept, and are run with it
}

var (
	errNoVolume = errors.New("there is no volume of that name; alpinevm volume ls lists what there is")
	errTaken    = errors.New("a machine runs with it")
)

// volumeFolder is where the volume of that name is; "" gives that of all.
func volumeFolder(name string) (string, error) {
	if name != "" && !IsName(name) {
		return "", fmt.Errorf("volume %q: want a name of up to %d letters, digits, dots, hyphens and underscores, the first one a letter or a digit", name, maxName)
	}
	top, err := folder()
	return filepath.Join(filepath.Dir(top), "volumes", name), err
}

// volumeLock is the lock of a volume.
func volumeLock(name string) (*flock.Flock, error) {
	top, err := volumeFolder("")
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(top, lockDir)
	return flock.New(filepath.Join(dir, name)), stateError(os.MkdirAll(dir, 0o700))
}

// UseVolume gives the folder of the volume of that name, which is made if it is
// missing. It cannot be removed before release is called, or this process ends.
func UseVolume(name string) (dir string, release func() error, err error) {
	dir, err = volumeFolder(name)
	if err != nil {
		return "", nil, err
	}
	lock, err := volumeLock(name)
	if err == nil {
		if err = lock.RLock(); errors.Is(err, errors.ErrUnsupported) {
			err = nil
		}
	}
	if err == nil {
		err = stateError(os.MkdirAll(dir, 0o700))
	}
	if err != nil {
		return "", nil, fmt.Errorf("volume %s: %w", name, err)
	}
	return dir, lock.Close, nil
}

// MakeVolume makes a volume, unless it is there.
func MakeVolume(name string) error {
	_, release, err := UseVolume(name)
	if err != nil {
		return err
	}
	return release()
}

// Volumes lists the volumes in the order of their names.
func Volumes() ([]Volume, error) {
	top, err := volumeFolder("")
	if err != nil {
		return nil, err
	}
	entries, err := entriesOf(top)
	if err != nil {
		return nil, err
	}
	kept, err := List()
	if err != nil {
		return nil, err
	}
	var list []Volume
	for _, e := range entries {
		if !e.IsDir() || !IsName(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // it went meanwhile
		}
		v := Volume{Name: e.Name(), Dir: filepath.Join(top, e.Name()), Created: info.ModTime().UTC()}
		for _, m := range kept {
			if slices.Contains(m.Volumes, v.Name) {
				v.UsedBy = append(v.UsedBy, m.Name)
			}
		}
		list = append(list, v)
	}
	return list, nil
}

// FindVolume finds one.
func FindVolume(name string) (Volume, error) {
	list, err := Volumes()
	if err != nil {
		return Volume{}, err
	}
	i := slices.IndexFunc(list, func(v Volume) bool { return v.Name == name })
	if i < 0 {
		return Volume{}, fmt.Errorf("volume %s: %w", name, errNoVolume)
	}
	return list[i], nil
}

// Running tells whether a machine runs with the volume.
func (v Volume) Running() bool {
	lock, err := volumeLock(v.Name)
	if err != nil {
		return false
	}
	defer lock.Close()
	ok, err := lock.TryLock()
	return err == nil && !ok
}

// RemoveVolume removes a volume that no machine uses, with all that is in it.
func RemoveVolume(name string) error {
	v, err := FindVolume(name)
	if err != nil {
		return err
	}
	if len(v.UsedBy) > 0 {
		return fmt.Errorf("volume %s: in use by %s; alpinevm rm removes machines", name, strings.Join(v.UsedBy, ", "))
	}
	lock, err := volumeLock(name)
	if err != nil {
		return fmt.Errorf("volume %s: %w", name, err)
	}
	defer lock.Close()
	switch ok, err := lock.TryLock(); {
	case errors.Is(err, errors.ErrUnsupported):
	case err != nil:
		return fmt.Errorf("volume %s: %w", name, err)
	case !ok:
		return fmt.Errorf("volume %s: in use: %w", name, errTaken)
	}
	if err := os.RemoveAll(v.Dir); err != nil {
		return fmt.Errorf("volume %s: %w", name, stateError(err))
	}
	return nil
}

// IsNoVolume tells whether an error is that there is no volume of a name.
func IsNoVolume(err error) bool { return errors.Is(err, errNoVolume) }

// Size is how many bytes the files of a volume have.
func (v Volume) Size() (n int64, err error) {
	err = filepath.WalkDir(v.Dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		if err == nil && d.Type().IsRegular() {
			if info, e := d.Info(); e == nil {
				n += info.Size()
			}
		}
		return err
	})
	return n, err
}
