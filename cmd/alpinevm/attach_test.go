//go:build linux

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestAttach sits down at a machine in the background, leaves it to itself, runs a
// shell beside, and comes back.
func TestAttach(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	args := runArgs(t, "--network", "none", "-dit", "--rm", "-q", "--", "sh")
	if out, err := exec.Command("alpinevm", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	names, err := exec.Command("alpinevm", "ps", "-q").Output()
	name := strings.TrimSpace(string(names))
	if err != nil || name == "" {
		t.Fatalf("%q, %v", names, err)
	}
	t.Cleanup(func() { exec.Command("alpinevm", "rm", "-f", name).Run() })

	p := sitDown(t, 100, 30, "alpinevm", "attach", name)
	p.awaitRaw()
	p.send("stty size; echo a''ttached\r")
	p.expect(`30 100\r\nattached\r\n`)
	p.resize(90, 20)
	p.send("until stty size | grep '20 90'; do sleep 0.1; done\r")
	p.expect(`\n20 90\r\n`)
	p.send("\x10\x11")
	p.leave(0)

	p = sitDown(t, 70, 15, "alpinevm", "exec", "-it", name, "sh")
	p.awaitRaw()
	p.send("tty; stty size; echo $TERM\r")
	p.expect(`/dev/pts/0\r\n15 70\r\nvt100\r\n`)
	p.resize(132, 43)
	p.send("until stty size | grep '43 132'; do sleep 0.1; done\r")
	p.expect(`\n43 132\r\n`)
	p.send("sh -c \"echo sta''rted; exec sleep 100\"\r") // tells when it is in the foreground
	p.expect(`\nstarted\r\n`)
	p.send("\x03")
	p.expect(prompt)
	p.send("exit 3\r")
	p.leave(3)

	p = sitDown(t, 80, 24, "alpinevm", "attach", "--detach-keys", "ctrl-x,q", name)
	p.awaitRaw()
	p.send("\x10\x11\x15echo b''ack; exit 4\r")
	p.expect(`back\r\n`)
	p.leave(4)
}
