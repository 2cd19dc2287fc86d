package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExpand: flags that stand for others.
func TestExpand(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	t.Chdir(t.TempDir())
	file := func(name, text string) string {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good, bad := file("good", "# a comment\n\nA=1 2\n  B=\nHOME\n"), file("bad", "A=1\nB C=2\n")
	if err := os.Mkdir("here", 0o755); err != nil {
		t.Fatal(err)
	}
	volume := filepath.Join(state, "alpinevm", "volumes", "data")
	for _, tt := range []struct {
		name  string
		f     runFlags
		env   string
		vols  string
		tmpfs string
		ports string
		err   string
	}{
		{name: "nothing", f: runFlags{cpus: "1"}},
		{name: "half a processor", f: runFlags{cpus: "0.5"}},
		{name: "processors", f: runFlags{cpus: "2"}, err: "a guest has one processor"},
		{name: "files of variables", f: runFlags{cpus: "1", envFiles: []string{good}, env: []string{"A=3"}}, env: "A=1 2|B=|HOME|A=3"},
		{name: "a bad line", f: runFlags{cpus: "1", envFiles: []string{bad}}, err: `bad, line 2: "B C=2": want NAME=VALUE or NAME`},
		{name: "no file", f: runFlags{cpus: "1", envFiles: []string{"nosuch"}}, err: "nosuch"},
		{name: "volumes", f: runFlags{cpus: "1", volumes: []string{"data:/d:ro", "here:/h", "./x:/x", "/y:/y"}}, vols: volume + ":/d:ro|here:/h|./x:/x|/y:/y"},
		{name: "mounts", f: runFlags{cpus: "1", mounts: []string{"type=bind,source=here,target=/a,readonly", "source=data,dst=/b", "type=tmpfs,target=/c,tmpfs-size=1m"}},
			vols: "./here:/a:ro|" + volume + ":/b", tmpfs: "/c:size=1m"},
		{name: "no target", f: runFlags{cpus: "1", mounts: []string{"type=bind,source=here"}}, err: "it has no target"},
		{name: "no type", f: runFlags{cpus: "1", mounts: []string{"type=npipe,target=/x"}}, err: `there is no type "npipe"`},
		{name: "no field", f: runFlags{cpus: "1", mounts: []string{"from=here"}}, err: `there is no field "from"`},
	} {
		err := tt.f.expand()
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.err)
			}
			continue
		}
		f := &tt.f
		if err != nil || strings.Join(f.env, "|") != tt.env || strings.Join(f.volumes, "|") != tt.vols || strings.Join(f.tmpfs, "|") != tt.tmpfs {
			t.Errorf("%s: %v, %q, %q, %q", tt.name, err, f.env, f.volumes, f.tmpfs)
		}
	}
	if info, err := os.Stat(volume); err != nil || !info.IsDir() {
		t.Error(err)
	}
}

func TestPortRange(t *testing.T) {
	for s, want := range map[string]string{
		"80": "80", "8080:80/udp": "8080:80/udp", "8000-8002:80-82": "8000:80|8001:81|8002:82", "80-81/udp": "80/udp|81/udp",
		"127.0.0.1:8000-8001:80-81": "127.0.0.1:8000:80|127.0.0.1:8001:81", "[::1]:9-10:9-10": "[::1]:9:9|[::1]:10:10", "[::1]:9:9": "[::1]:9:9",
		"1-2:1-3": "", "2-1:2-1": "", "x-y:1-2": "", "1-70000:1-70000": "", "0-1:0-1": "",
	} {
		got, err := portRange(s)
		if (err == nil) != (want != "") || err == nil && !slices.Equal(got, strings.Split(want, "|")) {
			t.Errorf("%s: %q, %v", s, got, err)
		}
	}
}
