package alpinevm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// VM is a machine that runs on a goroutine of its own. Its methods may be called
// from any goroutine.
type VM struct {
	m    *Machine
	stop context.CancelCauseFunc // switches it off
	life context.Context         // is done when it is off
	dead context.CancelCauseFunc

	end     End // once life is done
	err     error
	before  uint64 // instructions, of others
	retired uint64 // all, once life is done

	closing sync.Once
	closed  error
}

// ErrClosed is why a VM has ended that was closed, or whose context was done.
var ErrClosed = errors.New("the machine has been switched off")

// StartError is the error of a Start whose guest has ended before it was up.
type StartError struct{ End End }

// Error says how it has ended.
func (e *StartError) Error() string {
	text := fmt.Sprintf("the guest has not started: %s", e.End.Cause)
	if e.End.Detail != "" {
		text += ": " + e.End.Detail
	}
	return text
}

// Start makes a machine and runs it. It returns when the guest of a session is up;
// a machine without a session is running. It is switched off when ctx is done.
func Start(ctx context.Context, cfg Config) (*VM, error) {
	m, err := New(cfg)
	if err != nil {
		return nil, err
	}
	vm := m.Go(ctx)
	if err := vm.begun(); err != nil {
		return nil, errors.Join(err, vm.Close())
	}
	return vm, nil
}

// Go runs the machine, which belongs to the VM from now on, until its end, the VM's
// Close, or the end of ctx.
func (m *Machine) Go(ctx context.Context) *VM {
	vm := &VM{m: m, before: m.Instructions()}
	ctx, vm.stop = context.WithCancelCause(ctx)
	vm.life, vm.dead = context.WithCancelCause(context.WithoutCancel(ctx))
	go func() {
		vm.end, vm.err = m.Run(ctx)
		vm.retired = m.Instructions()
		if vm.err != nil && m.session != nil {
			m.session.jobs.end(ErrEnded) // nobody else will
		}
		vm.dead(ErrEnded)
	}()
	return vm
}

// begun waits until the guest is up.
func (vm *VM) begun() error {
	if vm.m.session == nil {
		return nil
	}
	select {
	case <-vm.m.session.begun:
		return nil
	case <-vm.life.Done():
	}
	if vm.err != nil {
		return vm.err
	}
	return &StartError{vm.end}
}

// while gives a context that is also done when the machine has ended.
func (vm *VM) while(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(vm.life, func() { cancel(ErrEnded) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// Done is closed when the machine has ended.
func (vm *VM) Done() <-chan struct{} { return vm.life.Done() }

// Wait waits for the machine's end and says how it has ended. The error is
// ErrClosed, or that of its context.
func (vm *VM) Wait() (End, error) {
	<-vm.life.Done()
	return vm.end, vm.err
}

// Shutdown asks the guest to end in an orderly way, and waits until it has. If ctx
// is done first, the machine goes on.
func (vm *VM) Shutdown(ctx context.Context) error {
	vm.m.Shutdown()
	select {
	case <-vm.life.Done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close switches the machine off, as it is, and gives its memory back. What the
// guest has not given to its files is lost. The error is Machine.Close's.
func (vm *VM) Close() error {
	vm.closing.Do(func() {
		vm.stop(ErrClosed)
		<-vm.life.Done()
		vm.closed = vm.m.Close()
	})
	return vm.closed
}

// Exec is Machine.Exec.
func (vm *VM) Exec(ctx context.Context, p Process) (*Job, error) {
	ctx, cancel := vm.while(ctx)
	defer cancel()
	return vm.m.Exec(ctx, p)
}

// Forwarded is Machine.Forwarded.
func (vm *VM) Forwarded() []net.Addr { return vm.m.Forwarded() }

// Instructions is how many guest instructions it has retired, as
// Machine.Instructions counts them, without those that were before it: of a boot or
// a snapshot that it has gone on from.
func (vm *VM) Instructions() (n uint64) {
	if vm.do(context.Background(), func() { n = vm.m.Instructions() }) != nil {
		<-vm.life.Done()
		n = vm.retired // its memory may be gone
	}
	return n - vm.before
}

// Waited is Machine.Waited.
func (vm *VM) Waited(ctx context.Context) (d time.Duration, err error) {
	err = vm.do(ctx, func() { d = vm.m.Waited() })
	return d, err
}

// Log is the end of what the guest's kernel has said at its serial port, in lines.
func (vm *VM) Log() (lines []string) {
	if vm.do(context.Background(), func() { lines = vm.m.logLines() }) != nil {
		<-vm.life.Done()
		lines = vm.m.logLines()
	}
	return lines
}

// Signal is Machine.Signal.
func (vm *VM) Signal(number int) { vm.m.Signal(number) }

// do has f run on the machine goroutine, and waits for it.
func (vm *VM) do(ctx context.Context, f func()) error {
	ctx, cancel := vm.while(ctx)
	defer cancel()
	done := make(chan struct{})
	vm.m.Kick(func() {
		if ctx.Err() == nil {
			f()
			close(done)
		}
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// snapshotPause is how long Snapshot waits before it asks again.
const snapshotPause = time.Millisecond

// Snapshot gives a snapshot of the machine, which goes on, as soon as the host's
// files are not being asked.
func (vm *VM) Snapshot(ctx context.Context) (*Snapshot, error) {
	for {
		type result struct {
			s   *Snapshot
			err error
		}
		c := make(chan result, 1)
		if err := vm.do(ctx, func() {
			s, err := vm.m.Capture()
			c <- result{s, err}
		}); err != nil {
			return nil, err
		}
		r := <-c
		if !errors.Is(r.err, ErrNotQuiet) {
			return r.s, r.err
		}
		select {
		case <-time.After(snapshotPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
