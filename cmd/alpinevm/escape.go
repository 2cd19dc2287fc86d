package main

import (
	"io"
)

// escapeKey starts a command to alpinevm itself: Ctrl-A, as in qemu.
const escapeKey = 1

const escapeHelp = "\r\n" +
	"Ctrl-A h      this help\r\n" +
	"Ctrl-A x      switch the machine off at once\r\n" +
	"Ctrl-A Ctrl-A send Ctrl-A to the guest\r\n"

// escapes takes the commands to alpinevm out of what is typed.
type escapes struct {
	r    io.Reader
	help io.Writer
	quit func()
	seen bool // the last byte was the escape key
}

// Read gives what is for the guest. It may give no bytes and no error.
func (e *escapes) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	kept := p[:0]
	for _, b := range p[:n] {
		switch {
		case !e.seen && b == escapeKey:
			e.seen = true
			continue
		case !e.seen:
			kept = append(kept, b)
			continue
		}
		e.seen = false
		switch b {
		case escapeKey:
			kept = append(kept, b)
		case 'x', 'X':
			e.quit()
		case 'h', 'H', '?':
			io.WriteString(e.help, escapeHelp)
		}
	}
	return len(kept), err
}
