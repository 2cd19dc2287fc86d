package main

import "fmt"

// Keys that mean something to us.
const (
	escapeKey    = 1 // Ctrl-A, as in qemu: starts a command to alpinevm itself, unless --escape-key names another
	interruptKey = 3 // Ctrl-C
)

// escapeHelp is what the commands are, with the escape key by its name.
func escapeHelp(key byte) string {
	name := "Ctrl-" + string(rune(key|0x40))
	return "\r\n" + name + " h      this help\r\n" + name + " x      switch the machine off at once\r\n" +
		name + " " + name + " send " + name + " to the guest\r\n"
}

// parseEscapeKey reads ctrl-LETTER; empty: there is no such key.
func parseEscapeKey(s string) (key byte, none bool, err error) {
	if s == "" {
		return 0, true, nil
	}
	keys, err := parseDetachKeys(s)
	if err != nil || len(keys) != 1 || keys[0] == 0 || keys[0] >= 0x20 {
		return 0, false, fmt.Errorf("--escape-key %s: want ctrl-LETTER, or nothing", s)
	}
	return keys[0], false, nil
}

// escapes takes the commands to alpinevm out of what is typed.
type escapes struct {
	key  byte // the escape key; 0: Ctrl-A
	none bool // there is none
	help func()
	quit func()
	// interrupted says that Ctrl-C is for us and not for the guest.
	interrupted func() bool
	seen        bool // the last byte was the escape key
}

// filter gives what of p is for the guest, in its place.
func (e *escapes) filter(p []byte) []byte {
	kept := p[:0]
	key := e.key
	if key == 0 {
		key = escapeKey
	}
	for _, b := range p {
		switch {
		case !e.seen && b == key && !e.none:
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
		case key:
			kept = append(kept, b)
		case 'x', 'X':
			e.quit()
		case 'h', 'H', '?':
			e.help()
		}
	}
	return kept
}
