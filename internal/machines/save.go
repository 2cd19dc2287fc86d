package machines

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"alpinevm/internal/control"
	"alpinevm/launch"
)

// save sends a snapshot of the machine, which goes on.
func (l *Live) save(r *control.Request, c *control.Conn) error {
	if l.root == nil {
		return fmt.Errorf("machine %s: it has no root file system of ours, and cannot go on from a snapshot", l.name())
	}
	if err := l.goesOn(); err != nil {
		return err
	}
	l.saving.Lock()
	defer l.saving.Unlock()
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	gone := l.follow(c, func(control.Kind, []byte) {})
	go func() { <-gone; cancel() }()
	s, err := l.m.CaptureRunning(ctx)
	if err != nil {
		return fmt.Errorf("machine %s: %w", l.name(), err)
	}
	defer debug.FreeOSMemory() // what that took
	defer s.Close()
	saved := control.Saved{Stood: s.Stood(), Run: l.Run}
	if disk, ok := s.Late(launch.DiskOf).(*launch.Disk); ok && r.Apart {
		if saved.Folder, err = disk.Folder(); err != nil {
			return fmt.Errorf("machine %s: %w", l.name(), err)
		}
	}
	was, err := launch.ReadOrigin(s)
	if err != nil {
		return fmt.Errorf("machine %s: %w", l.name(), err)
	}
	saved.Image = was.Image
	if r.Packed {
		err = s.Write(c.Writer(control.KindStdout))
	} else {
		err = s.WriteRaw(pieces{c})
	}
	if err != nil {
		return fmt.Errorf("machine %s: %w", l.name(), err)
	}
	if err := c.SendJSON(control.KindReply, control.Reply{Saved: &saved}); err != nil {
		return err
	}
	if saved.Folder != "" {
		select {
		case <-gone: // until then it is used
		case <-l.ended:
		}
	}
	return nil
}

// pieces sends what is written to a raw file.
type pieces struct{ c *control.Conn }

const placeSize = 8

// WriteAt implements io.WriterAt.
func (p pieces) WriteAt(b []byte, off int64) (int, error) {
	frame := make([]byte, 0, min(len(b)+placeSize, control.MaxFrame))
	for done := 0; done < len(b); {
		n := min(len(b)-done, control.MaxFrame-placeSize)
		frame = append(binary.BigEndian.AppendUint64(frame[:0], uint64(off)+uint64(done)), b[done:done+n]...)
		if err := p.c.Send(control.KindStdout, frame); err != nil {
			return done, err
		}
		done += n
	}
	return len(b), nil
}

// Truncate tells the file's size.
func (p pieces) Truncate(size int64) error {
	return p.c.Send(control.KindStdout, binary.BigEndian.AppendUint64(nil, uint64(size)))
}

// File is what a snapshot is written to, such as an *os.File.
type File interface {
	io.Writer
	io.WriterAt
	Truncate(size int64) error
}

// Saving is a snapshot that has been made.
type Saving struct {
	control.Saved
	conn *control.Conn
}

// Close lets the folder of what is apart go.
func (s *Saving) Close() error { return s.conn.Close() }

// Save writes a snapshot of a running machine to an empty file, packed or raw. With
// apart, what the machine keeps on the disk is in a folder besides.
func Save(ctx context.Context, name string, f File, packed, apart bool) (*Saving, error) {
	c, err := Dial(name, &control.Request{Verb: control.Save, Packed: packed, Apart: apart})
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	saved, err := receive(c, f, packed)
	if err != nil {
		c.Close()
		var said control.Error // who answers names the machine by himself
		var file FileError
		switch {
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case !errors.As(err, &said) && !errors.As(err, &file):
			err = fmt.Errorf("machine %s: %w", name, err)
		}
		return nil, err
	}
	return &Saving{*saved, c}, nil
}

// FileError is of a file that cannot be written.
type FileError struct{ error }

// Unwrap gives why.
func (e FileError) Unwrap() error { return e.error }

// receive writes what comes to a file.
func receive(c *control.Conn, f File, packed bool) (*control.Saved, error) {
	for {
		kind, p, err := c.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, control.ErrGone
		case err != nil:
			return nil, err
		}
		switch {
		case kind == control.KindError:
			return nil, control.Error(p)
		case kind == control.KindReply:
			return savedOf(p)
		case kind != control.KindStdout || !packed && len(p) < placeSize:
			return nil, fmt.Errorf("%w of a snapshot: kind %d", control.ErrFrame, kind)
		case packed:
			_, err = f.Write(p)
		case len(p) == placeSize:
			err = f.Truncate(int64(binary.BigEndian.Uint64(p)))
		default:
			_, err = f.WriteAt(p[placeSize:], int64(binary.BigEndian.Uint64(p)))
		}
		if err != nil {
			return nil, FileError{err}
		}
	}
}

// savedOf reads the answer.
func savedOf(p []byte) (*control.Saved, error) {
	var r control.Reply
	if err := json.Unmarshal(p, &r); err != nil || r.Saved == nil {
		return nil, fmt.Errorf("%w of a snapshot: no answer to it", control.ErrFrame)
	}
	return r.Saved, nil
}
