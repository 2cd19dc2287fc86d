package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// stream is where the guest's program writes. It remembers what became of it:
// a program whose output does not fit on the host's disk may well not notice.
type stream struct {
	f    *os.File
	name string
	what string // is lost where it does not arrive

	mu  sync.Mutex
	err error // the first one, but for a reader that had enough
}

func (o *stream) Write(p []byte) (int, error) {
	n, err := o.f.Write(p)
	if err != nil && !isBrokenPipe(err) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = err
		}
	}
	return n, err
}

// lost is an error if output has not arrived.
func (o *stream) lost() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return nil
	}
	err := o.err
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w; %s is lost", o.name, err, o.what)
}
