package launch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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
)

// maxWarm is how many booted kernels are kept. One takes what its guest has used of
// its memory by then, some 60 MB.
const maxWarm = 4

const warmEnd = ".snapshot"

// warm keeps booted kernels in the user's cache folder. It implements
// alpinevm.Warm.
//
// A file is made before the guest runs, when this process may still make files, and
// is locked by who writes it. Until it is whole it is no snapshot.
type warm struct {
	dir   string
	stamp string         // of our program, which other versions of it are not
	work  sync.WaitGroup // what is being written
	lock  *flock.Flock   // of the file that is to be written; nil: none
	to    *os.File       // it
}

// newWarm gives nil where the host has no place for it.
func newWarm() *warm {
	dir, err := CacheDir("warm")
	if err != nil {
		return nil
	}
	w := &warm{dir: dir}
	if name, err := os.Executable(); err == nil {
		if info, err := os.Stat(name); err == nil {
			w.stamp = fmt.Sprint(info.Size(), info.ModTime().UnixNano())
		}
	}
	return w
}

func (w *warm) file(key string) string {
	sum := sha256.Sum256([]byte(key + " " + w.stamp))
	return filepath.Join(w.dir, hex.EncodeToString(sum[:16])+warmEnd)
}

// Load is part of alpinevm.Warm.
func (w *warm) Load(key string) *alpinevm.Snapshot {
	if s := w.read(key); s != nil {
		return s
	}
	if w.lock != nil || os.MkdirAll(w.dir, 0o700) != nil {
		return nil
	}
	lock := flock.New(w.file(key)) // which makes it
	if ok, err := lock.TryLock(); !ok || err != nil {
		lock.Close() // another process is at it
		return nil
	}
	if s := w.read(key); s != nil { // it was
		lock.Close()
		return s
	}
	f, err := os.OpenFile(w.file(key), os.O_RDWR, 0)
	if err != nil {
		lock.Close()
		return nil
	}
	w.lock, w.to = lock, f
	w.trim()
	return nil
}

// read gives nil where there is nothing that is whole.
func (w *warm) read(key string) *alpinevm.Snapshot {
	f, err := os.Open(w.file(key))
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
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
		defer debug.FreeOSMemory() // what that took
		defer s.Close()
		if w.to.Truncate(0) != nil || s.WriteRaw(w.to) != nil {
			w.to.Truncate(0)
		}
	})
}

// trim removes those that were not used for longest.
func (w *warm) trim() {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return
	}
	var list []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), warmEnd) {
			list = append(list, info)
		}
	}
	slices.SortFunc(list, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, info := range list[min(maxWarm, len(list)):] {
		os.Remove(filepath.Join(w.dir, info.Name()))
	}
}

// Close waits until all is kept.
func (w *warm) Close() error {
	w.work.Wait()
	if w.lock == nil {
		return nil
	}
	return errors.Join(w.to.Close(), w.lock.Close())
}

// warmUp has the machine go on from a booted kernel where there is one.
func (o *opening) warmUp(context.Context) error {
	if !o.Warm {
		return nil
	}
	if w := newWarm(); w != nil {
		o.keep(w)
		o.cfg.Boot.Warm = w
	}
	return nil
}

// ForgetWarm removes all booted kernels that are kept.
func ForgetWarm() error {
	dir, err := CacheDir("warm")
	if err != nil {
		return nil // there are none
	}
	return os.RemoveAll(dir)
}
