package launch

import (
	"fmt"
	"os"
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

// TestWarmFiles: a booted kernel is kept once, by one who asks for it in vain, and is
// found by all who come then; what is not whole is none; few are kept.
func TestWarmFiles(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	keep := func(key string) {
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
	has := func(key string) bool {
		w := newWarm()
		defer w.Close()
		s := w.read(key)
		if s != nil {
			s.Close()
		}
		return s != nil
	}
	keep("a")
	if !has("a") {
		t.Fatal("what was kept is not there")
	}
	w := newWarm()
	if s := w.Load("b"); s != nil {
		t.Fatal("b is there")
	}
	w.Close() // its run has ended before its kernel had booted
	if has("b") {
		t.Error("an empty file is a snapshot")
	}
	keep("b")
	name := newWarm().file("b")
	if err := os.Truncate(name, 5000); err != nil {
		t.Fatal(err)
	}
	if has("b") {
		t.Error("a file that was cut is a snapshot")
	}
	keep("b")
	for i := range maxWarm {
		time.Sleep(10 * time.Millisecond) // files differ in their times
		if !has("a") {
			t.Fatal("what is in use was removed")
		}
		keep(fmt.Sprint("more", i))
	}
	if has("b") {
		t.Error("more are kept than should be")
	}
	newWarm().Drop("a")
	if has("a") {
		t.Error("what was dropped is there")
	}
	if err := ForgetWarm(); err != nil || has(fmt.Sprint("more", maxWarm-1)) {
		t.Errorf("what was forgotten is there: %v", err)
	}
}
