package machines

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"alpinevm/internal/control"
)

// A machine that runs has a socket NAME.sock in socketFolder, and no other has.
const socketSuffix = ".sock"

// maxSocketPath is what a socket's name may have in bytes on every system.
const maxSocketPath = 100

// socketFolder is XDG_RUNTIME_DIR's, else the state folder's: one for each state
// folder. Where names would be too long for sockets it is in the temporary folder.
func socketFolder() (string, error) {
	top, err := folder()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(top))
	own := hex.EncodeToString(sum[:4])
	dir := filepath.Join(filepath.Dir(top), "run")
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) {
		if info, err := os.Stat(runtime); err == nil && info.IsDir() {
			dir = filepath.Join(runtime, "alpinevm", own)
		}
	}
	if len(dir)+1+maxName+len(socketSuffix) > maxSocketPath {
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("alpinevm-%d-%s", os.Getuid(), own))
	}
	return dir, nil
}

// makeSocketFolder makes it, for the user alone.
func makeSocketFolder() (string, error) {
	dir, err := socketFolder()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", stateError(err)
	}
	info, err := os.Lstat(dir)
	if err == nil && (!info.IsDir() || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/') {
		err = fmt.Errorf("%s: others than the user can use it; remove it", dir)
	}
	return dir, err
}

// Socket is the name of a running machine's socket.
func Socket(name string) (string, error) {
	if !machineName().MatchString(name) {
		return "", fmt.Errorf("machine %q: want a name of up to %d letters, digits, dots, hyphens and underscores, the first one a letter or a digit", name, maxName)
	}
	dir, err := socketFolder()
	return filepath.Join(dir, name+socketSuffix), err
}

// Listen makes the socket of a machine that is about to run.
func Listen(name string) (*control.Server, error) {
	if _, err := makeSocketFolder(); err != nil {
		return nil, err
	}
	path, err := Socket(name)
	if err != nil {
		return nil, err
	}
	return control.Listen(path)
}

// Ask asks a running machine. One that does not run is an error that says so.
func Ask(name string, r *control.Request) (*control.Reply, error) {
	c, err := Dial(name, r)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	reply, err := c.Reply()
	return reply, gone(name, err)
}

// gone names a machine that has ended, or was killed, without an answer.
func gone(name string, err error) error {
	switch {
	case err == nil || errors.As(err, new(control.Error)):
		return err
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrUnexpectedEOF):
		err = control.ErrGone
	}
	return fmt.Errorf("machine %s: %w", name, err)
}

// Dial sends a request to a running machine.
func Dial(name string, r *control.Request) (*control.Conn, error) {
	path, err := Socket(name)
	if err != nil {
		return nil, err
	}
	c, err := control.Dial(path, r)
	if err != nil {
		return nil, notRunning(name)
	}
	return c, nil
}

// ErrNotRunning is of a machine that does not run, ErrNone of one that there is not.
var (
	ErrNotRunning = errors.New("it is not running")
	ErrNone       = errors.New("there is none of that name; alpinevm ps -a lists what there is")
)

// notRunning says whether there is a machine at all.
func notRunning(name string) error {
	if _, err := Find(name); err == nil {
		return fmt.Errorf("machine %s: %w", name, ErrNotRunning)
	}
	return fmt.Errorf("machine %s: %w", name, ErrNone)
}

// Find reads the record of a machine that is kept.
func Find(name string) (Record, error) {
	if !machineName().MatchString(name) {
		return Record{}, fmt.Errorf("machine %q: %w", name, ErrNone)
	}
	top, err := folder()
	if err != nil {
		return Record{}, err
	}
	r, err := readRecord(filepath.Join(top, name))
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("machine %s: %w", name, ErrNone)
	}
	return r, err
}

// Running asks all machines that run what they are, in the order of their starts,
// the last one first.
func Running() ([]control.Machine, error) {
	dir, err := socketFolder()
	if err != nil {
		return nil, err
	}
	entries, err := entriesOf(dir)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	var list []control.Machine
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), socketSuffix) {
			continue
		}
		wait.Go(func() {
			r, err := control.Ask(filepath.Join(dir, e.Name()), &control.Request{Verb: control.Info})
			if err != nil || r.Machine == nil { // it is ending, or its process was killed
				return
			}
			mu.Lock()
			defer mu.Unlock()
			list = append(list, *r.Machine)
		})
	}
	wait.Wait()
	slices.SortFunc(list, func(a, b control.Machine) int { return b.Started.Compare(a.Started) })
	return list, nil
}
