package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/internal/baretest"
)

// still is a snapshot of a machine that does nothing.
func still(t *testing.T) *alpinevm.Snapshot {
	t.Helper()
	m, err := alpinevm.New(alpinevm.Config{Memory: alpinevm.MinMemory, Boot: alpinevm.Boot{Kernel: baretest.Flat("FA F4")}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := m.Capture()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ownCache gives the test a cache folder of its own, and the name of the kernels'
// in it.
func ownCache(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, t.TempDir())
	}
	dir, err := CacheDir("warm")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// keepWarm has a kernel kept under a key, which has to be missing.
func keepWarm(t *testing.T, key string) {
	t.Helper()
	w := newWarm()
	if s := w.Load(key); s != nil {
		t.Fatalf("%s is there", key)
	}
	other := newWarm() // comes meanwhile
	if s := other.Load(key); s != nil || other.to != nil {
		t.Errorf("%s is made twice", key)
	}
	other.Store(key, still(t))
	other.Close()
	w.Store(key, still(t))
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// hasWarm tells whether a kernel is kept, and uses it if it is.
func hasWarm(key string) bool {
	s := newWarm().read(key)
	if s != nil {
		s.Close()
	}
	return s != nil
}

// TestWarmFiles: a booted kernel is kept once, by one who asks for it in vain, and is
// found by all who come then; few are kept, and files that are none count for
// nothing.
func TestWarmFiles(t *testing.T) {
	dir := ownCache(t)
	keepWarm(t, "a")
	if !hasWarm("a") {
		t.Fatal("what was kept is not there")
	}
	for i := range 2 * maxWarm {
		w := newWarm()
		if s := w.Load(fmt.Sprint("none", i)); s != nil {
			t.Fatal("it is there")
		}
		w.Close() // its run has ended before its kernel had booted
	}
	if !hasWarm("a") || hasWarm("none0") {
		t.Error("empty files count as kernels")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 3 {
		t.Errorf("%d files for one kernel, %v", len(files), err)
	}
	keepWarm(t, "b")
	for i := range maxWarm {
		time.Sleep(10 * time.Millisecond) // files differ in their times
		if !hasWarm("a") {
			t.Fatal("what is in use was removed")
		}
		keepWarm(t, fmt.Sprint("more", i))
	}
	if files, err := os.ReadDir(dir); err != nil || hasWarm("b") || len(files) > maxWarm {
		t.Errorf("%d files, %v", len(files), err)
	}
	newWarm().Drop("a")
	if hasWarm("a") {
		t.Error("what was dropped is there")
	}
	if err := ForgetWarm(); err != nil || hasWarm(fmt.Sprint("more", maxWarm-1)) {
		t.Errorf("what was forgotten is there: %v", err)
	}
}

// TestWarmDamage: what was cut or changed anywhere is none, and is made again.
func TestWarmDamage(t *testing.T) {
	ownCache(t)
	change := func(at func(size int64) int64) func(*os.File, int64) error {
		return func(f *os.File, size int64) error {
			b := []byte{0}
			if _, err := f.ReadAt(b, at(size)); err != nil {
				return err
			}
			b[0] ^= 0x10
			_, err := f.WriteAt(b, at(size))
			return err
		}
	}
	for name, damage := range map[string]func(f *os.File, size int64) error{
		"emptied":       func(f *os.File, _ int64) error { return f.Truncate(0) },
		"cut":           func(f *os.File, _ int64) error { return f.Truncate(5000) },
		"cut at end":    func(f *os.File, size int64) error { return f.Truncate(size - 1) },
		"its mark":      change(func(int64) int64 { return 0 }),
		"its memory":    change(func(int64) int64 { return 4096 + 1<<20 }), // where the program is
		"its last byte": change(func(size int64) int64 { return size - 1 }),
	} {
		t.Run(name, func(t *testing.T) {
			ForgetWarm()
			keepWarm(t, "a")
			f, err := os.OpenFile(newWarm().file("a"), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			info, err := f.Stat()
			if err == nil {
				err = damage(f, info.Size())
			}
			if err != nil {
				t.Fatal(err)
			}
			if hasWarm("a") {
				t.Error("it is a snapshot")
			}
			keepWarm(t, "a")
			if !hasWarm("a") {
				t.Error("it was not made again")
			}
		})
	}
}

// TestWarmNowhere: where nothing can be kept nothing is, and nobody is told.
func TestWarmNowhere(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string, w *warm){
		"no folder": func(t *testing.T, dir string, _ *warm) {
			if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"no writing": func(t *testing.T, _ string, w *warm) {
			if s := w.Load("a"); s != nil || w.to == nil {
				t.Fatal("it cannot be made")
			}
			w.to.Close() // every write fails
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := ownCache(t)
			w := newWarm()
			w.patience = time.Hour // nobody makes it
			spoil(t, dir, w)
			if s := w.Load("a"); s != nil {
				t.Error("it is there")
			}
			w.Store("a", still(t))
			w.Close()
			if hasWarm("a") {
				t.Error("it was kept")
			}
		})
	}
}

// TestWarmAtOnce: of many who come at once one makes the kernel, and those who wait
// get it, before the one who made it has ended.
func TestWarmAtOnce(t *testing.T) {
	ownCache(t)
	var made, got atomic.Int32
	var all sync.WaitGroup
	var makers []*warm
	var mu sync.Mutex
	for range 10 {
		snap := still(t)
		all.Go(func() {
			w := newWarm()
			w.patience = time.Hour
			if s := w.Load("a"); s != nil {
				s.Close()
				snap.Close()
				got.Add(1)
				return
			}
			made.Add(1)
			w.Store("a", snap)
			mu.Lock()
			makers = append(makers, w)
			mu.Unlock()
		})
	}
	all.Wait()
	if made.Load() != 1 || got.Load() != 9 {
		t.Errorf("%d have made it, %d have got it", made.Load(), got.Load())
	}
	for _, w := range makers {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestBuildID: a program is told from others by what the linker has put into it.
func TestBuildID(t *testing.T) {
	id := "Zn8O3Z0l_qKEfsMbrGMP/CaKWF5M5oFiCEi-73lYN/Fq7vUdzIgsFkGUZJCdl2/uZEA2PyF_m6gBXEiWMOT"
	for name, tt := range map[string]struct{ program, want string }{
		"a note":            {"\x7fELF....\x04\x00\x00\x00\x53\x00\x00\x00\x04\x00\x00\x00Go\x00\x00" + id + "\x00", id},
		"text":              {"MZ...\xff Go build ID: \"" + id + "\"\n \xff", id},
		"too short":         {"\xff Go build ID: \"abc\"\n \xff", ""},
		"none":              {"MZ", ""},
		"far in the middle": {strings.Repeat("x", maxBuildHead) + "\xff Go build ID: \"" + id + "\"\n", ""},
	} {
		if got := buildID(strings.NewReader(tt.program)); got != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if programStamp() == "" {
		t.Error("this program has no stamp")
	}
}

// TestWarmLock: who holds the lock for a file can read and write it by handles of his
// own, on Windows too, and the locks of any number of files are sixteen at most.
func TestWarmLock(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("LocalAppData", os.Getenv("XDG_CACHE_HOME"))
	t.Setenv("HOME", os.Getenv("XDG_CACHE_HOME"))
	w := newWarm()
	for i := range 100 {
		key := fmt.Sprint(i)
		if claimed, _ := w.claim(key); !claimed {
			t.Fatalf("%s: not claimed", key)
		}
		other := newWarm()
		if claimed, wait := other.claim(key); claimed || !wait {
			t.Errorf("%s: claimed twice: %v, %v", key, claimed, wait)
		}
		if filepath.Dir(w.lock.Path()) == w.dir {
			t.Fatalf("the lock is %s", w.lock.Path())
		}
		if _, err := w.to.WriteAt([]byte("text"), 0); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(w.file(key)); err != nil || string(b) != "text" {
			t.Errorf("%q, %v", b, err)
		}
		if err := w.release(); err != nil {
			t.Error(err)
		}
		if claimed, _ := other.claim(key); !claimed {
			t.Errorf("%s: still locked", key)
		}
		other.release()
	}
	if locks, err := os.ReadDir(w.dir + ".locks"); err != nil || len(locks) > 16 {
		t.Errorf("%d locks, %v", len(locks), err)
	}
}
