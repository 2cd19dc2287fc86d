//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
)

const prompt = `/ # `

// TestTerminal works at the guest's shell as a user would.
func TestTerminal(t *testing.T) {
	t.Parallel()
	p := sitDown(t, 100, 30, "alpinevm", runArgs(t)...)
	p.expect(prompt)
	before := ""
	if os.Geteuid() == 0 {
		before = "alpinevm: " + asRoot + "\r\n"
	}
	if s := p.screen(); !strings.HasPrefix(s, before+prompt) {
		t.Errorf("before the prompt there is %q", s)
	}
	guest, other := hostMemory(t, p.cmd.Process.Pid, testMemory)
	// The first run keeps the kernel that has booted, and then has the memory for that no more.
	for late := time.Now().Add(patience); other > maxOwnMemory && time.Now().Before(late); {
		time.Sleep(100 * time.Millisecond)
		guest, other = hostMemory(t, p.cmd.Process.Pid, testMemory)
	}
	if other > maxOwnMemory {
		t.Errorf("at the prompt we hold %d MB beside the %d MB that the guest has touched", other>>20, guest>>20)
	} else {
		t.Logf("%d MB beside the guest's %d MB", other>>20, guest>>20)
	}
	p.send("stty size\r")
	p.expect(`\n30 100\r\n`)
	p.resize(132, 43)
	p.send("until stty size | grep '43 132'; do sleep 0.1; done\r")
	p.expect(`\n43 132\r\n`)
	p.expect(prompt)

	const job = `sh -c "echo sta''rted; exec sleep 100"` // tells when it is in the foreground
	p.send(job + "\r")
	p.expect(`\nstarted\r\n`)
	p.send("\x03")
	p.expect(prompt)
	p.send("echo rc=$?\r")
	p.expect(`\nrc=130\r\n`)

	p.send(job + "\r")
	p.expect(`\nstarted\r\n`)
	p.send("\x1a")
	p.expect(`\[1\]\+ +Stopped +sh -c`)
	p.send("bg; jobs; kill %1; wait; echo wai''ted\r")
	p.expect(`\[1\]\+ +Running +sh -c`)
	p.expect(`\nwaited\r\n`)

	p.send("\x01h")
	p.expect(`Ctrl-A x +switch the machine off`)
	p.send("\x01\x01\x05echo -\r")
	p.expect(`\n-\r\n`)
	p.send("echo $TERM; stty -a | grep -c ' iutf8'; dmesg -n 8; exit 7\r")
	p.expect(`\nvt100\r\n1\r\n`)
	p.leave(7)
	for _, bad := range []string{"can't access tty", "[  ", "\n\r\n\r\n"} {
		if strings.Contains(p.screen(), bad) {
			t.Errorf("%q is on the screen:\n%q", bad, p.screen())
		}
	}
}

// maxOwnMemory is how much of the host's memory we may hold at the guest's prompt
// beside what the guest has touched, in bytes.
const maxOwnMemory = 64 << 20

// hostMemory is how many bytes of the host's memory a process holds: those of its
// guest's RAM, which is the one mapping of at least that size that is not much
// larger (proc(5), smaps), and the others. Pages of files do not count: they are
// the program's, which all machines share, as many as the host has at hand.
func hostMemory(t *testing.T, pid int, ram uint64) (guest, other uint64) {
	t.Helper()
	maps, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps"))
	if err != nil {
		t.Fatal(err)
	}
	var size uint64
	file := false
	for l := range strings.Lines(string(maps)) {
		if name := strings.Fields(l); strings.Contains(name[0], "-") {
			file = len(name) == 6 && strings.HasPrefix(name[5], "/") && !strings.HasPrefix(name[5], "/memfd:")
			continue
		}
		var name string
		var kb uint64
		if _, err := fmt.Sscanf(l, "%s %d kB", &name, &kb); err != nil || file {
			continue
		}
		switch n := kb << 10; {
		case name == "Size:":
			size = n
		case name == "Rss:" && size >= ram && size < ram+ram/4:
			guest += n
		case name == "Rss:":
			other += n
		}
	}
	if guest == 0 {
		t.Errorf("no mapping of %d MB has anything in memory", ram>>20)
	}
	return guest, other
}

// TestQuit reboots the guest, and switches it off by the escape key.
func TestQuit(t *testing.T) {
	t.Parallel()
	p := sitDown(t, 80, 24, "alpinevm", runArgs(t, "-q")...)
	p.expect(prompt)
	p.send("x=old; trap '' TERM; reboot; sleep 1000\r") // this shell has no prompt any more
	p.expect(`sleep 1000\r\n`)
	p.expect(prompt)
	p.send("echo ${x-an''ew}\r")
	p.expect(`\nanew\r\n`)
	p.send("\x01x")
	p.leave(exitKilled)
}

