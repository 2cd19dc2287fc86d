//go:build linux

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"alpinevm/internal/guesttest"
)

// testMemory is the guests' RAM in bytes.
const testMemory = 256 << 20

// runArgs are the arguments that run a guest, followed by more.
func runArgs(t *testing.T, more ...string) []string {
	t.Helper()
	return append([]string{
		"run", "--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--modules", guesttest.File(t, "686-pae/modules"),
		"--rootfs", guesttest.RootFile(t), "-m", strconv.Itoa(testMemory>>20) + "M",
	}, more...)
}

// typist is somebody at a terminal in which a program runs.
type typist struct {
	t        *testing.T
	cmd      *exec.Cmd
	keyboard *os.File // the terminal's other side
	tty      *os.File
	before   unix.Termios
	exited   chan struct{}

	mu   sync.Mutex
	out  []byte
	seen int // how much of out expect has gone past
	more chan struct{}
}

// sitDown starts a program in a terminal of the given size.
func sitDown(t *testing.T, cols, rows uint16, name string, args ...string) *typist {
	t.Helper()
	keyboard, tty, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo-terminal: ", err)
	}
	p := &typist{t: t, keyboard: keyboard, tty: tty, exited: make(chan struct{}), more: make(chan struct{}, 1)}
	p.resize(cols, rows)
	p.before = p.termios()
	p.cmd = exec.Command(name, args...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	p.cmd.Env = append(os.Environ(), "TERM=vt100")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.watch()
	go func() {
		p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.exited
		tty.Close()
		keyboard.Close()
	})
	return p
}

// watch reads the screen.
func (p *typist) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := p.keyboard.Read(buf)
		p.mu.Lock()
		p.out = append(p.out, buf[:n]...)
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (p *typist) termios() unix.Termios {
	p.t.Helper()
	a, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return *a
}

func (p *typist) resize(cols, rows uint16) {
	p.t.Helper()
	if err := pty.Setsize(p.keyboard, &pty.Winsize{Cols: cols, Rows: rows}); err != nil {
		p.t.Fatal(err)
	}
}

// awaitRaw waits until the terminal is in raw mode.
func (p *typist) awaitRaw() {
	p.t.Helper()
	for late := time.Now().Add(patience); p.termios().Lflag&unix.ICANON != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			p.t.Fatal("the terminal does not become raw")
		}
	}
}

// send types.
func (p *typist) send(keys string) {
	p.t.Helper()
	if _, err := p.keyboard.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// screen is all that was printed.
func (p *typist) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.out)
}

// find looks for a pattern behind what the last expect has found.
func (p *typist) find(re *regexp.Regexp) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := re.FindIndex(p.out[p.seen:])
	if at == nil {
		return "", false
	}
	found := string(p.out[p.seen+at[0] : p.seen+at[1]])
	p.seen += at[1]
	return found, true
}

// expect waits until a pattern is on the screen, behind what the last one has
// found.
func (p *typist) expect(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	late, exited := time.After(patience), p.exited
	for {
		if s, ok := p.find(re); ok {
			return s
		}
		select {
		case <-p.more:
		case <-exited: // what it printed last may still be on its way
			exited, late = nil, time.After(time.Minute)
		case <-late:
			p.t.Fatalf("no %q; screen:\n%q", pattern, p.screen())
		}
	}
}

// leave waits for the end of the program: its exit code, and the terminal as it
// was.
func (p *typist) leave(code int) {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("the program does not end; screen:\n%q", p.screen())
	}
	if c := p.cmd.ProcessState.ExitCode(); c != code {
		p.t.Errorf("exit code %d, want %d; screen:\n%q", c, code, p.screen())
	}
	if now := p.termios(); now != p.before {
		p.t.Errorf("the terminal is left as %+v, was %+v", now, p.before)
	}
}
