package alpinevm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"alpinevm/fs9p/ctl"
)

// Cmd is a program that is run in a guest beside its session's, in the shape of
// exec.Cmd: its fields are set before Start, and it is used once.
//
// Other than with exec.Cmd, Env is added to the session's environment; a program
// that is not there ends with 127, and one that cannot be executed with 126, and
// both say so on Stderr; Wait waits neither for Stdin nor for what the program has
// left running.
type Cmd struct {
	Args []string // the program, found in the PATH of the guest, and its arguments
	Env  []string // "NAME=value"
	Dir  string   // the working folder, an absolute name; "": the session's
	User string   // as Session.User has it; "": the session's

	// The program's standard files; nil ones are empty and dropped. Where Stdout
	// and Stderr are the same and can be compared by ==, what is written to them
	// stays in order, and one goroutine at a time calls Write.
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// TTY gives the program a terminal in place of pipes, as Process has it.
	TTY        bool
	Cols, Rows uint16
	Term       string

	// Cancel is called when the context is done; CommandContext has it kill the
	// program. WaitDelay bounds how long Wait waits behind that, and behind the
	// program's end for its output; 0: any time.
	Cancel    func() error
	WaitDelay time.Duration

	Process      *CmdProcess   // once started
	ProcessState *ProcessState // once waited for

	vm      *VM
	ctx     context.Context // nil: of Command
	job     *Job
	waited  bool
	started bool
	ours    []io.Closer      // ends of pipes that Wait closes
	pipes   []*io.PipeWriter // that end with the output
	outputs []*checked
	stderr  *excerpt // of Output
}

// Errors of a Cmd, beside those of Exec.
var (
	// ErrProcessDone is the error of a signal to a program that has ended.
	ErrProcessDone = errors.New("the command has ended already")
	// ErrWaitDelay is Wait's error where the output of a program that ended well
	// has not arrived within WaitDelay.
	ErrWaitDelay = errors.New("the command's output has not been taken within WaitDelay")
	// ErrPipeTaken is behind the error of a pipe or an output that is there already.
	ErrPipeTaken = errors.New("is set already")
	// ErrOrder is behind the error of what is done too early or again.
	ErrOrder = errors.New("a Cmd is started once, and then waited for once")
)

// Command gives a Cmd that runs a program with arguments.
func (vm *VM) Command(name string, args ...string) *Cmd {
	return &Cmd{vm: vm, Args: append([]string{name}, args...)}
}

// CommandContext is Command; when ctx is done before the program has ended, Cancel
// is called.
func (vm *VM) CommandContext(ctx context.Context, name string, args ...string) *Cmd {
	c := vm.Command(name, args...)
	c.ctx = ctx
	c.Cancel = func() error { return c.Process.Kill() }
	return c
}

// String shows the command.
func (c *Cmd) String() string { return strings.Join(c.Args, " ") }

// Run starts the program and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Start starts the program.
func (c *Cmd) Start() error {
	switch {
	case c.started:
		return fmt.Errorf("start %s: %w", c, ErrOrder)
	case c.Cancel != nil && c.ctx == nil:
		return fmt.Errorf("start %s: Cancel is set, and the command is not one of CommandContext", c)
	}
	c.started = true
	ctx := c.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	p := Process{
		Args: c.Args, Env: c.Env, Dir: c.Dir, User: c.User, TTY: c.TTY, Cols: c.Cols, Rows: c.Rows, Term: c.Term, Stdin: c.Stdin,
	}
	if c.Stdout != nil {
		p.Stdout = c.check(c.Stdout)
	}
	if p.Stderr = p.Stdout; c.Stderr == nil {
		p.Stderr = nil
	} else if !same(c.Stdout, c.Stderr) {
		p.Stderr = c.check(c.Stderr)
	}
	var err error
	if err = context.Cause(ctx); err == nil {
		c.job, err = c.vm.Exec(ctx, p)
	}
	if err != nil {
		c.closePipes()
		return err
	}
	c.Process = &CmdProcess{c.job}
	for i, to := range []io.Writer{c.Stdout, c.Stderr} {
		if w, ok := to.(*io.PipeWriter); ok && slices.Contains(c.pipes, w) {
			go c.endPipe(c.job.drains[i], w)
		}
	}
	return nil
}

// endPipe closes a pipe behind the program's output.
func (c *Cmd) endPipe(d *ctl.Drain, w *io.PipeWriter) {
	<-c.job.ended
	d.Flush()
	w.Close()
}

// check remembers an error of w, if that is not one of our pipes, which Wait
// closes.
func (c *Cmd) check(w io.Writer) io.Writer {
	if p, ok := w.(*io.PipeWriter); ok && slices.Contains(c.pipes, p) {
		return w
	}
	o := &checked{w: w}
	c.outputs = append(c.outputs, o)
	return o
}

