package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
)

// Error is what a server has answered.
type Error string

func (e Error) Error() string { return string(e) }

// ErrGone is the error of a machine that has ended without a word.
var ErrGone = errors.New("the machine has ended")

// Dial connects to a machine's socket and sends a request.
func Dial(path string, r *Request) (*Conn, error) {
	nc, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: nc}
	r.Version = Version
	if err := c.SendJSON(KindRequest, r); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Ask sends a request whose answer is a Reply.
func Ask(path string, r *Request) (*Reply, error) {
	c, err := Dial(path, r)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Reply()
}

// hungUp tells whether an error is that there is nobody at the other end any more, or
// was none when the machine's process had begun to end.
func hungUp(err error) bool {
	var broken *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &broken) && !broken.Timeout()
}

// Reply waits for a Reply.
func (c *Conn) Reply() (*Reply, error) {
	kind, p, err := c.Next()
	switch {
	case hungUp(err):
		return nil, ErrGone
	case err != nil:
		return nil, err
	case kind == KindError:
		return nil, Error(p)
	case kind != KindReply:
		return nil, fmt.Errorf("%w of an answer: kind %d", ErrFrame, kind)
	}
	r := &Reply{}
	return r, json.Unmarshal(p, r)
}

// Stream copies a stream to stdout and stderr, until its Exit.
func (c *Conn) Stream(stdout, stderr io.Writer) (Exit, error) {
	for {
		kind, p, err := c.Next()
		switch {
		case hungUp(err):
			return Exit{}, ErrGone
		case err != nil:
			return Exit{}, err
		}
		switch kind {
		case KindStdout:
			_, err = stdout.Write(p)
		case KindStderr:
			_, err = stderr.Write(p)
		case KindError:
			return Exit{}, Error(p)
		case KindExit:
			var e Exit
			err := json.Unmarshal(p, &e)
			if err == nil && e.Error != "" {
				err = Error(e.Error)
			}
			return e, err
		default:
			return Exit{}, fmt.Errorf("%w of a stream: kind %d", ErrFrame, kind)
		}
		if err != nil {
			return Exit{}, err
		}
	}
}
