package main

// Keys that mean something to us.
const (
	escapeKey    = 1 // Ctrl-A, as in qemu: starts a command to alpinevm itself
	interruptKey = 3 // Ctrl-C
)

const escapeHelp = "\r\n" +
	"Ctrl-A h      this help\r\n" +
	"Ctrl-A x      switch the machine off at once\r\n" +
	"Ctrl-A Ctrl-A send Ctrl-A to the guest\r\n"

// escapes takes the commands to alpinevm out of what is typed.
type escapes struct {
	help func()
	quit func()
	// interrupted says that Ctrl-C is for us and not for the guest.
	interrupted func() bool
	seen        bool // the last byte was the escape key
}

// filter gives what of p is for the guest, in its place.
func (e *escapes) filter(p []byte) []byte {
	kept := p[:0]
	for _, b := range p {
		switch {
		case !e.seen && b == escapeKey:
			e.seen = true
			continue
		case !e.seen && b == interruptKey && e.interrupted():
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
			e.help()
		}
	}
	return kept
}
