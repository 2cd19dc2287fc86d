package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
)

// resolvConf is the file that names the host's name servers.
const resolvConf = "/etc/resolv.conf"

// lookoutWord is the command that runs a lookout's process.
const lookoutWord = "lookout"

// Answers of a lookout's process: the length of what the file holds, in four
// bytes, and that; or that it cannot be read.
const (
	lookoutMost  = 64 << 10
	lookoutBlind = 1<<32 - 1
)

// lookout reads one file for a process that is confined. What is put into the
// file's place, as NetworkManager does, is another file, to which nobody who is
// confined by Landlock has got the right, but who has it in the whole folder: as
// root /etc is not to be given away for that. The lookout's process is not
// confined; all that it can be asked for is what that file holds now.
type lookout struct {
	mu   sync.Mutex
	ask  io.Writer
	hear io.Reader
}

// newLookout starts the process, which ends with ours.
func newLookout(file string) (*lookout, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, lookoutWord, file)
	cmd.Args[0] = "alpinevm"
	ask, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	hear, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &lookout{ask: ask, hear: hear}, cmd.Start()
}

// open gives what the file holds now.
func (l *lookout) open() (io.ReadCloser, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.ask.Write([]byte{0}); err != nil {
		return nil, err
	}
	var n uint32
	if err := binary.Read(l.hear, binary.BigEndian, &n); err != nil {
		return nil, err
	}
	if n > lookoutMost {
		return nil, fs.ErrNotExist
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(l.hear, data); err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// lookOut gives how the host's files about names are opened: by a lookout where
// the confined process could not. Without one, what the file says at first holds.
func (f *runFlags) lookOut() func(name string) (io.ReadCloser, error) {
	open := func(name string) (io.ReadCloser, error) { return os.Open(name) }
	if runtime.GOOS != "linux" || f.noConfine || os.Geteuid() != 0 || f.network.kind == networkNone {
		return open
	}
	if target, err := filepath.EvalSymlinks(resolvConf); err != nil || filepath.Dir(target) != filepath.Dir(resolvConf) {
		return open // it has a folder of its own
	}
	l, err := newLookout(resolvConf)
	if err != nil {
		return open
	}
	return func(name string) (io.ReadCloser, error) {
		if name == resolvConf {
			return l.open()
		}
		return open(name)
	}
}

// newLookoutProcess is the command of the process.
func newLookoutProcess() *cobra.Command {
	return &cobra.Command{
		Use:     lookoutWord + " FILE",
		Short:   "Tell a confined process what a file holds",
		Example: "  alpinevm " + lookoutWord + " " + resolvConf,
		Hidden:  true,
		Args:    want(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			signal.Ignore(os.Interrupt, syscall.SIGTERM) // it ends when nobody asks any more
			return tellOf(args[0], os.Stdin, os.Stdout)
		},
	}
}

// tellOf answers until in ends.
func tellOf(file string, in io.Reader, out io.Writer) error {
	var question [1]byte
	for {
		if _, err := io.ReadFull(in, question[:]); err != nil {
			return nil
		}
		answer := binary.BigEndian.AppendUint32(nil, lookoutBlind)
		if data, err := readMost(file, lookoutMost); err == nil {
			answer = append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
		}
		if _, err := out.Write(answer); err != nil {
			return err
		}
	}
}

// readMost reads a file, of which more than most bytes are left out.
func readMost(file string, most int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}
