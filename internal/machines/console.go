package machines

import (
	"errors"
	"io"
	"slices"
	"sync"
)

// watcherRoom is how much of the output is held for a watcher that takes it too
// slowly, in bytes. One that is slower is left behind: the machine does not wait.
const watcherRoom = 4 << 20

// ErrSlow is the error of a watcher that was left behind.
var ErrSlow = errors.New("the output came faster than it was taken")

// Console is the output of a machine's own program as others than its first user
// see it, and its input where they are to give it. A nil Log is none.
type Console struct {
	Log *Log

	mu       sync.Mutex
	watchers []*Watcher
	in       *io.PipeReader
	typed    *io.PipeWriter
	ended    bool
}

// NewConsole makes one.
func NewConsole() *Console {
	c := &Console{}
	c.in, c.typed = io.Pipe()
	return c
}

// Output is the writer of a stream, "stdout" or "stderr".
func (c *Console) Output(stream string) io.Writer { return consoleStream{c, stream} }

type consoleStream struct {
	c      *Console
	stream string
}

func (s consoleStream) Write(p []byte) (int, error) {
	if s.c.Log != nil {
		s.c.Log.Stream(s.stream).Write(p)
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, w := range s.c.watchers {
		w.put(s.stream, p)
	}
	return len(p), nil
}

// Input reads what watchers type.
func (c *Console) Input() io.Reader { return c.in }

// Type is the input of a watcher.
func (c *Console) Type(p []byte) error {
	_, err := c.typed.Write(p)
	return err
}

// CloseInput ends the input.
func (c *Console) CloseInput() { c.typed.Close() }

// Watch begins to watch.
func (c *Console) Watch() *Watcher {
	w := &Watcher{}
	w.more.L = &w.mu
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		w.end()
		return w
	}
	c.watchers = append(c.watchers, w)
	return w
}

// Leave ends a watcher.
func (c *Console) Leave(w *Watcher) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers = slices.DeleteFunc(c.watchers, func(x *Watcher) bool { return x == w })
	w.end()
}

// End ends all watchers when they have what was printed, and the input.
func (c *Console) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	for _, w := range c.watchers {
		w.end()
	}
	c.in.CloseWithError(io.ErrClosedPipe)
	if c.Log != nil {
		c.Log.Close()
	}
}

// Watcher gets the output from Watch on.
type Watcher struct {
	mu    sync.Mutex
	more  sync.Cond
	queue []piece
	held  int
	over  bool
	slow  bool
}

type piece struct {
	stream string
	data   []byte
}

func (w *Watcher) put(stream string, p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	if w.held += len(p); w.held > watcherRoom {
		w.over, w.slow, w.queue = true, true, nil
	} else {
		w.queue = append(w.queue, piece{stream, slices.Clone(p)})
	}
	w.more.Signal()
}

func (w *Watcher) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.more.Broadcast()
}

// Next waits for output; io.EOF is its end.
func (w *Watcher) Next() (stream string, p []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 && !w.over {
		w.more.Wait()
	}
	if len(w.queue) == 0 {
		if w.slow {
			return "", nil, ErrSlow
		}
		return "", nil, io.EOF
	}
	x := w.queue[0]
	w.queue = w.queue[1:]
	w.held -= len(x.data)
	return x.stream, x.data, nil
}
