package statefs

import (
	"crypto/rand"
	"errors"
	"fmt"
)

// A journal is a file of changes, in the form of frame.go. It ends where there
// is no whole frame: behind that are zeros, or what a process that died has not
// finished.
//
// Frames are written into room that has been filled with zeros before, so that
// a full disk is found out before a change is made, not in the middle. Some of
// the room is kept for changes that make room on the disk, also from one use to
// the next.
type journal struct {
	place
	// loose: frames that were not synced may be there without those before them, as
	// the disk has come to write them. That is no damage then.
	loose bool
	file  diskFile
	salt  salt
	sum   uint32 // of the last frame
	end   int64  // of the last frame
	size  int64  // of the file
	base  int64  // end as the last rewrite left it
	mark  mark   // the last that was written
	turn  int64  // of the two marks that is written next
	buf   []byte
}

const (
	// slack is how much room there must be for any change that begins, kept how
	// much more for one that takes room on the disk, grow how much is added
	// where there is less.
	slack = 128 << 10
	kept  = 1 << 20
	grow  = 64 << 10

	// A journal is made anew when it has grown by this and is twice as long as
	// the last time.
	bloat = 4 << 20
)

// errFinal is the error of what was to be brought to the disk and may be there
// or not: trying again would not tell. See durable.go.
var errFinal = errors.New("the disk has failed")

func final(err error) error {
	if err == nil || errors.Is(err, errFinal) {
		return err
	}
	return fmt.Errorf("%w: %w", errFinal, err)
}

// want makes sure that there is room for n bytes behind the end.
func (j *journal) want(n int64) error {
	if j.size-j.end >= n {
		return nil
	}
	more := j.end + n + grow - j.size
	if _, err := j.file.WriteAt(make([]byte, more), j.size); err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += more
	return nil
}

// room tells how many bytes there is room for.
func (j *journal) room() int64 { return j.size - j.end }

// append writes a frame. If that fails it is as if there were none.
func (j *journal) append(records []byte) error {
	if len(records) == 0 {
		return nil
	}
	if len(records) > maxFrame {
		return errors.New("a change that is too large")
	}
	if err := j.want(frameHead + int64(len(records))); err != nil {
		return err
	}
	b, sum := j.salt.appendFrame(j.buf[:0], j.end, j.sum, records)
	if _, err := j.file.WriteAt(b, j.end); err != nil {
		return err
	}
	j.sum = sum
	j.end += int64(len(b))
	if j.buf = b; cap(b) > 1<<20 {
		j.buf = nil
	}
	return nil
}

// sync brings the frames to the disk, and then marks how far they are there:
// the mark itself gets there with the next sync, if not before.
func (j *journal) sync() error {
	if err := j.file.Sync(); err != nil {
		return final(err)
	}
	if j.mark.end == j.end {
		return nil
	}
	j.writeMark() // if that fails, an older one will do
	return nil
}

// writeMark marks how far the journal is on the disk.
func (j *journal) writeMark() error {
	m := mark{j.end, j.sum}
	if _, err := j.file.WriteAt(j.salt.appendMark(nil, m), marksAt+j.turn*markStep); err != nil {
		return err
	}
	j.mark = m
	j.turn ^= 1
	return nil
}

// bloated tells whether it is time for rewrite.
func (j *journal) bloated() bool {
	return j.file != nil && j.end > bloat && j.end > 2*j.base
}

// snapshot writes the changes that make all that is there, some at a time.
type snapshot func(write func(changes []byte) error) error

// rewrite makes a journal of what snapshot writes and puts it in the place of
// the old one. After an error that is not final the old one is as it was.
func (j *journal) rewrite(snapshot snapshot) error {
	next := journal{place: j.place, loose: j.loose}
	err := next.begin(snapshot)
	if err != nil {
		j.abandon(next.file)
		return err
	}
	old := j.file
	j.file = nil
	if next.file, err = j.replace(old, next.file, next.salt); err != nil {
		return final(err)
	}
	next.base = next.end
	*j = next
	return nil
}

// begin makes the journal's file.
func (j *journal) begin(snapshot snapshot) (err error) {
	if _, err := rand.Read(j.salt[:]); err != nil {
		return err
	}
	if j.file, err = j.create(); err != nil {
		return err
	}
	head := make([]byte, framesAt)
	for _, at := range []int{0, headerAt} {
		copy(head[at:], j.salt.appendHeader(nil))
	}
	for _, at := range []int{marksAt, marksAt + markStep} {
		copy(head[at:], j.salt.appendMark(nil, mark{end: framesAt}))
	}
	if _, err := j.file.WriteAt(head, 0); err != nil {
		return err
	}
	j.end, j.size = framesAt, framesAt
	if err := snapshot(j.append); err != nil {
		return err
	}
	if err := j.want(slack + kept); err != nil {
		return err
	}
	// Nobody will look before all of it is on the disk.
	if err := j.writeMark(); err != nil {
		return err
	}
	return final(j.file.Sync())
}

func (j *journal) close() {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}
