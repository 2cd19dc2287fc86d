package usernet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

const (
	spoolBytes   = 4 << 20 // that wait for the file
	spoolEntries = 4096
)

// errFull ends a file that has reached its bound.
var errFull = errors.New("the file is full")

// spool writes entries to a file, or what else it is, in the order in which they
// come, without anybody waiting for it: what does not fit into the queue is lost,
// and counted. The first error ends it; failed is told of that, and of what is lost.
type spool struct {
	w      io.WriteCloser
	limit  int64 // of the file
	failed func(error)

	queue   chan []byte
	waiting atomic.Int64
	lost    atomic.Int64
	mu      sync.RWMutex // of closing queue
	closed  bool
	done    chan error
}

func newSpool(w io.WriteCloser, limit int64, failed func(error)) *spool {
	s := &spool{w: w, limit: limit, failed: failed, queue: make(chan []byte, spoolEntries), done: make(chan error, 1)}
	go func() { s.done <- s.run() }()
	return s
}

// add queues an entry, which belongs to the spool then.
func (s *spool) add(b []byte) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return
	}
	if s.waiting.Add(int64(len(b))) > spoolBytes {
		s.waiting.Add(-int64(len(b)))
		s.lost.Add(1)
		return
	}
	select {
	case s.queue <- b:
	default:
		s.waiting.Add(-int64(len(b)))
		s.lost.Add(1)
	}
}

// run writes entries until the queue is closed.
func (s *spool) run() (err error) {
	w := bufio.NewWriterSize(s.w, 64<<10)
	size := int64(0)
	for b := range s.queue {
		s.waiting.Add(-int64(len(b)))
		if err != nil {
			continue
		}
		if size += int64(len(b)); size > s.limit {
			err = fmt.Errorf("%w: what comes after %d MiB is not in it", errFull, s.limit>>20)
		} else if _, err = w.Write(b); err == nil && len(s.queue) == 0 {
			err = w.Flush()
		}
		if err != nil {
			s.failed(err)
		}
	}
	if flush := w.Flush(); flush != nil && err == nil {
		err = flush
		s.failed(err)
	}
	return err
}

// close writes what waits, and closes the file.
func (s *spool) close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.queue)
	s.mu.Unlock()
	err := <-s.done
	if lost := s.lost.Load(); lost > 0 {
		s.failed(fmt.Errorf("%d entries came faster than they could be written, and are not in it", lost))
	}
	if end := s.w.Close(); end != nil && err == nil {
		s.failed(end)
	}
}
