package ctl

// noteRoom is how much of what the guest says a Note keeps, in bytes.
const noteRoom = 4 << 10

// Note adds a file in which the guest says something to the host.
func (fs *FS) Note(name string, mode uint32) *Note {
	n := &Note{}
	fs.remember(name, n)
	fs.Sink(name, mode, func(p []byte) error { n.add(p); return nil })
	return n
}

// Note is what the guest has said, the first 4 KiB of it. Its methods are called
// on the machine goroutine.
type Note struct {
	text string
	more bool // was said
}

func (n *Note) add(p []byte) {
	room := noteRoom - len(n.text)
	if len(p) > room {
		p, n.more = p[:room], true
	}
	n.text += string(p)
}

// String is the text. Of one that was too long it is the beginning, and dots.
func (n *Note) String() string {
	if n.more {
		return n.text + "..."
	}
	return n.text
}

// Clear forgets the text.
func (n *Note) Clear() { *n = Note{} }
