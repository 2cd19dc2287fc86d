package alpinevm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"alpinevm/fs9p"
	"alpinevm/fs9p/ctl"
	"alpinevm/internal/linux"
	"alpinevm/kernel"
)

// Process is a program to run in a guest beside its session's.
type Process struct {
	// Args is the program with its arguments; empty is a shell. Env has
	// "NAME=value", added to the session's. Dir is its working folder, User its
	// user and group as Session.User has them; empty ones are the session's.
	Args []string
	Env  []string
	Dir  string
	User string

	// TTY gives it a terminal of its own, of Cols by Rows characters (0: 80 by
	// 24) and the type Term ("linux"). Its output then goes to Stdout.
	TTY        bool
	Cols, Rows uint16
	Term       string

	// The program's standard files; nil ones are empty and dropped. Where Stdout
	// and Stderr are the same and can be compared by ==, what is written to them
	// stays in order. Stdin may still be being read when the program has ended.
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	file *kernel.FileCall // what is done in place of running a program
}

// Errors of Exec and of a Job.
var (
	// ErrEnded: the machine has ended, or the guest has started again.
	ErrEnded = errors.New("the machine has ended")
	// ErrNoSession: the machine has no root file system of ours.
	ErrNoSession = errors.New("no commands can be run in this machine: it has no root file system of ours")
	// ErrLost: the guest has ended what looks after the program.
	ErrLost = errors.New("the guest has ended what looks after the command; it may have no memory left")
)

