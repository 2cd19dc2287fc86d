package guestfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// skipRecorder is a test that remembers why it was skipped.
type skipRecorder struct {
	testing.TB
	why string
}

func (s *skipRecorder) Helper() {}

func (s *skipRecorder) Skipf(format string, args ...any) {
	s.why = strings.TrimSpace(format)
	for _, a := range args {
		if text, ok := a.(string); ok {
			s.why += "|" + text
		}
	}
	panic(s)
}

// reasonFor is why a test that wants a file is skipped, "" where it is not.
func reasonFor(t *testing.T, want func(testing.TB) string) (path, why string) {
	s := &skipRecorder{TB: t}
	defer func() {
		if r := recover(); r != nil {
			if r != any(s) {
				panic(r)
			}
			why = s.why
		}
	}()
	return want(s), ""
}

// TestPath: what is there is found, and what is not there skips the test by its name,
// with the place where to put it.
func TestPath(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)         // macOS
	t.Setenv("LocalAppData", cache) // Windows
	folder, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // no ../shared beside the module
	if err := os.WriteFile("go.mod", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		find func(testing.TB) string
	}{
		{"686-pae/vmlinuz", func(t testing.TB) string { return Path(t, "686-pae/vmlinuz") }},
		{Alpine, Root},
	} {
		want := filepath.Join(folder, "alpinevm", "guest", filepath.FromSlash(tt.name))
		if _, why := reasonFor(t, tt.find); !strings.Contains(why, tt.name) || !strings.Contains(why, want) {
			t.Errorf("%s: skipped with %q", tt.name, why)
		}
		if err := os.MkdirAll(filepath.Dir(want), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(want, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if got, why := reasonFor(t, tt.find); got != want || why != "" {
			t.Errorf("%s: %q, skipped with %q", tt.name, got, why)
		}
	}
}

// TestRootBeside: ../shared/guest beside the module goes before the cache.
func TestRootBeside(t *testing.T) {
	dir := t.TempDir()
	beside := filepath.Join(dir, "shared", "guest")
	for _, d := range []string{beside, filepath.Join(dir, "module", "deep", "down")} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{filepath.Join(beside, Alpine), filepath.Join(dir, "module", "go.mod")} {
		if err := os.WriteFile(f, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(dir, "module", "deep", "down"))
	got, err := os.Stat(Root(t))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(filepath.Join(beside, Alpine))
	if err != nil || !os.SameFile(got, want) {
		t.Errorf("another file, %v", err)
	}
}
