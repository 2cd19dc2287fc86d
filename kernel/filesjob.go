package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A system call more, and what moves need.
const (
	callLchown   = 198
	fileEnd      = 1 << 8 // kind of a record of JobEnd: fileEnd and the number of a move above
	maxFileMoves = 100_000
)

// A Move is something that a guest does with its own files, which it would not see done behind its back: its kernel keeps what it knows of
// them.
type Move struct {
	// From is renamed to To, which is replaced if it is a file or an empty folder. Without From, To is a folder that is made if it is missing,
	// and gets the mode and the owner.
	From, To       string
	Mode, UID, GID uint32
	// Or are the moves where a rename is not possible: To is a folder with something in it, say.
	Or []Move
}

// A FilesJob is a job that writes back what the guest has not given to the host yet, and then makes the moves, up to the first one that fails.
type FilesJob struct {
	Folder string
	Moves  []Move
}

// ErrMove is the error of a FilesJob of which a move has failed.
type ErrMove struct {
	To    string
	Errno int // Linux's
}

func (e *ErrMove) Error() string {
	text, ok := map[int]string{
		1: "that is not permitted", 2: "a folder on the way is not there", 12: "the guest has no memory left", 13: "that is not permitted", 16: "it is in use",
		17: "there is something else in its place", 18: "another file system is mounted there", 20: "there is a file in the place of a folder",
		21: "there is a folder in its place", 28: "there is no room", 30: "it is read-only", 39: "there is a folder in its place",
	}[e.Errno]
	if !ok {
		text = fmt.Sprintf("error %d of Linux", e.Errno)
	}
	return e.To + ": " + text
}

// ErrMoves is of more moves than a job can have.
var ErrMoves = fmt.Errorf("more than %d files", maxFileMoves)

// Image is the program in the job's folder.
func (j *FilesJob) Image() ([]byte, error) {
	c := &jobCalls{caller: newCaller(), j: &Job{Folder: j.Folder}}
	c.end = c.room(4)
	start := c.here()
	c.try(callOpen, c.file(JobEnd), openWrite|closeOnExec).to = c.end
	c.try(callSync)
	n, size := 0, 0
	var add func(list []Move)
	add = func(list []Move) {
		for _, m := range list {
			if size += len(m.From) + len(m.To); n >= maxFileMoves || size > callsLimit/4 {
				n = maxFileMoves + 1
				return
			}
			to := arg(c.text(m.To))
			var k *call
			if m.From == "" {
				c.try(callMkdir, to, arg(m.Mode)) // it may be there
				c.try(callLchown, to, arg(m.UID), arg(m.GID))
				k = c.add(callChmod, to, arg(m.Mode))
			} else {
				k = c.add(callRename, arg(c.text(m.From)), to)
			}
			n++
			if m.Or == nil {
				c.fails(k, fileEnd+uint32(n-1), false)
				continue
			}
			over := c.label()
			k.next, k.zero = over, over
			k.fails(c.here())
			add(m.Or)
			c.bind(over)
		}
	}
	add(j.Moves)
	if n > maxFileMoves {
		return nil, ErrMoves
	}
	c.report(c.words(endStatus, 0))
	for len(c.later) > 0 {
		f := c.later[0]
		c.later = c.later[1:]
		f()
	}
	return c.image(start), nil
}

// ParseEnd gives the error that a record of JobEnd tells of.
func (j *FilesJob) ParseEnd(b []byte) error {
	if len(b) == JobEndSize {
		if k := binary.LittleEndian.Uint32(b); k >= fileEnd {
			if to, ok := moveAt(j.Moves, int(k-fileEnd)); ok {
				return &ErrMove{to, -int(int32(binary.LittleEndian.Uint32(b[4:])))}
			}
			return errors.New("the guest has given a strange answer")
		}
	}
	_, err := ParseJobEnd(b)
	return err
}

// moveAt is where the move of that number leads.
func moveAt(list []Move, n int) (string, bool) {
	at := 0
	var find func(list []Move) (string, bool)
	find = func(list []Move) (string, bool) {
		for _, m := range list {
			if at == n {
				return m.To, true
			}
			at++
			if to, ok := find(m.Or); ok {
				return to, true
			}
		}
		return "", false
	}
	return find(list)
}
