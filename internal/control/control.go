// Package control is how a command of alpinevm talks to the process of a machine
// that runs: frames on a Unix socket that belongs to the user. A connection
// carries one Request and what comes of it.
//
// A frame is a byte that says what it is, four bytes with the length of what
// follows, the highest first, and that. A client sends a Request; the server a
// Reply, an error, or a stream's frames and at their end an Exit.
package control

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Version is that of the protocol. A server refuses other ones.
const Version = 1

// MaxFrame bounds what a frame holds, in bytes.
const MaxFrame = 256 << 10

// Kind is what a frame is.
type Kind byte

// Kinds of frames.
const (
	KindRequest Kind = iota + 1
	KindReply
	KindError
	KindStdin  // to the server; empty at its end
	KindStdout // to the client
	KindStderr
	KindExit
	kindEnd
)

// ErrFrame is the error of bytes that are no frame.
var ErrFrame = errors.New("control: no frame")

// ReadFrame reads a frame. buf is used for what it holds if that fits.
func ReadFrame(r io.Reader, buf []byte) (Kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	kind, n := Kind(head[0]), binary.BigEndian.Uint32(head[1:])
	if kind == 0 || kind >= kindEnd || n > MaxFrame {
		return 0, nil, fmt.Errorf("%w: kind %d of %d bytes", ErrFrame, kind, n)
	}
	if int(n) > cap(buf) {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return kind, buf, nil
}

// AppendFrame appends a frame to b.
func AppendFrame(b []byte, k Kind, p []byte) []byte {
	return append(binary.BigEndian.AppendUint32(append(b, byte(k)), uint32(len(p))), p...)
}

// Conn is an end of a connection. Send may be called from several goroutines.
type Conn struct {
	net.Conn
	mu  sync.Mutex
	out []byte
	in  []byte
}

// Send sends p in frames of a kind, one where it is empty.
func (c *Conn) Send(k Kind, p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		n := min(len(p), MaxFrame)
		c.out = AppendFrame(c.out[:0], k, p[:n])
		if _, err := c.Conn.Write(c.out); err != nil {
			return err
		}
		if p = p[n:]; len(p) == 0 {
			return nil
		}
	}
}

// SendJSON sends v in a frame.
func (c *Conn) SendJSON(k Kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > MaxFrame {
		return fmt.Errorf("control: a message of %d bytes, more than %d", len(b), MaxFrame)
	}
	return c.Send(k, b)
}

// Next gives the next frame, which is valid until the call after.
func (c *Conn) Next() (Kind, []byte, error) {
	if c.in == nil {
		c.in = make([]byte, 0, 64<<10)
	}
	return ReadFrame(c.Conn, c.in)
}

// Writer sends what is written in frames of a kind.
func (c *Conn) Writer(k Kind) io.Writer { return frameWriter{c, k} }

type frameWriter struct {
	c *Conn
	k Kind
}

func (w frameWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := w.c.Send(w.k, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
