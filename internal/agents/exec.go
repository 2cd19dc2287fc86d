package agents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"alpinevm"
)

// execInput is a command.
type execInput struct {
	Machine string            `json:"machine" jsonschema:"the machine's name"`
	Args    []string          `json:"args,omitempty" jsonschema:"the program, found in the guest's PATH, and its arguments; no shell takes part"`
	Script  string            `json:"script,omitempty" jsonschema:"in place of args, a script for the guest's sh"`
	Stdin   string            `json:"stdin,omitempty" jsonschema:"what it reads; without it, nothing"`
	Env     map[string]string `json:"env,omitempty" jsonschema:"environment variables, added to the image's"`
	Cwd     string            `json:"cwd,omitempty" jsonschema:"its working folder, an absolute name; without it, the image's"`
	User    string            `json:"user,omitempty" jsonschema:"its user and group, USER[:GROUP]; without it, the image's"`
	Timeout float64           `json:"timeout_seconds,omitempty" jsonschema:"when to end it; without it, the server's limit"`
}

// execOutput is how it has ended.
type execOutput struct {
	ExitCode  int     `json:"exit_code" jsonschema:"its exit code; -1 if a signal has ended it; 126 and 127 if it cannot be executed or is not there"`
	Signal    int     `json:"signal,omitempty" jsonschema:"the signal that has ended it"`
	Stdout    string  `json:"stdout"`
	Stderr    string  `json:"stderr"`
	Truncated bool    `json:"truncated" jsonschema:"whether the middle of an output that was too long was left out"`
	TimedOut  bool    `json:"timed_out,omitempty" jsonschema:"whether it was ended for its time"`
	Seconds   float64 `json:"seconds" jsonschema:"how long it has run"`
}

// args gives the command line.
func (in *execInput) command() ([]string, error) {
	switch {
	case len(in.Args) > 0 && in.Script != "":
		return nil, refusef("args and script are both given: want one of them")
	case in.Script != "":
		return []string{"sh", "-c", in.Script}, nil
	case len(in.Args) == 0 || in.Args[0] == "":
		return nil, refusef("no command: give args, such as [\"ls\", \"-l\"], or script")
	}
	return in.Args, nil
}

// environ gives the environment, in order.
func (in *execInput) environ() ([]string, error) {
	var list []string
	for name, value := range in.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return nil, refusef("env: %q is no name of a variable", name)
		}
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list, nil
}

// killDelay is how long the output of a command that was ended is waited for.
const killDelay = 2 * time.Second

func (s *Server) exec(ctx context.Context, in execInput) (execOutput, error) {
	m, err := s.machine(in.Machine)
	if err != nil {
		return execOutput{}, err
	}
	args, err := in.command()
	if err != nil {
		return execOutput{}, err
	}
	env, err := in.environ()
	if err != nil {
		return execOutput{}, err
	}
	ctx, cancel, err := s.request(ctx, in.Timeout)
	if err != nil {
		return execOutput{}, err
	}
	defer cancel()
	c := m.vm.CommandContext(ctx, args[0], args[1:]...)
	c.Cancel = func() error { return c.Process.KillAll() }
	c.WaitDelay = killDelay
	c.Env, c.Dir, c.User = env, in.Cwd, in.User
	if in.Stdin != "" {
		c.Stdin = strings.NewReader(in.Stdin)
	}
	stdout, stderr := &excerpt{limit: s.Output}, &excerpt{limit: s.Output}
	c.Stdout, c.Stderr = stdout, stderr
	began := time.Now()
	err = c.Run()
	out := execOutput{
		Stdout: stdout.String(), Stderr: stderr.String(), Truncated: stdout.truncated() || stderr.truncated(), Seconds: seconds(time.Since(began)),
	}
	if state := c.ProcessState; state != nil {
		out.ExitCode, out.Signal = state.ExitCode(), state.Signal()
	}
	return out, s.result(ctx, m, &out, err)
}

// result is what a command's error is for who has asked for it: an exit code is
// none.
func (s *Server) result(ctx context.Context, m *machine, out *execOutput, err error) error {
	var exit *alpinevm.ExitError
	switch {
	case errors.Is(context.Cause(ctx), errTime):
		out.TimedOut, out.ExitCode = true, -1
		return refusef("the command was ended after %g seconds, its time", out.Seconds)
	case errors.As(err, &exit), err == nil:
		return nil
	case errors.Is(err, alpinevm.ErrEnded):
		select {
		case <-m.vm.Done():
			end, err := m.vm.Wait()
			return refusef("the machine has ended while the command ran: %s", ending(end, err, nil))
		case <-ctx.Done():
		}
	}
	return err
}

// excerpt keeps the beginning and the end of what is written to it, limit bytes
// together.
type excerpt struct {
	limit      int
	head, tail []byte
	omitted    int64 // bytes between them
}

var _ io.Writer = (*excerpt)(nil)

func (e *excerpt) Write(p []byte) (int, error) {
	n := len(p)
	k := min(n, (e.limit+1)/2-len(e.head))
	e.head, p = append(e.head, p[:k]...), p[k:]
	room := e.limit / 2
	if over := len(p) - room; over > 0 {
		e.omitted += int64(over + len(e.tail))
		e.tail, p = e.tail[:0], p[over:]
	}
	e.tail = append(e.tail, p...)
	if over := len(e.tail) - room; over > 0 {
		e.omitted += int64(over)
		e.tail = append(e.tail[:0], e.tail[over:]...)
	}
	return n, nil
}

func (e *excerpt) truncated() bool { return e.omitted > 0 }

// String is the text, in which what is no UTF-8 is replaced.
func (e *excerpt) String() string {
	if !e.truncated() {
		return text(slices.Concat(e.head, e.tail))
	}
	return fmt.Sprintf("%s\n[... %d bytes are left out ...]\n%s", text(e.head), e.omitted, text(e.tail))
}

func text(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") }
