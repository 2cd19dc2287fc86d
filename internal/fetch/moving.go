package fetch

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// ErrSlow is the error of an answer that hardly moves.
var ErrSlow = errors.New("hardly anything comes")

// moving is the body of an answer that ends if too little of it comes. Time
// counts while somebody waits for it, and not while its reader is busy.
type moving struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	window time.Duration
	least  int64 // bytes in each window
	failed func(error) error

	mu    sync.Mutex
	timer *time.Timer
	end   time.Time     // of the window, if the reader goes on waiting; zero if it does not wait
	left  time.Duration // of the window
	came  int64         // in the window
}

// Read is part of io.Reader.
func (m *moving) Read(p []byte) (int, error) {
	begin := m.arm()
	n, err := m.body.Read(p)
	m.disarm(n, time.Since(begin))
	switch {
	case err == io.EOF:
		m.cancel(nil)
	case err != nil && context.Cause(m.ctx) == ErrSlow:
		err = m.failed(ErrSlow)
	case err != nil:
		err = m.failed(err)
	}
	return n, err
}

// arm has the answer end when the window does.
func (m *moving) arm() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.end = now.Add(m.left)
	if m.timer == nil {
		m.timer = time.AfterFunc(m.left, m.over)
	} else {
		m.timer.Reset(m.left)
	}
	return now
}

// over is called at the end of a window. It may come late, when the reader has
// got what it waited for.
func (m *moving) over() {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch now := time.Now(); {
	case m.end.IsZero(), now.Before(m.end):
	case m.came < m.least:
		m.cancel(ErrSlow)
	default:
		m.came, m.end = 0, now.Add(m.window)
		m.timer.Reset(m.window)
	}
}

// disarm counts n bytes that came after some waiting.
func (m *moving) disarm(n int, waited time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.timer.Stop()
	m.end = time.Time{}
	m.came += int64(n)
	if m.left -= waited; m.left <= 0 {
		if m.came < m.least {
			m.cancel(ErrSlow)
		}
		m.left, m.came = m.window, 0
	}
}

// Close is part of io.Closer.
func (m *moving) Close() error {
	m.cancel(nil)
	return m.body.Close()
}
