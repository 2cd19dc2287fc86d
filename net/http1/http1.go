// Package http1 is HTTP/1.1 (RFC 9112) over a connection that somebody else has made:
// a client of one request, and a server's half, one request after the other. It is there
// for browsers: net/http would add a third to the program's size. Whoever is at the other
// end is not trusted; what is kept of a head is bounded.
package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Header is the lines of a head, in their order: names and values.
type Header [][2]string

// Get gives the last value of a header, whatever the case of its name.
func (h Header) Get(name string) (value string) {
	for _, l := range h {
		if strings.EqualFold(l[0], name) {
			value = l[1]
		}
	}
	return value
}

// Request is what is asked of a server.
type Request struct {
	Method, Target, Host string
	Minor                int // the client's HTTP/1.Minor, of one that was read
	Header               Header
	// Body is nil where there is none. Of one that was read its end is known; of one to
	// write it need not be.
	Body io.Reader
}

// Response is the head of an answer, and what follows.
type Response struct {
	Status int
	Text   string
	Header Header
	Body   io.Reader // nil: none
}

const (
	// maxHead bounds the head of an answer, in bytes, maxRequest that of a request, and
	// maxLine one of its lines.
	maxHead    = 256 << 10
	maxRequest = 32 << 10
	maxLine    = 64 << 10
)

// ours are headers that belong to the connection, not to what goes over it.
var ours = map[string]bool{"connection": true, "host": true, "transfer-encoding": true, "content-length": true, "keep-alive": true, "upgrade": true, "te": true, "trailer": true, "expect": true}

// OfConnection says whether a header belongs to the connection, and not to what goes over
// it. What is written here has those that it needs, whatever a Header says.
func OfConnection(name string) bool { return ours[strings.ToLower(name)] }

// ErrNotHTTP is the error of what is no HTTP/1.1.
var ErrNotHTTP = errors.New("that is not HTTP/1.1")

// line reads a line without its end.
func line(r *bufio.Reader, left *int) (string, error) {
	var b []byte
	for {
		part, err := r.ReadSlice('\n')
		b = append(b, part...)
		if *left -= len(part); *left < 0 || len(b) > maxLine {
			return "", fmt.Errorf("%w: its head is too long", ErrNotHTTP)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return strings.TrimRight(string(b), "\r\n"), err
	}
}

// headers reads the lines up to the one that is empty.
func headers(r *bufio.Reader, left *int) (h Header, err error) {
	for {
		l, err := line(r, left)
		if err != nil {
			return nil, err
		}
		if l == "" {
			return h, nil
		}
		name, value, ok := strings.Cut(l, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("%w: a header is %.40q", ErrNotHTTP, l)
		}
		h = append(h, [2]string{name, strings.TrimSpace(value)})
	}
}

// length is what Content-Length says; -1: there is none.
func (h Header) length() (int64, error) {
	n := int64(-1)
	for _, l := range h {
		if !strings.EqualFold(l[0], "Content-Length") {
			continue
		}
		v, err := strconv.ParseInt(l[1], 10, 63)
		if err != nil || strings.Trim(l[1], "0123456789") != "" || n >= 0 && n != v {
			return 0, fmt.Errorf("%w: its length is %.40q", ErrNotHTTP, l[1])
		}
		n = v
	}
	return n, nil
}

// write writes headers but those that belong to the connection.
func (h Header) write(w *bufio.Writer) error {
	for _, l := range h {
		if l[0] == "" || strings.ContainsAny(l[0], " :\r\n\x00") || strings.ContainsAny(l[1], "\r\n\x00") {
			return fmt.Errorf("%.80q cannot be a header", l[0])
		}
		if !OfConnection(l[0]) {
			fmt.Fprintf(w, "%s: %s\r\n", l[0], l[1])
		}
	}
	return nil
}
