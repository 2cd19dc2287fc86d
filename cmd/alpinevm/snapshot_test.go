//go:build linux

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/internal/baretest"
	"alpinevm/internal/guesttest"
	"alpinevm/launch"
)

// snapshotFile makes a machine that waits for a line of input, with a file that it
// has made, and a snapshot of it.
func snapshotFile(t *testing.T) string {
	t.Helper()
	in, keep := io.Pipe()
	defer keep.Close()
	var out baretest.Buffer
	spec := launch.Spec{
		Config: alpinevm.Config{
			Memory: alpinevm.MinMemory, Boot: alpinevm.Boot{Cache: guesttest.Cache(t)},
			Session: &alpinevm.Session{Args: []string{"sh", "-c", "echo made >/made; echo ready; read x; echo $x; cat /made; exit 4"}, Stdin: in, Stdout: &out},
		},
		Rootfs: guesttest.RootFile(t), Kernel: guesttest.File(t, "686-pae/vmlinuz"), Modules: guesttest.File(t, "686-pae/modules"),
	}
	cfg, closeAll, err := spec.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll()
	m, err := alpinevm.New(*cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for late := time.Now().Add(patience); ; time.Sleep(20 * time.Microsecond) {
		s, _ := m.Step()
		for ; s == alpinevm.Running; s, _ = m.Step() {
		}
		if s == alpinevm.Ended || time.Now().After(late) {
			t.Fatalf("the guest is not ready: %q", out.String())
		}
		if !strings.Contains(out.String(), "ready") {
			continue
		}
		snap, err := m.Capture()
		if errors.Is(err, alpinevm.ErrNotQuiet) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Close()
		name := filepath.Join(t.TempDir(), "box.snapshot")
		if err := writeSnapshot(name, snap, false); err != nil {
			t.Fatal(err)
		}
		return name
	}
}

// TestSnapshotFiles has machines go on from files: with what ran in them, and with a
// command in its place; and looks at the files, changes their form and removes them.
func TestSnapshotFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("boots guests")
	}
	t.Parallel()
	packed := snapshotFile(t)
	dir := filepath.Dir(packed)
	raw, again := filepath.Join(dir, "raw"), filepath.Join(dir, "again")
	h := home{t: t, dir: t.TempDir(), stdin: "go on\n"}
	h.check([]string{"snapshot", "unpack", packed, raw}, 0, "", "")
	h.check([]string{"snapshot", "pack", raw, again}, 0, "", "")
	for _, file := range []string{packed, raw, again} {
		h.check([]string{"run", "-q", "--from", file}, 4, "go on\nmade\n", "")
	}
	h.check([]string{"run", "-q", "--from", raw, "--hostname", "twin", "--", "sh", "-c", "cat /made; hostname; exit 6"}, 6, "made\ntwin\n", "")
	h.check([]string{"run", "-q", "--from", raw, "nosuch"}, 127, "", `alpinevm: .*nosuch.*\n`)
	h.check([]string{"run", "-q", "--from", raw, "--name", "box"}, 125, "", `alpinevm: --from .*: leave out --name\n`)
	for flag, value := range map[string]string{"--network": "user", "--publish": "8080:80", "--dns": "10.0.2.3", "--mac-address": "52:54:00:00:00:01", "--allow": "*:80"} {
		h.check([]string{"run", "-q", "--from", raw, flag, value, "true"}, 125, "", `alpinevm: --from .*: the machine has no network.*: leave out `+flag+`.*\n`)
	}
	for _, flag := range []string{
		"--rootfs=r", "--kernel=k", "--modules=m", "--module=m", "--firmware=f", "--initrd=i", "--busybox=b", "--cmdline=c", "--append=a", "--sysctl=a=b", "--cold", "--deterministic", "--memory=64M", "--tmpfs=/tmp",
		"--shm-size=1M", "--read-only", "--mount type=tmpfs,target=/tmp", "--boot", "--entrypoint=e", "--env=A=b", "--env-file=f", "--user=root", "--workdir=/",
	} {
		name, _, _ := strings.Cut(flag, "=")
		h.check(append(append([]string{"run", "-q", "--from", raw}, strings.Fields(flag)...), "true"), 125, "", `alpinevm: --from .*: the machine goes on with [^:]*: leave out `+name+`.*\n`)
	}
	h.check([]string{"snapshot", "inspect", packed}, 0, `(?s)File: .*Layout: +packed\nMemory: +64MiB\n.*Device: +1 entropy\n.*Command: .*ready.*`, "")
	h.check([]string{"snapshot", "ls", dir}, 0, `(?s)FILE .*again +packed +64MiB .*box.snapshot +packed .*raw +raw +64MiB .*`, "")

	if err := os.Truncate(again, 100000); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run", "-q", "--from", again}, {"snapshot", "inspect", again}, {"snapshot", "unpack", again, raw}} {
		want := exitError
		if args[0] == "run" {
			want = exitFailure
		}
		h.check(args, want, "", `alpinevm: snapshot .*/again: not a snapshot that can be read: .*\n`)
	}
	h.check([]string{"run", "-q", "--from", raw, "true"}, 0, "", "") // which stayed as it was
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.check([]string{"snapshot", "rm", other, packed}, 1, "", `alpinevm: snapshot .*/other: not a snapshot .*\n`)
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(packed); err == nil {
		t.Error("the snapshot was not removed")
	}
}
