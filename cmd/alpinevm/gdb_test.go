package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseGDB(t *testing.T) {
	for text, want := range map[string]string{
		":1234": "tcp 127.0.0.1:1234", "1234": "tcp 127.0.0.1:1234", "tcp::1234": "tcp 127.0.0.1:1234", "tcp:1234": "tcp 127.0.0.1:1234", "localhost:1": "tcp localhost:1", "0.0.0.0:1234": "tcp 0.0.0.0:1234",
		"[::1]:1234": "tcp [::1]:1234", "[::]:1234": "tcp [::]:1234", ":0": "tcp 127.0.0.1:0", "unix:/a:b": "unix /a:b", "unix:x": "unix x",
		"": "", "x": "", ":": "", ":x": "", ":65536": "", ":-1": "", "localhost": "", "::1:1234": "", "unix:": "", ":00": "",
	} {
		network, address, err := parseGDB(text)
		got := network + " " + address
		if err != nil {
			got = ""
		}
		if got != want || err != nil && !strings.Contains(err.Error(), "--gdb") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

// TestGDBSocket: one of a file is the user's alone, and takes the place of one that is
// left over, but of nothing else.
func TestGDBSocket(t *testing.T) {
	name := filepath.Join(t.TempDir(), "gdb")
	left, err := net.Listen("unix", name)
	if err != nil {
		t.Skipf("not here: %v", err)
	}
	if _, err := listenGDB("unix", name); err == nil {
		t.Error("a socket that somebody listens on is taken")
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	left.Close()
	l, err := listenGDB("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 && os.PathSeparator == '/' {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	l.Close()
	if err := os.WriteFile(name, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenGDB("unix", name); err == nil {
		t.Error("a file is taken")
	}
}

// TestGDBConfined: a debugger connects to a process that is confined, by TCP and by a
// socket, and has the guest end.
func TestGDBConfined(t *testing.T) {
	rom := filepath.Join(t.TempDir(), "loop.rom")
	image := make([]byte, 64<<10)
	copy(image[0xfff0:], "\xeb\xfe") // jmp $
	if err := os.WriteFile(rom, image, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{":0", "unix:" + filepath.Join(t.TempDir(), "s")} {
		t.Run(strings.SplitN(address, ":", 2)[0], func(t *testing.T) {
			cmd := exec.Command("alpinevm", "run", "--network", "none", "--firmware", rom, "--gdb", address, "--gdb-wait")
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer cmd.Process.Kill()
			lines := bufio.NewScanner(stderr)
			where := ""
			for where == "" && lines.Scan() {
				_, where, _ = strings.Cut(lines.Text(), "gdb: target remote ")
			}
			network := "tcp"
			if !strings.Contains(address, ":0") {
				network = "unix"
			}
			conn, err := net.Dial(network, where)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			for _, s := range []struct{ packet, want string }{{"$?#3f", "T05thread:01;"}, {"$p8#a8", "f0ff0000"}} {
				fmt.Fprint(conn, s.packet)
				if got, err := r.ReadString('#'); !strings.Contains(got, "$"+s.want+"#") {
					t.Errorf("%s: %q, %v", s.packet, got, err)
				}
			}
			fmt.Fprint(conn, "$k#6b")
			for lines.Scan() {
				if !strings.Contains(lines.Text(), "the debugger has switched the machine off") {
					t.Errorf("it says %q", lines.Text())
				}
			}
			io.Copy(io.Discard, conn)
			if cmd.Wait(); cmd.ProcessState.ExitCode() != exitKilled {
				t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
			}
		})
	}
}