// Wait waits for the program's end, and until its output has been taken. The error
// is the machine's where that has ended; else an *ExitError, unless the program has
// ended with 0; else the context's, if Cancel was called, or that of a write.
func (c *Cmd) Wait() error {
	if c.job == nil || c.waited {
		return fmt.Errorf("wait for %s: %w", c, ErrOrder)
	}
	c.waited = true
	defer c.closePipes()
	cancelled, err := c.await()
	switch {
	case c.ProcessState == nil:
		return err
	case !c.ProcessState.Success():
		e := &ExitError{ProcessState: c.ProcessState}
		if c.stderr != nil {
			e.Stderr = c.stderr.bytes()
		}
		return e
	case cancelled != nil:
		return cancelled
	case err != nil:
		return err
	}
	for _, o := range c.outputs {
		if err := o.failed(); err != nil {
			return err
		}
	}
	return nil
}

// await waits as Wait does. cancelled is the context's error or Cancel's, once that
// was called.
func (c *Cmd) await() (cancelled, err error) {
	var done <-chan struct{}
	if c.ctx != nil {
		done = c.ctx.Done()
	}
	var late <-chan time.Time
	delay := func() {
		if c.WaitDelay > 0 && late == nil {
			late = time.After(c.WaitDelay)
		}
	}
	ended := c.job.ended
	for {
		select {
		case <-c.job.done:
			return cancelled, c.settle()
		case <-ended:
			ended, done = nil, nil
			c.closePipes()
			delay()
		case <-done:
			done, cancelled = nil, c.ctx.Err()
			if c.Cancel != nil {
				if e := c.Cancel(); errors.Is(e, ErrProcessDone) {
					cancelled = nil
				} else if e != nil {
					cancelled = e
				}
			}
			delay()
		case <-late:
			late = nil
			c.Process.Kill()
			select {
			case <-c.job.ended:
			case <-time.After(killWait): // the guest does not answer
				return cancelled, ErrWaitDelay
			}
			if err := c.settle(); err != nil {
				return cancelled, err
			}
			return cancelled, ErrWaitDelay
		}
	}
}

// killWait is how long Wait waits for a guest to say that a program has been killed.
const killWait = 5 * time.Second

// settle makes the ProcessState.
func (c *Cmd) settle() error {
	if c.job.err != nil {
		return c.job.err
	}
	c.ProcessState = &ProcessState{code: c.job.code, signal: c.job.signal}
	return nil
}

func (c *Cmd) closePipes() {
	for _, p := range c.ours {
		p.Close()
	}
	c.ours = nil
}

// Output runs the program and gives its standard output. An *ExitError has the
// beginning and the end of its standard error, if Stderr was nil.
func (c *Cmd) Output() ([]byte, error) {
	if c.Stdout != nil {
		return nil, fmt.Errorf("alpinevm: Stdout %w", ErrPipeTaken)
	}
	var out bytes.Buffer
	c.Stdout = &out
	if c.Stderr == nil {
		c.stderr = &excerpt{}
		c.Stderr = c.stderr
	}
	err := c.Run()
	return out.Bytes(), err
}

// CombinedOutput runs the program and gives its standard output and error.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, fmt.Errorf("alpinevm: Stdout or Stderr %w", ErrPipeTaken)
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// StdinPipe gives what the program reads. Close ends its input; Wait closes it.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil {
		return nil, fmt.Errorf("alpinevm: Stdin %w", ErrPipeTaken)
	}
	if c.started {
		return nil, fmt.Errorf("StdinPipe: %w", ErrOrder)
	}
	r, w := io.Pipe()
	c.Stdin = r
	c.ours = append(c.ours, r)
	return w, nil
}

// StdoutPipe gives what the program writes. Wait closes it: all is to be read
// before.
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) { return c.outputPipe("Stdout", &c.Stdout) }

// StderrPipe is StdoutPipe for the standard error.
func (c *Cmd) StderrPipe() (io.ReadCloser, error) { return c.outputPipe("Stderr", &c.Stderr) }

func (c *Cmd) outputPipe(name string, to *io.Writer) (io.ReadCloser, error) {
	if *to != nil {
		return nil, fmt.Errorf("%s %w", name, ErrPipeTaken)
	}
	if c.started {
		return nil, fmt.Errorf("%sPipe: %w", name, ErrOrder)
	}
	r, w := io.Pipe()
	*to = w
	c.ours, c.pipes = append(c.ours, r), append(c.pipes, w)
	return r, nil
}

// Environ is the environment that the program gets by the session and Env.
func (c *Cmd) Environ() []string {
	if s := c.vm.m.cfg.Session; s != nil {
		return slices.Concat(s.Env, c.Env)
	}
	return c.Env
}
