package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"

	"alpinevm/internal/control"
	"alpinevm/internal/machines"
)

// defaultDetachKeys are docker's.
const defaultDetachKeys = "ctrl-p,ctrl-q"

// parseDetachKeys reads keys between commas: a character, or ctrl- and a letter or
// one of @ [ \ ] ^ _. None are no keys.
func parseDetachKeys(s string) ([]byte, error) {
	var keys []byte
	if s == "" {
		return nil, nil
	}
	for key := range strings.SplitSeq(s, ",") {
		c, ctrl := strings.CutPrefix(strings.ToLower(key), "ctrl-")
		switch {
		case ctrl && len(c) == 1 && (c[0] >= 'a' && c[0] <= 'z' || strings.Contains(`@[\]^_`, c)):
			keys = append(keys, strings.ToUpper(c)[0]&0x1f)
		case len(key) == 1:
			keys = append(keys, key[0])
		default:
			return nil, fmt.Errorf("--detach-keys %q: %q is no key; want a character or ctrl-LETTER, between commas", s, key)
		}
	}
	return keys, nil
}

// errDetached is how a client ends that has been told to by its keys.
var errDetached = errors.New("detached")

// detachReader reads what is typed up to the keys that detach, which end it.
type detachReader struct {
	r    io.Reader
	keys []byte

	held  int    // of the keys have been typed
	typed []byte // and not been read
	err   error
}

func (d *detachReader) Read(p []byte) (int, error) {
	for len(d.typed) == 0 && d.err == nil {
		buf := make([]byte, 4096)
		n, err := d.r.Read(buf)
		d.err = err
		for _, b := range buf[:n] {
			if d.held > 0 && b != d.keys[d.held] {
				d.typed = append(d.typed, d.keys[:d.held]...)
				d.held = 0
			}
			if len(d.keys) == 0 || b != d.keys[d.held] {
				d.typed = append(d.typed, b)
				continue
			}
			if d.held++; d.held == len(d.keys) {
				d.held, d.err = 0, errDetached
				break
			}
		}
	}
	n := copy(p, d.typed)
	d.typed = d.typed[n:]
	if n > 0 {
		return n, nil
	}
	return 0, d.err
}

// client is a command that follows a program in a machine.
type client struct {
	name       string // of the machine
	conn       *control.Conn
	job        uint64 // 0: the machine's own program
	tty, stdin bool
	keys       []byte // that detach
	sigProxy   bool
}

// follow connects the program to our own terminal or streams until it ends, or the
// user detaches.
func (c *client) follow() error {
	var in io.Reader = os.Stdin
	var once sync.Once
	leave := func() {}
	detached := make(chan struct{})
	if c.tty && c.stdin && inputIsTerminal() {
		t := newTerminal(true)
		if err := t.raw(); err != nil {
			return err
		}
		stop := onResize(func() {
			t.again()
			c.resize()
		})
		leave = func() { once.Do(func() { stop(); t.restore() }) }
		defer leave()
		in = t
		c.resize()
	}
	if c.stdin {
		go func() {
			d := &detachReader{r: in, keys: c.keys}
			_, err := io.Copy(c.conn.Writer(control.KindStdin), d)
			if errors.Is(err, errDetached) {
				close(detached)
				return
			}
			c.conn.Send(control.KindStdin, nil)
		}()
	}
	defer c.proxy()()
	ended := make(chan error, 1)
	var exit control.Exit
	go func() {
		var err error
		exit, err = c.conn.Stream(os.Stdout, os.Stderr)
		ended <- err
	}()
	select {
	case <-detached:
		leave()
		return nil
	case err := <-ended:
		leave()
		if err != nil {
			return fmt.Errorf("machine %s: %w", c.name, err)
		}
		return exitCode(exit.Code)
	}
}

// resize tells the program our terminal's size.
func (c *client) resize() {
	cols, rows := windowSize()
	machines.Ask(c.name, &control.Request{Verb: control.Resize, Job: c.job, Cols: cols, Rows: rows}) // if it fails the program is ending
}

// proxy passes signals on until stop is called. At a terminal keys send them.
func (c *client) proxy() (stop func()) {
	if !c.sigProxy || c.tty {
		return func() {}
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, slices.Concat(endSignals, userSignals)...)
	go func() {
		for s := range signals {
			if n, ok := linuxSignals[s]; ok {
				machines.Ask(c.name, &control.Request{Verb: control.Signal, Job: c.job, Signal: n})
			}
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
}

// each calls f for each name, prints those for which it has done its work, and says
// what has gone wrong, as docker does.
func each(out io.Writer, names []string, f func(name string) error) error {
	var result error
	for _, name := range names {
		if err := f(name); err != nil {
			result = told(err)
			continue
		}
		fmt.Fprintln(out, name)
	}
	return result
}
