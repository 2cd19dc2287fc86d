package ctl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"alpinevm/fs9p"
)

// State is what a tree remembers, as plain data: the files that remember
// something, in the order in which they were added.
//
// Not in it is what the host's writers have already, and what its readers have
// read and not handed over. Requests that wait are asked again by the transport.
type State struct{ Files []FileState }

// FileState is what a file remembers.
type FileState struct {
	Name string
	// Text is of a Note what was said, of Lines what the guest has yet to take, of
	// Chunks the current chunk, and of a Drain what the host has yet to take.
	Text []byte
	// Ahead is of a Source, Chunks or a Queue what the guest has yet to take,
	// Number that of the chunk.
	Ahead  []byte
	Number uint64
	// Done says that more was said, that the signal was fired, or that the
	// stream is at its end: by Errno, where that is not 0 or letGo.
	Done  bool
	Errno uint32
}

// letGo is the Errno of a file whose reads wait no more.
const letGo = 1<<32 - 1

// A part is a file that remembers something.
type part struct {
	name string
	file memory
}

type memory interface {
	save(*FileState)
	// check says whether a state can be that of the file, which restore then
	// puts back.
	check(*FileState) bool
	restore(*FileState)
}

// remember makes file a part of the State.
func (fs *FS) remember(name string, file memory) { fs.parts = append(fs.parts, part{name, file}) }

// Save gives a copy of the state. Call it on the machine goroutine.
func (fs *FS) Save() State {
	var s State
	for _, p := range fs.parts {
		f := FileState{Name: p.name}
		p.file.save(&f)
		if w, ok := p.file.(waiter); ok && w.letsGo() {
			f.Errno = letGo
		}
		s.Files = append(s.Files, f)
	}
	return s
}

// Restore puts a saved state back into a tree that was made as the saved one was
// and has not been used.
func (fs *FS) Restore(s State) error {
	if len(s.Files) != len(fs.parts) {
		return fmt.Errorf("ctl: the state of %d files, want %d", len(s.Files), len(fs.parts))
	}
	for i, p := range fs.parts {
		if f := &s.Files[i]; f.Name != p.name || !p.file.check(f) {
			return fmt.Errorf("ctl: file %s: not its state", p.name)
		}
	}
	for i, p := range fs.parts {
		f := s.Files[i]
		w, ok := p.file.(waiter)
		letsGo := ok && f.Errno == letGo
		if letsGo {
			f.Errno = 0
		}
		p.file.restore(&f)
		if ok {
			w.release(letsGo)
		}
	}
	return nil
}

func (n *Note) save(s *FileState)         { s.Text, s.Done = []byte(n.text), n.more }
func (n *Note) check(s *FileState) bool   { return len(s.Text) <= noteRoom }
func (n *Note) restore(s *FileState)      { n.text, n.more = string(s.Text), s.Done }
func (s *Signal) save(f *FileState)       { f.Done = s.fired }
func (s *Signal) check(f *FileState) bool { return true }
func (s *Signal) restore(f *FileState)    { s.fired = f.Done }

func (l *Lines) save(s *FileState) { s.Text = []byte(strings.Join(l.queue, "")) }

func (l *Lines) check(s *FileState) bool {
	return len(s.Text)%(l.width+1) == 0 && len(s.Text) <= linesRoom*(l.width+1)
}

func (l *Lines) restore(s *FileState) {
	l.queue = nil
	for line := range slices.Chunk(s.Text, l.width+1) {
		l.queue = append(l.queue, string(line))
	}
}

func (s *source) save(f *FileState) {
	f.Ahead, f.Done = bytes.Join(s.ready, nil), s.ended
	if s.err != nil {
		f.Errno = uint32(fs9p.ErrnoOf(s.err))
	}
}

func (s *source) check(f *FileState) bool { return len(f.Ahead) <= chunkMax }

func (s *source) restore(f *FileState) {
	s.ready, s.whole = nil, nil
	if len(f.Ahead) > 0 {
		s.ready, s.whole = [][]byte{f.Ahead}, [][]byte{nil}
	}
	if s.ended, s.err = f.Done, nil; f.Errno != 0 {
		s.err = fs9p.Errno(f.Errno)
	}
}

func (c *chunks) save(f *FileState) {
	c.s.save(f)
	f.Text, f.Number = slices.Clone(c.current), c.number
}

func (c *chunks) check(f *FileState) bool { return c.s.check(f) && len(f.Text) <= chunkMax }

func (c *chunks) restore(f *FileState) {
	c.s.restore(f)
	c.current, c.number, c.data.size = f.Text, f.Number, uint64(len(f.Text))
}

func (d *Drain) save(f *FileState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f.Text = bytes.Join(d.queue, nil)
}

func (d *Drain) check(f *FileState) bool { return len(f.Text) <= drainRoom }

func (d *Drain) restore(f *FileState) {
	if len(f.Text) > 0 {
		d.put(f.Text)
	}
}

// Saved is part of fs9p.Resumable.
func (f *sourceFile) Saved() []byte {
	if !f.short {
		return nil
	}
	return binary.LittleEndian.AppendUint64(nil, f.next)
}

// Resume is part of fs9p.Resumable.
func (f *sourceFile) Resume(saved []byte) error {
	if len(saved) == 0 {
		return nil
	}
	if len(saved) != 8 {
		return fs9p.EINVAL
	}
	f.short, f.next = true, binary.LittleEndian.Uint64(saved)
	return nil
}

// Saved is part of fs9p.Resumable.
func (f *nextFile) Saved() []byte { return []byte(f.line) }

// Resume is part of fs9p.Resumable.
func (f *nextFile) Resume(saved []byte) error {
	if n := len(saved); n != 0 && n != len(fmt.Sprintf(chunkLine, 0)) {
		return fs9p.EINVAL
	}
	f.line = string(saved)
	return nil
}

// Saved is part of fs9p.Resumable.
func (f *linesFile) Saved() []byte { return []byte(f.line) }

// Resume is part of fs9p.Resumable.
func (f *linesFile) Resume(saved []byte) error {
	if n := len(saved); n != 0 && n != f.l.width+1 {
		return fs9p.EINVAL
	}
	f.line = string(saved)
	return nil
}

// Saved is part of fs9p.Resumable.
func (f *chunkFile) Saved() []byte { return binary.LittleEndian.AppendUint64(nil, f.number) }

// Resume is part of fs9p.Resumable.
func (f *chunkFile) Resume(saved []byte) error {
	if len(saved) != 8 {
		return fs9p.EINVAL
	}
	f.number = binary.LittleEndian.Uint64(saved)
	return nil
}
