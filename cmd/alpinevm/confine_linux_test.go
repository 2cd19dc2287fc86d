package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/internal/confine"
)

// TestHole: a guest that reaches more of the host through a hole in us gets at its
// shares and at nothing else. Without confinement it does, so that this is about
// the confinement.
func TestHole(t *testing.T) {
	for _, l := range confine.Probe() {
		if l.Err != nil {
			t.Skipf("not here: %s: %v", l.Name, l.Err)
		}
	}
	dir := t.TempDir()
	t.Setenv(holeVariable, dir)
	for name, text := range map[string]string{"secret": "a secret\n", "shared/file": "ours\n", "outside/secret": "another\n"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := ""
	for _, try := range []string{
		"cat /hole/secret", "[ -n \"$(ls /hole)\" ]", "ls /hole/outside", "cat /hole/outside/secret", "echo x >/hole/secret", "echo x >/hole/new", "rm /hole/secret",
		"mkdir /hole/dir", "ln -s x /hole/link", "mv /hole/secret /hole/shared/taken", "mv /hole/shared/file /hole/given", "mv /hole/secret /hole/other",
		"ln /hole/secret /hole/shared/linked", "ln /hole/shared/file /hole/linked", "rmdir /hole/outside", "truncate -s 0 /hole/secret",
		"ln -s ../secret /shared/link; cat /hole/shared/link",
	} {
		script += "(" + try + ") >/dev/null 2>&1 && echo 'done: " + try + "'\n"
	}
	script += "rm /shared/link; cat /hole/shared/file && echo changed >/hole/shared/file && cat /shared/file"
	args := []string{"-v", filepath.Join(dir, "shared") + ":/shared", "--", "sh", "-c", script}
	stdout, stderr, code := run(t, nil, runArgs(t, args...)...)
	if stdout != "ours\nchanged\n" || stderr != "" || code != 0 {
		t.Errorf("stdout %q, stderr %q, exit code %d", stdout, stderr, code)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "secret")); err != nil || string(b) != "a secret\n" {
		t.Errorf("the secret is %q, %v", b, err)
	}
	stdout, _, code = run(t, nil, runArgs(t, "--no-confine", "-v", filepath.Join(dir, "shared")+":/shared", "--", "cat", "/hole/secret")...)
	if stdout != "a secret\n" || code != 0 {
		t.Errorf("without confinement: stdout %q, exit code %d", stdout, code)
	}
}

// TestHostMemory: a guest with which we take too much is ended with a sentence.
func TestHostMemory(t *testing.T) {
	_, stderr, code := run(t, nil, runArgs(t, "-m", "64M", "--host-memory", "1M", "--", "sh", "-c", "yes >/big")...)
	if code != exitFailure || !strings.Contains(stderr, "of the host's memory, 65MiB is the most (--host-memory): it was switched off\n") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("stderr %q, exit code %d", stderr, code)
	}
	_, stderr, code = run(t, nil, runArgs(t, "--host-memory", "some", "--", "true")...)
	if code != exitFailure || !strings.Contains(stderr, `--host-memory "some": want a size such as 512M or 1G`) {
		t.Errorf("stderr %q, exit code %d", stderr, code)
	}
}