// TestQuitUnread: the escape key is seen although the guest takes nothing of what
// was typed, however much; so is Ctrl-C, as long as nobody in the guest listens.
func TestQuitUnread(t *testing.T) {
	serial := func(t *testing.T, init string) []string { return serialArgsOf(t, init) }
	// held keeps a guest from coming up, however long it takes until something is typed.
	held := func(args []string) []string { return append(args, "--gdb", "localhost:0", "--gdb-wait") }
	for _, tt := range []struct {
		name string
		args func(t *testing.T) []string
		up   string // what the guest prints first; "": it is still booting
		keys string
		code int
	}{
		{"serial, nobody reads", func(t *testing.T) []string {
			return serial(t, "#!/bin/busybox sh\nexec <&-\necho up\nexec busybox sleep 1000\n")
		}, `up\r\n`, "ab\x01x", 0},
		{"serial, much is typed", func(t *testing.T) []string { return serial(t, "#!/bin/busybox sh\necho up\nexec busybox sleep 1000\n") }, `up\r\n`, strings.Repeat("k", 40_000) + "\x01x", 0},
		{"serial, Ctrl-C at boot", func(t *testing.T) []string { return held(serialArgs(t)) }, "", "\x03", 128 + int(syscall.SIGINT)},
		{"session, much is typed", func(t *testing.T) []string { return runArgs(t, "--", "sh", "-c", "stty raw; echo up; sleep 1000") }, `up\n`, strings.Repeat("k", 100_000) + "\x01x", exitKilled},
		{"session at boot", func(t *testing.T) []string { return runArgs(t) }, "", "ab\x01x", exitKilled},
		{"session, Ctrl-C at boot", func(t *testing.T) []string { return held(runArgs(t)) }, "", "ab\x03", 128 + int(syscall.SIGINT)},
		{"firmware that never reads", func(t *testing.T) []string { return []string{"run", "--firmware", romFile(t, 0xeb, 0xfe)} }, "", "\x03\x03ab\x01x", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := sitDown(t, 80, 24, "alpinevm", tt.args(t)...)
			if tt.up != "" {
				p.expect(tt.up)
			} else {
				p.awaitRaw()
			}
			p.send(tt.keys)
			p.leave(tt.code)
		})
	}
}

// romFile is a ROM image that begins with the code at the reset vector.
func romFile(t *testing.T, code ...byte) string {
	t.Helper()
	rom := make([]byte, 64<<10)
	copy(rom[0xfff0:], code)
	name := filepath.Join(t.TempDir(), "rom")
	if err := os.WriteFile(name, rom, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestBackground runs a job in the background of a terminal: it is not stopped, and
// what is typed is not its.
func TestBackground(t *testing.T) {
	t.Parallel()
	words := append([]string{"alpinevm"}, runArgs(t, "--", "sh", "-c", "tty; cat; echo from the gu''est")...)
	for i, w := range words {
		words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	p := sitDown(t, 80, 24, "sh", "-c", "set -m; "+strings.Join(words, " ")+" & wait; echo rc=$?")
	p.expect(`not a tty\r?\n`)
	p.expect(`from the guest\r?\n`)
	p.expect(`rc=0\r?\n`)
	p.leave(0)
}

// TestRubOut: a letter of several bytes that is rubbed out is gone, all of it.
func TestRubOut(t *testing.T) {
	const script = "echo u''p; cat | od -An -tx1"
	for _, tt := range []struct {
		name string
		args []string
		ask  string // the prompt at which the script is typed; "": it is the command
	}{
		{"session", []string{"--", "sh", "-c", script}, ""},
		{"session, a static busybox", []string{"--busybox", guesttest.File(t, "busybox"), "--", "sh", "-c", script}, ""},
		{"the image's init", []string{"--boot"}, `:~# `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := sitDown(t, 80, 24, "alpinevm", runArgs(t, tt.args...)...)
			if tt.ask != "" {
				p.expect(tt.ask)
				p.send(script + "; poweroff\r")
			}
			p.expect(`up\r\n`)
			p.send("é\x7f€\x7f😀\x7fa\x7f\r\x04")
			p.expect(`\n *0a\r\n`)
			p.leave(0)
		})
	}
}

// TestHangup ends a session by closing the window: what was written is on the
// host.
func TestHangup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := sitDown(t, 80, 24, "alpinevm", runArgs(t, "-v", dir+":/v")...)
	p.expect(prompt)
	p.send("echo text >/v/file; echo wri''tten\r")
	p.expect("written")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.leave(128 + int(syscall.SIGHUP))
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "text\n" {
		t.Errorf("on the host the file holds %q, %v", b, err)
	}
}

// TestInit logs in at the image's own init, and powers off.
func TestInit(t *testing.T) {
	t.Parallel()
	p := sitDown(t, 80, 24, "alpinevm", runArgs(t, "--boot", "--hostname", "box")...)
	p.expect(`box login: root`)
	p.expect(`box:~# `)
	p.send("tty; cat /proc/1/comm /etc/hostname; id -u\r")
	p.expect(`\n/dev/hvc0\r\ninit\r\nbox\r\n0\r\n`)
	p.send("poweroff\r")
	p.leave(0)
}

// TestPanicRestores: our own crash leaves the terminal as it was.
func TestPanicRestores(t *testing.T) {
	t.Parallel()
	p := sitDown(t, 80, 24, "crash-in-raw-mode")
	p.expect("panic: on purpose")
	p.leave(2)
}
