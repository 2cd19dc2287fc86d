//go:build linux

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
	"alpinevm/kernel"
)

// serialInit is the only program of the guest: it asks on the console until it
// is told to end.
const serialInit = `#!/bin/busybox sh
echo "console $(busybox tty)"
while echo "name?" && read name && [ "$name" != end ]; do
	echo "hello $name"
done
busybox poweroff -f
`

// serialArgs are the arguments that run serialInit.
func serialArgs(t *testing.T) []string {
	t.Helper()
	return serialArgsOf(t, serialInit)
}

// serialArgsOf are the arguments that run init alone in a guest.
func serialArgsOf(t *testing.T, init string) []string {
	t.Helper()
	busybox, err := os.ReadFile(guesttest.File(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	var c kernel.CPIO
	c.CharDevice("/dev/console", 0o600, 5, 1)
	c.File("/bin/busybox", 0o755, busybox)
	c.File("/init", 0o755, []byte(init))
	ram, err := c.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(name, ram, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"run", "--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--initrd", name, "-m", "128M"}
}

// TestSerialTerminal has a machine without a root of ours speak with somebody at
// a terminal: its console is the serial port.
func TestSerialTerminal(t *testing.T) {
	t.Parallel()
	p := sitDown(t, 80, 24, "alpinevm", serialArgs(t)...)
	p.expect(`console /dev/`)
	p.expect(`name\?\r\n`)
	// More than the port has room for at a time.
	long := strings.Repeat("0123456789", 20)
	p.send(long + "\r")
	p.expect(`\nhello ` + long + `\r\n`)
	p.expect(`name\?\r\n`)
	p.send("\x01h")
	p.expect(`Ctrl-A x +switch the machine off`)
	p.send("end\r")
	p.leave(0)
}

// TestSerialPipe has it speak through pipes. How the guest finds a folder of the
// host is said at the start.
func TestSerialPipe(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("alpinevm", append(serialArgs(t), "-v", t.TempDir()+":/mnt:ro")...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	var said strings.Builder
	hear := func(what string) {
		t.Helper()
		for b := make([]byte, 1); !strings.HasSuffix(said.String(), what); {
			if _, err := io.ReadFull(out, b); err != nil {
				t.Fatalf("%q has not come, but %q, %v, stderr %q", what, said.String(), err, errs.String())
			}
			said.Write(b)
		}
	}
	hear("name?\r\n") // before, the kernel empties the port
	io.WriteString(in, "you\nend\n")
	hear("\nhello you\r\nname?\r\n")
	rest, err := io.ReadAll(out)
	const note = "alpinevm: -v in the guest: mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=mmap,posixacl,ro volume0 /mnt\n"
	if code := codeOf(t, cmd.Wait()); err != nil || code != 0 || errs.String() != note {
		t.Errorf("exit code %d, stderr %q, then %q, %v", code, errs.String(), rest, err)
	}
}
