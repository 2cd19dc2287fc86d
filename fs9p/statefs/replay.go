package statefs

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrDamaged is the error of a journal of which something is not as it was
// written, though it had been written whole. Nothing is changed then.
var ErrDamaged = errors.New("the journal is damaged")

// errMagic is the error of a journal that is none of ours.
var errMagic = errors.New("the journal is of another version of alpinevm")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// open opens the journal and gives the records of each frame to replay. What a
// process that died has not finished counts for nothing; everything else that is
// not as it was written is an error.
func (j *journal) open(replay func(records []byte) error) error {
	r, err := j.openFrames()
	if err != nil {
		return err
	}
	if r == nil {
		return j.openV1(replay)
	}
	if err := j.readHead(r); err != nil {
		return err
	}
	for j.end = framesAt; ; {
		h, records, ok, err := r.at(j.end)
		if err != nil {
			return err
		}
		if !ok || h.prev != j.sum {
			break
		}
		if err := replay(records); err != nil {
			return fmt.Errorf("%w: the frame at %d: %w", ErrDamaged, j.end, err)
		}
		j.sum = h.sum
		j.end += frameHead + int64(h.n)
	}
	j.base = j.end
	switch next, ok, err := r.next(j.end); {
	case err != nil:
		return err
	case ok && j.loose && j.end >= j.mark.end:
		return j.blank()
	case ok:
		return damaged("what stands at byte %d is not what was written, and changes follow at %d", j.end, next)
	case j.end < j.mark.end:
		return damaged("it ends at byte %d, and was written up to %d", j.end, j.mark.end)
	}
	return nil
}

// blank has zeros behind the end, so that no frame that is there can come to follow
// one that will be written.
func (j *journal) blank() error {
	if _, err := j.file.WriteAt(make([]byte, j.size-j.end), j.end); err != nil {
		return err
	}
	return j.file.Sync()
}

// openFrames opens the file, and finds out what salt it has. Without an error
// it is nil where the file is a journal of the version before.
func (j *journal) openFrames() (*frames, error) {
	f, err := j.place.open()
	if err != nil {
		return nil, err
	}
	j.file = f
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	j.size = info.Size()
	r := &frames{r: f, size: j.size}
	b, err := r.view(0, int(framesAt))
	if err != nil {
		return nil, err
	}
	for _, at := range []int{0, headerAt} {
		if salt, ok := readHeader(b[min(at, len(b)):]); ok {
			r.salt, j.salt = salt, salt
			return r, nil
		}
	}
	switch version, ok := bytes.CutPrefix(b, []byte(magicName)); {
	case isV1(b):
		return nil, nil
	case ok && len(version) > 0 && version[0] > magic[len(magicName)] && version[0] <= '9':
		return nil, errMagic
	}
	return nil, damaged("it has no header")
}

// readHead checks both headers and reads the marks. Of these one may be torn, by
// a failure of the host while it was written.
func (j *journal) readHead(r *frames) error {
	b, err := r.view(0, int(framesAt))
	if err != nil {
		return err
	}
	for _, at := range []int{0, headerAt} {
		if _, ok := readHeader(b[min(at, len(b)):]); !ok {
			return damaged("its header is not what was written")
		}
	}
	if len(b) < int(framesAt) {
		return damaged("it ends at byte %d", len(b))
	}
	found := false
	j.mark = mark{}
	for turn := range int64(2) {
		if m, ok := j.salt.readMark(b[marksAt+turn*markStep:]); ok && (!found || m.end >= j.mark.end) {
			found, j.mark, j.turn = true, m, turn^1
		}
	}
	if !found {
		return damaged("how long it was is not to be read")
	}
	return nil
}

// A loss is what could not be read of a damaged journal.
type loss struct {
	places  int // at which something was not as it was written
	changes int // that did not fit what is left
	kept    string
}

func (l loss) String() string {
	return fmt.Sprintf("the journal was damaged at %d places, and %d changes behind these are lost too; it is kept as %s", l.places, l.changes, l.kept)
}

// salvage gives all records to replay that are whole, and tells what is lost.
func (j *journal) salvage(replay func(records []byte) (skipped int, err error)) (lost loss, err error) {
	r, err := j.openFrames()
	switch {
	case errors.Is(err, ErrDamaged): // then there is nothing to be read
		lost.places++
		return lost, nil
	case err != nil:
		return lost, err
	case r == nil:
		return j.salvageV1(replay)
	}
	if j.readHead(r) != nil {
		lost.places++
	}
	j.end = framesAt
	for {
		h, records, ok, err := r.at(j.end)
		if err != nil {
			return lost, err
		}
		if !ok {
			next, more, err := r.next(j.end)
			if err != nil {
				return lost, err
			}
			if !more {
				if j.end < j.mark.end {
					lost.places++
				}
				return lost, nil
			}
			lost.places++
			j.end = next
			continue
		}
		skipped, err := replay(records)
		if err != nil {
			skipped++ // and whatever else is in the frame
		}
		lost.changes += skipped
		j.sum = h.sum
		j.end += frameHead + int64(h.n)
	}
}
