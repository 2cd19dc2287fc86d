package imageconfig

import (
	"io/fs"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/fs9p/memfs"
)

func TestCommand(t *testing.T) {
	none, other := "", "other"
	c := v1.Config{Entrypoint: []string{"entry", "-x"}, Cmd: []string{"cmd", "-y"}}
	for _, tt := range []struct {
		c          v1.Config
		entrypoint *string
		args, want []string
	}{
		{c, nil, nil, []string{"entry", "-x", "cmd", "-y"}},
		{c, nil, []string{"a"}, []string{"entry", "-x", "a"}},
		{c, &other, nil, []string{"other"}},
		{c, &other, []string{"a"}, []string{"other", "a"}},
		{c, &none, []string{"a"}, []string{"a"}},
		{c, &none, nil, nil},
		{v1.Config{}, nil, []string{"a"}, []string{"a"}},
		{v1.Config{Cmd: []string{"cmd"}}, nil, nil, []string{"cmd"}},
	} {
		if got := command(tt.c, tt.entrypoint, tt.args); !slices.Equal(got, tt.want) {
			t.Errorf("%v %v: %q, want %q", tt.entrypoint, tt.args, got, tt.want)
		}
	}
}

// TestApply leaves what a session says as it is.
func TestApply(t *testing.T) {
	c := v1.Config{User: "image", WorkingDir: "/image", Env: []string{"A=image", "B=image", "=bad", "bad"}, Cmd: []string{"image"}}
	for _, tt := range []struct{ name, user, dir, arg string }{
		{"nothing said", "image", "/image", "image"}, {"all said", "own", "/own", "own"}, {"init", "image", "/image", ""},
	} {
		s := alpinevm.Session{Env: []string{"B=own"}, Init: tt.name == "init"}
		if tt.user == "own" {
			s.User, s.Dir, s.Args = "own", "/own", []string{"own"}
		}
		Apply(&s, c, nil)
		arg := ""
		if len(s.Args) > 0 {
			arg = s.Args[0]
		}
		if s.User != tt.user || s.Dir != tt.dir || arg != tt.arg || !slices.Equal(s.Env, []string{"A=image", "B=image", "B=own"}) {
			t.Errorf("%s: %+v", tt.name, s)
		}
	}
}

func TestMakeVolumes(t *testing.T) {
	m := memfs.New(memfs.Config{})
	if err := m.Add("file", memfs.Entry{Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		volume, made string
		ok           bool
	}{
		{"/a/b", "a/b", true}, {"c/d/", "c/d", true}, {"/", ".", true}, {"/a/b", "a/b", true}, {"/../g", "g", true}, {"/file/x", "", false},
	} {
		err := MakeVolumes(m, v1.Config{Volumes: map[string]struct{}{tt.volume: {}}})
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.volume, err)
		}
		if !tt.ok {
			continue
		}
		if info, err := fs9p.IOFS(m).Lstat(tt.made); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", tt.volume, err)
		}
	}
}

// TestPutNetworkFiles does so once, and where there are both a network and a
// session.
func TestPutNetworkFiles(t *testing.T) {
	for _, tt := range []struct {
		network, session bool
	}{{true, true}, {true, false}, {false, true}} {
		m := memfs.New(memfs.Config{})
		cfg := alpinevm.Config{Hostname: "box"}
		if tt.network {
			cfg.Network = &alpinevm.Network{}
		}
		if tt.session {
			cfg.Session = &alpinevm.Session{Root: m}
		}
		if err := PutNetworkFiles(&cfg); err != nil {
			t.Fatal(err)
		}
		_, err := fs.Stat(fs9p.IOFS(m), "etc/resolv.conf")
		if want := tt.network && tt.session; (err == nil) != want || tt.network && cfg.Network.FilesInRoot != want {
			t.Errorf("%+v: %v, %+v", tt, err, cfg.Network)
		}
	}
}
