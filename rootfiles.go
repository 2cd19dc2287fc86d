package alpinevm

import (
	"context"
	"fmt"

	"alpinevm/fs9p"
	"alpinevm/kernel"
)

// WithRoot runs f on the machine goroutine with the session's root file system,
// between two steps: f is to be short. It may be called from any goroutine but that
// one. What f changes where the guest has looked already, the guest may not see, as
// it is the only one who changes its root: new files belong into a folder that it
// does not know, from which MoveFiles takes them.
func (m *Machine) WithRoot(ctx context.Context, f func(root fs9p.FS) error) error {
	if m.session == nil {
		return ErrNoSession
	}
	done := make(chan error, 1)
	m.Kick(func() {
		err := ctx.Err()
		if m.end != nil {
			err = ErrEnded
		}
		if err == nil {
			err = f(m.cfg.Session.Root)
		}
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx) // f is not called any more, or ends soon
	}
}

// MoveFiles has the guest write back to its root what it has not yet, and then
// make moves, up to the first one that fails, which is a *kernel.ErrMove.
func (m *Machine) MoveFiles(ctx context.Context, moves []kernel.Move) error {
	if m.session == nil {
		return ErrNoSession
	}
	job := &kernel.FilesJob{Moves: moves}
	j, err := m.begin(ctx, func(l *jobs) (*Job, error) {
		if l.s.m.end != nil {
			return nil, ErrEnded
		}
		j, err := l.startWith(jobState{}, &Process{}, func(folder string) ([]byte, error) {
			job.Folder = folder
			return job.Image()
		})
		if err == nil {
			j.parse = func(b []byte) (int, error) { return 0, job.ParseEnd(b) }
		}
		return j, err
	})
	if err != nil {
		return err
	}
	if _, err := j.Wait(); err != nil {
		return fmt.Errorf("the guest's files: %w", err)
	}
	return nil
}
