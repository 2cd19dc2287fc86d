//go:build linux

package hostfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"alpinevm/fs9p"
)

// TestUnprivileged runs all tests as a user who may do nothing special.
func TestUnprivileged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not here: TestSuite runs without privileges anyway")
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		check(t, os.Chmod(d, 0o777))
	}
	cmd := exec.Command("/proc/self/exe", "-test.skip", "^TestUnprivileged$", "-test.v")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestRefusedOwner") || !strings.Contains(string(out), "--- PASS: TestSuite") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestRefusedOwner: the guest sees the owner that it asked for, the host's file keeps its own.
func TestRefusedOwner(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("not here: root may change owners; TestUnprivileged runs this as another user")
	}
	dir := t.TempDir()
	c := dial(t, dir)
	c.Put(c.Root, "f", "x")
	fid := c.At(c.Root, "f")
	c.OK(c.Setattr(fid, fs9p.SetAttr{Valid: fs9p.SetUID | fs9p.SetGID, UID: 12, GID: 34}))
	if a := c.StatAt(c.Root, "f").Attr; a.UID != 12 || a.GID != 34 {
		t.Errorf("the guest sees %d:%d", a.UID, a.GID)
	}
	fi, err := os.Stat(filepath.Join(dir, "f"))
	check(t, err)
	if a := attrOf(fi); a.UID != uint32(os.Getuid()) {
		t.Errorf("the host's owner is %d", a.UID)
	}
	// Another session of the same folder sees the host's truth.
	if a := dial(t, dir); a.StatAt(a.Root, "f").Attr.UID != uint32(os.Getuid()) {
		t.Error("what was assumed has outlived the server")
	}
}