// Exec starts a program in the guest, as soon as that is up and takes it, and
// returns then; ctx can end the wait. It may be called from any goroutine but the
// machine's, which has to run meanwhile. An error about p is a *ConfigError, and
// one that wraps kernel.ErrJob the guest's.
func (m *Machine) Exec(ctx context.Context, p Process) (*Job, error) {
	if m.session == nil {
		return nil, ErrNoSession
	}
	if m.gate != nil {
		select {
		case <-m.gate.opened: // else it could draw what another copy draws
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return m.begin(ctx, func(l *jobs) (*Job, error) { return l.exec(&p) })
}

// begin has start begin a job on the machine goroutine, and waits until the guest
// has taken it.
func (m *Machine) begin(ctx context.Context, start func(*jobs) (*Job, error)) (*Job, error) {
	if err := context.Cause(ctx); err != nil { // else a guest that is quick could do it all the same
		return nil, err
	}
	type started struct {
		j   *Job
		err error
	}
	c := make(chan started, 1)
	m.Kick(func() {
		j, err := start(&m.session.jobs)
		c <- started{j, err}
	})
	var j *Job
	select {
	case s := <-c:
		if s.err != nil {
			return nil, s.err
		}
		j = s.j
	case <-ctx.Done():
		m.Kick(func() { // which has come to the other one before
			if s := <-c; s.err == nil {
				s.j.withdraw(ctx.Err())
			}
		})
		return nil, context.Cause(ctx)
	}
	return j.taken(ctx)
}

// taken waits until the guest has taken the job.
func (j *Job) taken(ctx context.Context) (*Job, error) {
	select {
	case <-j.begun:
	case <-j.done:
	case <-ctx.Done():
		j.m.Kick(func() { j.withdraw(context.Cause(ctx)) })
		select {
		case <-j.begun:
		case <-j.done:
		}
	}
	select {
	case <-j.begun: // it may have ended since
		return j, nil
	default:
		return nil, j.err
	}
}

// A Job is a program that runs in a guest beside its session's. Its methods may
// be called from any goroutine.
type Job struct {
	m      *Machine
	queue  *ctl.Queue // of what its program is told
	folder string     // in the control file system
	state  jobState
	parse  func(record []byte) (int, error) // what the guest says at its end
	drains []*ctl.Drain
	over   bool          // the guest has told its end, or is not going to
	begun  chan struct{} // closed when the guest has taken it
	done   chan struct{}
	ended  chan struct{} // closed when over: the output may still be on its way
	code   int
	signal int // that has ended the program, 0 if none has
	err    error
}

// Wait waits for the program's end and its output's, and gives its exit code: 128
// and its number after a signal; 125 to 127 where it could not be executed.
func (j *Job) Wait() (code int, err error) {
	<-j.done
	return j.code, j.err
}

// Done is closed when Wait would return.
func (j *Job) Done() <-chan struct{} { return j.done }

// Signal sends the program a signal by its number in Linux. One that has ended
// gets none.
func (j *Job) Signal(n int) { j.tell(func() (int, int) { return n, 0 }) }

// SignalGroup sends a signal to the program and to what it has started, but for what
// has left its process group.
func (j *Job) SignalGroup(n int) { j.tell(func() (int, int) { return n, n }) }

// Resize tells the program the terminal's size in characters.
func (j *Job) Resize(cols, rows uint16) {
	j.tell(func() (int, int) {
		j.state.Cols, j.state.Rows = cols, rows
		return 0, 0
	})
}

// tell puts a record for the program. A guest that takes none loses those behind
// what there is room for.
func (j *Job) tell(signals func() (program, group int)) {
	j.m.Kick(func() {
		if !j.over {
			program, group := signals()
			j.queue.Put(kernel.Control(program, group, j.state.Cols, j.state.Rows))
		}
	})
}

// withdraw takes the job back if the guest has not got it. It runs on the machine
// goroutine.
func (j *Job) withdraw(err error) {
	if !j.over && j.m.session.jobs.queue.Withdraw(kernel.JobName(j.folder)) {
		j.finish(0, err)
	}
}

// finish ends the job when its output has been written. It runs on the machine
// goroutine.
func (j *Job) finish(code int, err error) {
	if j.over {
		return
	}
	j.over, j.code, j.err = true, code, err
	close(j.ended)
	jobs := &j.m.session.jobs
	jobs.list = slices.DeleteFunc(jobs.list, func(k *Job) bool { return k == j })
	jobs.s.control.Remove(j.folder)
	go func() {
		for _, d := range j.drains {
			d.Flush() // its error is the writer's, which knows it
		}
		close(j.done)
	}()
}

// maxJobs bounds how many programs run beside the session's.
const maxJobs = 64

// jobs are the programs beside a session's. They belong to the machine goroutine.
type jobs struct {
	s     *session
	queue *ctl.Queue // of what the guest is to begin
	list  []*Job
}

// jobState is a job as plain data.
type jobState struct {
	Folder               string
	File                 uint64 // the number of its folder in the control file system
	Run                  []byte // the program that looks after it
	Begun                bool
	TTY, Stdin, Separate bool // Separate: standard error is not standard output
	Cols, Rows           uint16
}

// exec queues a job for the guest.
func (l *jobs) exec(p *Process) (*Job, error) {
	if l.s.m.end != nil {
		return nil, ErrEnded
	}
	program, err := kernel.Program{Dir: "/"}, error(nil)
	if p.file == nil {
		program, err = l.program(p)
	}
	if err != nil {
		return nil, err
	}
	k := kernel.Job{
		Program: program, File: p.file, TTY: p.TTY, Cols: cmp.Or(p.Cols, 80), Rows: cmp.Or(p.Rows, 24), Stdin: p.Stdin != nil, Merged: same(p.Stdout, p.Stderr),
	}
	return l.start(&k, p)
}

// program completes a Process by what the session has.
func (l *jobs) program(p *Process) (kernel.Program, error) {
	config := l.s.m.cfg.Session
	lp := linux.Program{
		Args: p.Args, Env: slices.Concat(config.Env, p.Env), Dir: cmp.Or(p.Dir, config.Dir), User: cmp.Or(p.User, config.User),
		Hostname: l.s.m.hostname(), Terminal: p.TTY, Term: p.Term,
	}
	program, err := lp.In(fs9p.IOFS(config.Root))
	var field *linux.FieldError
	if errors.As(err, &field) {
		err = (*ConfigError)(field)
	}
	return program, err
}

// start gives the guest a job.
func (l *jobs) start(k *kernel.Job, p *Process) (*Job, error) {
	s := jobState{TTY: k.TTY, Stdin: k.Stdin, Separate: !k.TTY && !k.Merged, Cols: k.Cols, Rows: k.Rows}
	return l.startWith(s, p, func(folder string) ([]byte, error) {
		k.Folder = folder
		return k.Image(k.Dir)
	})
}

// startWith gives the guest the job whose program image makes.
func (l *jobs) startWith(s jobState, p *Process, image func(folder string) ([]byte, error)) (*Job, error) {
	if len(l.list) >= maxJobs {
		return nil, fmt.Errorf("%d commands run in the machine already, as many as there can be", maxJobs)
	}
	// No other folder has had that name, nor has one in the machine that this one is a
	// copy of: a guest that has yet to forget that would find it in place of this.
	s.File = l.s.control.Number()
	s.Folder = fmt.Sprintf("x%08x", s.File)
	var err error
	if s.Run, err = image(s.Folder); err != nil {
		return nil, err
	}
	j := l.add(s, p)
	if !l.queue.Put(kernel.JobName(s.Folder)) {
		panic("BUG: no room for a job")
	}
	return j, nil
}

// add makes a job and its files.
func (l *jobs) add(s jobState, p *Process) *Job {
	j := &Job{m: l.s.m, folder: s.Folder, state: s, parse: kernel.ParseJobEnd, begun: make(chan struct{}), done: make(chan struct{}), ended: make(chan struct{})}
	c, name := l.s.control, func(file string) string { return s.Folder + "/" + file }
	c.Static(name(kernel.JobRun), 0o500, s.Run)
	j.queue = c.Queue(name(kernel.JobControl), 0o400, kernel.JobControlSize)
	c.Report(name(kernel.JobEnd), 0o200, func(b []byte) error {
		j.signal = kernel.JobSignal(b)
		j.finish(j.parse(b))
		return nil
	}, func() { j.finish(0, ErrLost) })
	if s.Stdin {
		c.Chunks(name(kernel.CtlStdinNext), name(kernel.CtlStdin), 0o400, p.Stdin)
	}
	j.drains = append(j.drains, c.Drain(name(kernel.CtlStdout), 0o200, orDiscard(p.Stdout)))
	if s.Separate {
		j.drains = append(j.drains, c.Drain(name(kernel.CtlStderr), 0o200, orDiscard(p.Stderr)))
	}
	if s.Begun {
		close(j.begun)
	}
	l.list = append(l.list, j)
	return j
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// find gives the job of a folder; nil if there is none.
func (l *jobs) find(folder string) *Job {
	for _, j := range l.list {
		if j.folder == folder {
			return j
		}
	}
	return nil
}

// taken is told of each record of the queue that the guest has got.
func (l *jobs) taken(record []byte) {
	for _, j := range l.list {
		if !j.state.Begun && string(kernel.JobName(j.folder)) == string(record) {
			j.state.Begun = true
			close(j.begun)
		}
	}
}

// failed is told by the guest of a job that cannot be begun.
func (l *jobs) failed(record []byte) error {
	folder, err := kernel.ParseJobFailed(record)
	if j := l.find(folder); j != nil {
		j.finish(0, err)
	}
	return nil
}

// end ends all jobs, whose programs are gone.
func (l *jobs) end(err error) {
	for len(l.list) > 0 {
		j := l.list[0]
		l.queue.Withdraw(kernel.JobName(j.folder))
		j.finish(0, err)
	}
}

// save gives the jobs as plain data.
func (l *jobs) save() []jobState {
	var list []jobState
	for _, j := range l.list {
		list = append(list, j.state)
	}
	return list
}

// restore makes the jobs of a saved session. What they wrote to and read from is
// not there any more.
func (l *jobs) restore(list []jobState) error {
	if len(list) > maxJobs {
		return fmt.Errorf("restore: %d commands run in the machine, want %d at most", len(list), maxJobs)
	}
	for _, s := range list {
		n, err := strconv.ParseUint(strings.TrimPrefix(s.Folder, "x"), 16, 64)
		if err != nil || fmt.Sprintf("x%08x", n) != s.Folder || l.find(s.Folder) != nil {
			return fmt.Errorf("restore: %q is no command's folder", s.Folder)
		}
		if s.File < l.s.control.Number() {
			return fmt.Errorf("restore: the command's folder %s has the number of another file", s.Folder)
		}
		l.s.control.NumberFrom(s.File)
		l.add(s, &Process{Stdin: nothing{}})
	}
	return nil
}

// nothing has an end.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
