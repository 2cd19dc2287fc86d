// Package machines keeps machines between runs: what they are made from, what the
// guest has changed, and that one process at a time uses them.
package machines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"alpinevm/fs9p/oci"
	"alpinevm/fs9p/statefs"
	"alpinevm/internal/control"
	"alpinevm/launch"
)

// folder is that of the machines:
//
//	NAME/machine.json   what the machine is made from
//	NAME/root/          what it has changed (fs9p/statefs)
//	.locks/NAME         an empty file, locked while the machine is in use
//
// Its image is in the cache of images, pinned for NAME/.
func folder() (string, error) {
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

// Record is what is known of a machine.
type Record struct {
	// From is what the user has named: an image, or a file if File is set.
	From string     `json:"Image"`
	File *FileStamp `json:",omitempty"`
	// Digest is the manifest's at the registry, ID the configuration's.
	Digest, ID string
	// Tree is the form of the image's tree, by whose numbers the machine's
	// changes name the image's files.
	Tree string
	// Kernel, Modules and Busybox are what was given when it was made. Image
	// makes the names of files absolute.
	Kernel, Modules, Busybox string `json:",omitempty"`

	Labels  map[string]string `json:",omitempty"`
	Volumes []string          `json:",omitempty"` // that are kept by name

	// Run is how it was run the last time.
	Run     *Invocation `json:",omitempty"`
	Command []string    `json:",omitempty"` // what ran in it then

	Created        time.Time
	Started, Ended time.Time // of the last run; Ended is before Started if it was killed
	ExitCode       int       // of the last run
}

// Invocation is a command line of ours.
type Invocation = control.Invocation

// FileStamp tells whether a file has changed.
type FileStamp struct {
	Path     string // absolute
	Size     int64
	Modified time.Time
	Plain    bool `json:",omitempty"` // it is a root file system, not an image
}

// treeForm is the form of the trees that we make.
func treeForm() string { return strings.TrimSpace(oci.Version) }

// Machine is one that is kept between runs. It is locked. It implements
// launch.Kept.
type Machine struct {
	Record
	IsNew bool // it has not run yet

	// Storage is the most bytes that what it adds to its root may take; zero is no
	// limit.
	Storage int64
	// Salvage goes on with what can be read of changes that are damaged.
	Salvage bool
	// Tell, if not nil, is told what the user should know of the changes, in a
	// sentence. It may be called on any goroutine.
	Tell func(text string)

	lock *flock.Flock
	disk disk

	mu        sync.Mutex // for a name can change while the machine runs
	name, dir string
	upper     *statefs.FS // while it is open
}

// Name is what the machine is called now.
func (m *Machine) Name() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.name
}

// maxName is how long a machine's name may be.
const maxName = 64

var machineName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`) })

// errRunning is the error of a machine that somebody else uses.
var errRunning = errors.New("it is running")

// lockPatience is how long a machine may be locked by somebody who only looks.
const lockPatience = 300 * time.Millisecond

// Open locks the machine of that name and reads its record.
func Open(ctx context.Context, name string) (*Machine, error) {
	m, err := lock(ctx, name)
	if err != nil {
		return nil, err
	}
	m.Record, err = readRecord(m.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m.IsNew = true
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

// lock locks a machine, of which nothing else may be there.
func lock(ctx context.Context, name string) (m *Machine, err error) {
	if !machineName().MatchString(name) {
		return nil, fmt.Errorf("machine %q: want a name of up to 64 letters, digits, dots, hyphens and underscores, the first one a letter or a digit", name)
	}
	defer func() {
		if err != nil {
			m = nil
			err = fmt.Errorf("machine %s: %w", name, err)
		}
	}()
	top, err := folder()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(top, lockDir), 0o700); err != nil {
		return nil, stateError(err)
	}
	m = &Machine{
		name: name, dir: filepath.Join(top, name), lock: flock.New(filepath.Join(top, lockDir, name)),
		disk: disk{failed: make(chan error, 1)},
	}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for {
		switch _, err := m.lock.TryLockContext(ctx, lockPatience/10); {
		case errors.Is(err, errors.ErrUnsupported):
			return m, nil
		case err == nil && m.lockIsThere():
			return m, nil
		case errors.Is(err, context.DeadlineExceeded):
			m.lock.Close()
			return nil, errRunning
		case err != nil:
			m.lock.Close()
			return nil, stateError(err)
		}
		m.lock.Close() // the file that was locked has become another machine's, which was renamed
	}
}

// lockIsThere tells whether the file that was locked still has its name.
func (m *Machine) lockIsThere() bool {
	own, err := m.lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(m.lock.Path())
	return err == nil && os.SameFile(own, there)
}

// Dir is the machine's folder: nothing else is written to while it runs.
func (m *Machine) Dir() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dir
}

// LogBase is the name of the machine's log, without ".0" and ".1".
func (m *Machine) LogBase() string { return logBase(m.Dir()) }

// Close lets others use the machine. One that has not come to run is as if it had
// never been made.
func (m *Machine) Close() error {
	if m.IsNew {
		if _, err := os.Stat(m.dir); err == nil && m.remove() == nil {
			unpin(context.Background(), m.dir) // if this fails, the next removal of an image does it
		}
	}
	return m.lock.Close()
}

// unpin lets the image of a machine that is gone be removed.
func unpin(ctx context.Context, dir string) error {
	s, err := launch.Images(launch.Fetching{}, nil)
	if err != nil {
		return err
	}
	return s.Unpin(ctx, dir)
}

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

func readRecord(dir string) (r Record, err error) {
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
func (m *Machine) write() error {
	b, err := json.MarshalIndent(m.Record, "", "  ")
	if err != nil {
		return err
	}
	dir := m.Dir()
	f, err := os.CreateTemp(dir, recordFile+"-*")
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
		err = os.Rename(f.Name(), filepath.Join(dir, recordFile))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// clear makes an empty folder for a new machine. There is one already if a
// process has died that made the machine, or removed it.
func (m *Machine) clear() error {
	if err := os.RemoveAll(m.dir); err != nil {
		return stateError(err)
	}
	return stateError(os.Mkdir(m.dir, 0o700))
}

// Begin records that the machine runs. One that was made before need not have
// room for that on the disk: it is to run so that something can be removed.
func (m *Machine) Begin() error {
	m.Started = time.Now().UTC()
	if m.IsNew {
		m.Created = m.Started
	}
	if err := m.write(); err != nil && (m.IsNew || !isFull(err)) {
		return fmt.Errorf("machine %s: %w", m.Name(), stateError(err))
	}
	m.IsNew = false
	return nil
}

// End records how the run has ended.
func (m *Machine) End(exitCode int) error {
	m.Ended, m.ExitCode = time.Now().UTC(), exitCode
	if err := m.write(); err != nil && !isFull(err) {
		return fmt.Errorf("machine %s: %w", m.Name(), err)
	}
	return nil
}

// remove removes the machine's folder, its record first.
func (m *Machine) remove() error {
	err := os.Remove(filepath.Join(m.dir, recordFile))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.RemoveAll(m.dir)
	}
	return err
}
