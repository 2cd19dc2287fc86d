package launch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"alpinevm"
	"alpinevm/fs9p/statefs"
)

// Bounds of what is kept. A booted kernel takes what its guest has used of its
// memory by then, some 40 MB.
const (
	maxWarm     = 8
	maxWarmSize = 512 << 20 // bytes of all on the disk
	spareDisk   = 256 << 20 // bytes that stay free there
)

const warmEnd = ".snapshot"

// warm keeps booted kernels in the user's cache folder. It implements
// alpinevm.Warm.
//
// A file is made before the guest runs, when this process may still make files. Who
// writes it holds a lock, which is another file's: where Windows locks a file, nobody
// else reads or writes it, be it by another handle of the same process. Several files
// share a lock, so that there are few, which are never removed. Until it is whole a file
// is no snapshot.
type warm struct {
	dir      string
	stamp    string        // of our program, which other versions of it are not
	patience time.Duration // how long to wait for another one who makes what is wanted
	work     sync.WaitGroup
	lock     *flock.Flock // for the file that is to be written; nil: none
	to       *os.File     // that file
}

// newWarm gives nil where the host has no place for it.
func newWarm() *warm {
	dir, err := CacheDir("warm")
	if err != nil {
		return nil
	}
	return &warm{dir: dir, stamp: programStamp()}
}

func (w *warm) file(key string) string {
	sum := sha256.Sum256([]byte(key + " " + w.stamp))
	return filepath.Join(w.dir, hex.EncodeToString(sum[:16])+warmEnd)
}

// lockOf gives the lock for a file of the folder.
func lockOf(name string) *flock.Flock {
	return flock.New(filepath.Join(filepath.Dir(name)+".locks", filepath.Base(name)[:1]))
}

// warmPause is how often who waits looks whether what is wanted is there.
const warmPause = 5 * time.Millisecond

// Load is part of alpinevm.Warm.
func (w *warm) Load(key string) *alpinevm.Snapshot {
	for end := time.Now().Add(w.patience); ; time.Sleep(warmPause) {
		if s := w.read(key); s != nil || w.lock != nil {
			return s
		}
		claimed, wait := w.claim(key)
		if claimed {
			if s := w.read(key); s != nil { // it has been made meanwhile
				w.release()
				return s
			}
			w.trim()
		}
		if claimed || !wait || time.Now().After(end) {
			return nil
		}
	}
}

// claim makes the file of a key, which is ours to write then. wait tells that
// another one is at it.
func (w *warm) claim(key string) (claimed, wait bool) {
	name := w.file(key)
	lock := lockOf(name)
	if os.MkdirAll(w.dir, 0o700) != nil || os.MkdirAll(filepath.Dir(lock.Path()), 0o700) != nil {
		return false, false
	}
	if ok, err := lock.TryLock(); !ok || err != nil {
		lock.Close()
		return false, err == nil
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		lock.Close()
		return false, false
	}
	w.lock, w.to = lock, f
	return true, false
}

// release lets others have the file.
func (w *warm) release() error {
	if w.lock == nil {
		return nil
	}
	err := w.to.Close()
	if e := w.lock.Close(); err == nil {
		err = e
	}
	w.lock, w.to = nil, nil
	return err
}

// read gives nil where there is nothing that is whole: a page that is not what was
// written would be the guest's crash.
func (w *warm) read(key string) *alpinevm.Snapshot {
	f, err := os.Open(w.file(key))
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 || alpinevm.CheckSnapshot(f, info.Size()) != nil {
		return nil
	}
	s, err := alpinevm.OpenSnapshot(f, info.Size())
	if err != nil {
		return nil
	}
	now := time.Now()
	os.Chtimes(f.Name(), now, now) // who was used last stays longest
	return s
}

// Drop is part of alpinevm.Warm.
func (w *warm) Drop(key string) { os.Remove(w.file(key)) }

// Store is part of alpinevm.Warm. Where there is no room nothing is kept.
func (w *warm) Store(_ string, s *alpinevm.Snapshot) {
	if w.to == nil {
		s.Close()
		return
	}
	w.work.Go(func() {
		defer w.release()          // those who wait for it need not wait for the guest
		defer debug.FreeOSMemory() // what that took
		defer s.Close()
		if free, known := statefs.FreeSpace(w.dir); known && free < spareDisk {
			return
		}
		if w.to.Truncate(0) != nil || s.WriteRaw(w.to) != nil {
			w.to.Truncate(0)
		}
	})
}

// kept is a file of the folder.
type kept struct {
	name string
	used time.Time
	size int64 // on the disk
}

// trim makes room for another one: those that were not used for longest go, and what
// is none and is being made by nobody.
func (w *warm) trim() {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return
	}
	var list []kept
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !strings.HasSuffix(e.Name(), warmEnd) || filepath.Join(w.dir, e.Name()) == w.to.Name() {
			continue
		}
		k := kept{filepath.Join(w.dir, e.Name()), info.ModTime(), 0}
		if k.size = storedSize(k.name, info); k.size > 0 {
			list = append(list, k)
		} else {
			removeUnlocked(k.name)
		}
	}
	slices.SortFunc(list, func(a, b kept) int { return b.used.Compare(a.used) })
	var sum int64
	for i, k := range list {
		if sum += k.size; i+1 >= maxWarm || sum > maxWarmSize*(maxWarm-1)/maxWarm {
			os.Remove(k.name)
		}
	}
}

// storedSize is how many bytes a snapshot takes, 0 where it is none.
func storedSize(name string, info fs.FileInfo) int64 {
	f, err := os.Open(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	s, err := alpinevm.ReadSnapshotInfo(f, info.Size())
	if err != nil {
		return 0
	}
	return s.Size
}

// removeUnlocked removes a file unless somebody writes it.
func removeUnlocked(name string) {
	lock := lockOf(name)
	defer lock.Close()
	if ok, err := lock.TryLock(); ok && err == nil {
		os.Remove(name)
	}
}

// Close waits until all is kept.
func (w *warm) Close() error {
	w.work.Wait()
	return w.release()
}

// warmUp has the machine go on from a booted kernel where there is one.
func (o *opening) warmUp(context.Context) error {
	if !o.Warm || o.From != nil {
		return nil
	}
	if w := newWarm(); w != nil {
		w.patience = o.patience
		o.keep(w)
		o.cfg.Boot.Warm = w
	}
	return nil
}

// KeepWarm has a machine of cfg go on from a kernel that has booted before, as Spec.Warm
// has it. The closer is to be closed behind the machine.
func KeepWarm(cfg *alpinevm.Config) io.Closer {
	w := newWarm()
	if w == nil {
		return io.NopCloser(nil)
	}
	cfg.Boot.Warm = w
	return w
}

// ForgetWarm removes all booted kernels that are kept.
func ForgetWarm() error {
	dir, err := CacheDir("warm")
	if err != nil {
		return nil // there are none
	}
	return os.RemoveAll(dir)
}
