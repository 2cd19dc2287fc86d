// Command record makes the moving picture in README.md: it types a session into a real
// terminal (tmux) in which alpinevm is run, and draws what stands there.
//
//	go run ./scripts/record -kernel vmlinuz -modules lib/modules -root alpine-minirootfs.tar.gz
//
// The session is below. What it shows is what happened; only the pauses are shorter.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Size of the terminal.
const columns, rows = 96, 24

// patience is how long a command of the session may take.
const patience = 5 * time.Minute

// Prompts of the host's shell and of the guest's.
const hostPrompt, guestPrompt = "$ ", "/ # "

// session is what is typed, and the prompt that comes then.
var session = []struct{ typed, prompt string }{
	{"alpinevm run $K $R                      # a kernel, and Alpine's root", guestPrompt},
	{"uname -a", guestPrompt},
	{"head -n 1 /etc/os-release; free -m | head -n 2", guestPrompt},
	{"poweroff", hostPrompt},
	{"alpinevm run -d $K --name box alpine:3.20 sleep 1000", hostPrompt},
	{"echo 'echo from the host' | alpinevm exec -i box tee /root/hello", hostPrompt},
	{"alpinevm clone box twin                 # goes on from where box is", hostPrompt},
	{"alpinevm exec twin sh /root/hello", hostPrompt},
	{"alpinevm ps", hostPrompt},
	{"alpinevm rm -f box twin", hostPrompt},
}

func main() {
	kernel := flag.String("kernel", "", "the kernel `FILE`")
	modules := flag.String("modules", "", "the folder `DIR` of its modules")
	root := flag.String("root", "", "the `FILE` of Alpine's root file system")
	program := flag.String("program", "", "the alpinevm to show: a `FILE`; it is built where none is given")
	out := flag.String("o", "scripts/record/session.svg", "`FILE` of the picture")
	flag.Parse()
	if err := run(*program, *kernel, *modules, *root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(built, kernel, modules, root, out string) error {
	dir, err := os.MkdirTemp("", "record-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	env := append(os.Environ(), "PATH="+dir+string(filepath.ListSeparator)+os.Getenv("PATH"),
		"XDG_STATE_HOME="+filepath.Join(dir, "state"), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"))
	for _, v := range []struct{ name, flags, file string }{{"K", "--kernel", kernel}, {"K", "--modules", modules}, {"R", "--rootfs", root}} {
		file, err := filepath.Abs(v.file)
		if err == nil {
			_, err = os.Stat(file)
		}
		if err != nil {
			return err
		}
		if last := env[len(env)-1]; strings.HasPrefix(last, v.name+"=") {
			env[len(env)-1] = last + " " + v.flags + " " + file
		} else {
			env = append(env, v.name+"="+v.flags+" "+file)
		}
	}
	do := func(env []string, name string, args ...string) error {
		cmd := exec.Command(name, args...)
		cmd.Env, cmd.Stderr = env, os.Stderr
		return cmd.Run()
	}
	program := filepath.Join(dir, "alpinevm")
	if built != "" {
		if built, err = filepath.Abs(built); err == nil {
			err = os.Symlink(built, program)
		}
	} else {
		err = do(nil, "go", "build", "-o", program, "./cmd/alpinevm") // with the go command's own cache
	}
	if err != nil {
		return err
	}
	if err := do(env, program, "import", root, "alpine:3.20"); err != nil {
		return err
	}
	t := terminal{filepath.Join(dir, "tmux"), filepath.Join(dir, "shell"), env}
	if err := os.WriteFile(t.shell, []byte("PS1='"+hostPrompt+"' HISTFILE=\n"), 0o600); err != nil {
		return err
	}
	frames, err := t.record()
	if err != nil {
		return err
	}
	return os.WriteFile(out, draw(frames), 0o644)
}

// terminal is a tmux of its own.
type terminal struct {
	socket string
	shell  string // what its shell reads first
	env    []string
}

func (t *terminal) tmux(args ...string) (string, error) {
	cmd := exec.Command("tmux", append([]string{"-S", t.socket, "-f", os.DevNull}, args...)...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = t.env, &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("tmux %s: %w: %s", args[0], err, &errs)
	}
	return out.String(), nil
}

// record plays the session, and gives what has stood in the terminal.
func (t *terminal) record() (frames []frame, err error) {
	if _, err := t.tmux("new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(rows), "bash", "--noprofile", "--rcfile", t.shell); err != nil {
		return nil, err
	}
	defer t.tmux("kill-server")
	screen, err := t.prompted(hostPrompt)
	if err != nil {
		return nil, err
	}
	frames = append(frames, frame{screen, 1})
	for _, s := range session {
		if _, err := t.tmux("send-keys", "-l", s.typed); err != nil {
			return nil, err
		}
		time.Sleep(200 * time.Millisecond) // the terminal shows it
		typed, err := t.screen()
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame{typed, 1})
		if _, err := t.tmux("send-keys", "Enter"); err != nil {
			return nil, err
		}
		if screen, err = t.prompted(s.prompt); err != nil {
			return nil, fmt.Errorf("%s: %w", s.typed, err)
		}
		frames = append(frames, frame{screen, 2})
	}
	return frames, nil
}

// screen is what stands in the terminal.
func (t *terminal) screen() ([]string, error) {
	text, err := t.tmux("capture-pane", "-p")
	return strings.Split(strings.TrimRight(text, "\n"), "\n"), err
}

// prompted waits until the last line is a prompt, and nothing behind it: one of the
// guest's may stand before the host's.
func (t *terminal) prompted(prompt string) ([]string, error) {
	for late := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		lines, err := t.screen()
		if err != nil {
			return nil, err
		}
		if last := lines[len(lines)-1]; strings.HasSuffix(last, strings.TrimRight(prompt, " ")) && len(last) <= len(guestPrompt+hostPrompt) {
			return lines, nil
		} else if time.Now().After(late) {
			return nil, fmt.Errorf("no prompt; the last line is %q", last)
		}
	}
}
