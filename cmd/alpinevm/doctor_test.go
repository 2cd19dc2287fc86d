package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/internal/confine"
)

// TestDoctor looks at this host with servers that answer, refuse and hang.
func TestDoctor(t *testing.T) {
	answers := httptest.NewServer(http.NotFoundHandler())
	defer answers.Close()
	refuses := httptest.NewServer(http.NotFoundHandler())
	refuses.Close()
	release := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hangs.Close()
	defer close(release)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, tt := range []struct {
		name, url, want string
	}{
		{"answers", answers.URL, "ok    alpine    127.0.0.1:"},
		{"refuses", refuses.URL, "refused; kernels come from the cache"},
		{"hangs", hangs.URL, "does not answer within 1.5s; kernels come from the cache"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := (doctor{registry: tt.url, mirror: tt.url}).run(t.Context(), &out); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if n := len((doctor{}).checks()); len(lines) != n || !strings.Contains(out.String(), tt.want) {
				t.Errorf("%d lines, want %d with %q:\n%s", len(lines), n, tt.want, out.String())
			}
		})
	}
}

// TestDoctorFails has nothing to write to, which is the one thing that run
// cannot do without.
func TestDoctorFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := checkCache(func() (string, error) { return file, nil })
	if !f.fatal || !strings.Contains(f.advice, "XDG_CACHE_HOME") {
		t.Errorf("%+v", f)
	}
	if f := checkCache(func() (string, error) { return "", errors.New("no home") }); !f.fatal {
		t.Errorf("%+v", f)
	}
}

func TestDoctorMemory(t *testing.T) {
	for _, tt := range []struct {
		meminfo, want string
		missing       bool
	}{
		{"MemTotal:  1 kB\nMemAvailable:    2097152 kB\n", "2GiB available", false},
		{"MemAvailable:    204800 kB\n", "200MiB available", true},
		{"", "not known", false},
	} {
		name := filepath.Join(t.TempDir(), "meminfo")
		if err := os.WriteFile(name, []byte(tt.meminfo), 0o600); err != nil {
			t.Fatal(err)
		}
		if f := checkMemory(name); f.missing != tt.missing || !strings.Contains(f.text, tt.want) || (f.advice != "") != tt.missing {
			t.Errorf("%q: %+v", tt.meminfo, f)
		}
	}
}

// TestDoctorPrograms has a host without anything installed.
func TestDoctorPrograms(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, look := range []func(context.Context) finding{checkGo, checkQEMU} {
		if f := look(t.Context()); !f.missing || f.fatal || f.advice == "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestDoctorConfinement(t *testing.T) {
	none := errors.New("the kernel has none")
	for _, tt := range []struct {
		layers  []confine.Layer
		root    bool
		missing bool
		want    string
	}{
		{[]confine.Layer{{Name: "a"}, {Name: "b"}}, false, false, "a, b hold a guest that gets out of the emulator"},
		{[]confine.Layer{{Name: "a"}, {Name: "b"}}, true, false, "a, b hold a guest that gets out of the emulator; you are root; run it as another user"},
		{[]confine.Layer{{Name: "a"}, {Name: "b", Err: none}}, false, true, "b: the kernel has none; what holds a guest that gets out of the emulator is a"},
		{[]confine.Layer{{Name: "b", Err: none}}, true, true, "b: the kernel has none; you are root; the emulator alone keeps a guest in; run it as another user"},
	} {
		f := checkConfinement(tt.layers, tt.root)
		got := f.text
		if f.advice != "" {
			got += "; " + f.advice
		}
		if f.missing != tt.missing || f.fatal || got != tt.want {
			t.Errorf("%+v, want %q", f, tt.want)
		}
	}
}
