package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"alpinevm/fs9p/oci"
	"alpinevm/fs9p/statefs"
)

// machinesDir is the folder of the machines that are kept between runs:
//
//	NAME/machine.json   what the machine is made from
//	NAME/root/          what it has changed (fs9p/statefs)
//	.locks/NAME         an empty file, locked while the machine is in use
//
// Its image is in the cache of images, pinned for NAME/.
func machinesDir() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	var err error
	switch home := ""; {
	case filepath.IsAbs(dir): // a relative one counts for nothing
	case runtime.GOOS == "windows":
		dir, err = os.UserCacheDir() // %LocalAppData%
	case runtime.GOOS == "darwin":
		dir, err = os.UserConfigDir() // ~/Library/Application Support
	default:
		home, err = os.UserHomeDir()
		dir = filepath.Join(home, ".local", "state")
	}
	if err != nil {
		return "", fmt.Errorf("no folder for machines: %w", err)
	}
	return filepath.Join(dir, "alpinevm", "machines"), nil
}

const (
	recordFile = "machine.json"
	upperDir   = "root"
	lockDir    = ".locks"
)

// record is what is known of a machine.
type record struct {
	// Image is what the user has named: an image, or a file if File is set.
	Image string
	File  *fileStamp `json:",omitempty"`
	// Digest is the manifest's at the registry, ID the configuration's.
	Digest, ID string
	// Tree is the form of the image's tree, by whose numbers the machine's
	// changes name the image's files.
	Tree string
	// Kernel, Modules and Busybox are what the flags said when it was made.
	Kernel, Modules, Busybox string `json:",omitempty"`

	Created        time.Time
	Started, Ended time.Time // of the last run; Ended is before Started if it was killed
	ExitCode       int       // of the last run
}

// fileStamp tells whether a file has changed.
type fileStamp struct {
	Path     string // absolute
	Size     int64
	Modified time.Time
	Plain    bool `json:",omitempty"` // it is a root file system, not an image
}

// treeForm is the form of the trees that we make.
func treeForm() string { return strings.TrimSpace(oci.Version) }

// A machine is one that is kept between runs. It is locked.
type machine struct {
	name, dir string
	lock      *flock.Flock
	record
	isNew bool // there is no record of it yet
}

var machineName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// errRunning is the error of a machine that somebody else uses.
var errRunning = errors.New("it is running")

// lockPatience is how long a machine may be locked by somebody who only looks.
const lockPatience = 300 * time.Millisecond

// openMachine locks the machine of that name and reads its record.
func openMachine(ctx context.Context, name string) (*machine, error) {
	m, err := lockMachine(ctx, name)
	if err != nil {
		return nil, err
	}
	m.record, err = readRecord(m.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m.isNew = true
		return m, nil
	case err == nil && m.Tree != treeForm():
		err = errors.New("it was made by another version of alpinevm, whose index of the image is not ours; alpinevm rm " + name + " removes it")
	}
	if err != nil {
		m.lock.Close()
		return nil, fmt.Errorf("machine %s: %w", name, err)
	}
	return m, nil
}

// lockMachine locks a machine, of which nothing else may be there.
func lockMachine(ctx context.Context, name string) (m *machine, err error) {
	if !machineName.MatchString(name) {
		return nil, fmt.Errorf("machine %q: want a name of up to 64 letters, digits, dots, hyphens and underscores, the first one a letter or a digit", name)
	}
	defer func() {
		if err != nil {
			m = nil
			err = fmt.Errorf("machine %s: %w", name, err)
		}
	}()
	top, err := machinesDir()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(top, lockDir), 0o700); err != nil {
		return nil, stateError(err)
	}
	m = &machine{name: name, dir: filepath.Join(top, name), lock: flock.New(filepath.Join(top, lockDir, name))}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	switch _, err := m.lock.TryLockContext(ctx, lockPatience/10); {
	case errors.Is(err, errors.ErrUnsupported):
	case errors.Is(err, context.DeadlineExceeded):
		m.lock.Close()
		return nil, errRunning
	case err != nil:
		m.lock.Close()
		return nil, stateError(err)
	}
	return m, nil
}

// Close lets others use the machine.
func (m *machine) Close() error { return m.lock.Close() }

// stateError says what to do about a folder that cannot be written.
func stateError(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w; make it writable, or set XDG_STATE_HOME to a folder that is", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w; make room there, or set XDG_STATE_HOME to a folder on another disk", err)
	}
	return err
}

func readRecord(dir string) (r record, err error) {
	b, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", filepath.Join(dir, recordFile), err)
	}
	return r, nil
}

// write puts the record on the disk.
func (m *machine) write() error {
	b, err := json.MarshalIndent(m.record, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(m.dir, recordFile+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(m.dir, recordFile))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// clear makes an empty folder for a new machine. There is one already if a
// process has died that made the machine, or removed it.
func (m *machine) clear() error {
	if err := os.RemoveAll(m.dir); err != nil {
		return stateError(err)
	}
	return stateError(os.Mkdir(m.dir, 0o700))
}

// begin records that the machine runs.
func (m *machine) begin() error {
	m.Started = time.Now().UTC()
	if m.isNew {
		m.Created = m.Started
	}
	if err := m.write(); err != nil {
		return fmt.Errorf("machine %s: %w", m.name, stateError(err))
	}
	m.isNew = false
	return nil
}

// end records how the last run ended.
func (m *machine) end(result error) error {
	m.Ended, m.ExitCode = time.Now().UTC(), codeOfError(result)
	if err := m.write(); err != nil {
		return fmt.Errorf("machine %s: %w", m.name, err)
	}
	return nil
}

// remove removes the machine's folder, its record first.
func (m *machine) remove() error {
	err := os.Remove(filepath.Join(m.dir, recordFile))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.RemoveAll(m.dir)
	}
	return err
}

// openUpper opens what the machine has changed.
func (m *machine) openUpper() (*statefs.FS, error) {
	upper, err := statefs.Open(statefs.Config{Dir: filepath.Join(m.dir, upperDir)})
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", m.name, stateError(err))
	}
	return upper, nil
}

// listed is a machine as alpinevm ls shows it.
type listed struct {
	name string
	record
	size    int64 // bytes on the disk
	running bool
}

// listMachines lists the machines, the newest first.
func listMachines() ([]listed, error) {
	top, err := machinesDir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(top)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []listed
	for _, e := range entries {
		if !machineName.MatchString(e.Name()) {
			continue
		}
		r, err := readRecord(filepath.Join(top, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // in the making
		}
		if err != nil {
			return nil, err
		}
		l := listed{name: e.Name(), record: r}
		if l.size, err = statefs.Usage(filepath.Join(top, e.Name(), upperDir)); err != nil {
			return nil, err
		}
		look := flock.New(filepath.Join(top, lockDir, e.Name()))
		ok, err := look.TryRLock()
		l.running = err == nil && !ok
		look.Close()
		list = append(list, l)
	}
	slices.SortStableFunc(list, func(a, b listed) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.name, b.name))
	})
	return list, nil
}

// machineNames completes the names of machines.
func machineNames() []string {
	list, _ := listMachines()
	var names []string
	for _, l := range list {
		names = append(names, l.name)
	}
	return names
}
