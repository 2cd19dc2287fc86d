package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"alpinevm"
	"alpinevm/internal/machines"
)

// host is what a run has of its host: a terminal or streams.
type host struct {
	tty            *terminal // nil: there is none
	stdout, stderr *stream
	trace          *stream   // nil: the trace is among our messages
	messages       io.Writer // gets ours

	background *backgroundHost // of a run -d
	escape     byte            // the key that begins a command to us
	noEscape   bool
}

// isUp is called when the guest is up.
func (h *host) isUp() {
	if h.background != nil {
		h.background.isUp()
	}
}

// host looks at what there is. As with docker, -t alone gives the program a
// terminal that nobody types at.
func (f *runFlags) host(live *machines.Live) (*host, error) {
	if f.background != "" {
		b := &backgroundHost{live: live}
		return &host{background: b, messages: b}, nil
	}
	key, none, err := parseEscapeKey(f.escapeKey)
	if err != nil {
		return nil, err
	}
	const output = "output of the command"
	h := &host{
		escape: key, noEscape: none,
		stdout: &stream{f: os.Stdout, name: "standard output", what: output}, stderr: &stream{f: os.Stderr, name: "standard error", what: output},
		messages: os.Stderr,
	}
	switch {
	case f.from != nil && !f.from.terminal(interactive() || f.tty):
		return h, nil
	case interactive():
		h.tty = newTerminal(true)
	case !f.tty:
		if sameFile(os.Stdout, os.Stderr) {
			h.stderr = h.stdout
		}
		return h, nil
	case f.interactive && !inputIsTerminal():
		return nil, errors.New("-t: standard input is not a terminal; leave out -i or -t")
	default:
		h.tty = newTerminal(f.interactive)
	}
	h.messages = crlf{os.Stderr}
	return h, nil
}

// connect connects the machine to its host. A guest without a session has its
// console at its first serial port.
func (f *runFlags) connect(cfg *alpinevm.Config, h *host, w *watch, live *machines.Live) {
	cfg.Consoles.Listening = func(on bool) {
		w.listens(on)
		if !on || live == nil {
			return
		}
		live.Up()
		if f.from == nil && h.background != nil { // else it is when it has been made
			h.background.begins(&h.background.listens)
		}
	}
	if f.kernelLog {
		cfg.Consoles.Serial = h.messages
	}
	switch keys := h.tty.keys(escapes{key: h.escape, none: h.noEscape, quit: func() { w.cut(errQuit) }, interrupted: w.interrupt}); {
	case h.background != nil:
		h.background.connect(f, cfg)
	case f.from != nil:
		w.typed = keys
		f.from.connect(cfg, h, keys)
	case cfg.Session == nil && h.tty != nil:
		cfg.Consoles.Serial, cfg.Consoles.SerialIn = h.tty, keys
	case cfg.Session == nil:
		cfg.Consoles.Serial, cfg.Consoles.SerialIn = h.stdout, input()
	case h.tty != nil:
		cols, rows := windowSize()
		cfg.Consoles.Terminal = &alpinevm.Terminal{In: keys, Out: share(h.tty, live, "stdout"), Cols: cols, Rows: rows, Term: os.Getenv("TERM")}
	default:
		cfg.Session.Stdin = input()
		cfg.Session.Stdout = share(h.stdout, live, "stdout")
		if cfg.Session.Stderr = cfg.Session.Stdout; h.stderr != h.stdout {
			cfg.Session.Stderr = share(h.stderr, live, "stderr")
		}
	}
	if f.debugConsole {
		cfg.Debug.Console = h.messages
	}
	if cfg.Debug.TraceTo = h.messages; h.trace != nil {
		cfg.Debug.TraceTo = h.trace
	}
}

// enter gives the terminal to the machine until leave is called.
func (h *host) enter(m *alpinevm.Machine) (leave func(), err error) {
	if h.tty == nil {
		return func() {}, nil
	}
	if err := h.tty.raw(); err != nil {
		return nil, err
	}
	stop := onResize(func() {
		h.tty.again()
		m.Resize(windowSize())
	})
	return func() {
		stop()
		h.tty.restore()
	}, nil
}

// lost is the end of a run: an error if output of the program, or the trace, has
// not arrived.
func (h *host) lost(err error) error {
	if h.background != nil {
		h.background.ended(err)
	}
	if code := exitCode(0); err != nil && !errors.As(err, &code) {
		return err
	}
	for _, s := range []*stream{h.stdout, h.stderr, h.trace} {
		if s == nil || h.tty != nil && s != h.trace {
			continue // a terminal that is gone is no disk that is full
		}
		if e := s.lost(); e != nil {
			return e
		}
	}
	return err
}

// crlf writes for a terminal in raw mode.
type crlf struct{ w io.Writer }

func (c crlf) Write(p []byte) (int, error) {
	s := strings.ReplaceAll(strings.ReplaceAll(string(p), "\r\n", "\n"), "\n", "\r\n")
	if _, err := io.WriteString(c.w, s); err != nil {
		return 0, err
	}
	return len(p), nil
}

// note prints messages of our own to out, or nothing if quiet.
func note(out io.Writer, quiet bool) func(format string, args ...any) {
	return func(format string, args ...any) {
		if !quiet {
			say(out, format, args...)
		}
	}
}
