package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A client of HTTP/1.1 (RFC 9112) for one request over one connection: net/http would
// add a third to the program's size.

// request is what is asked of a server.
type request struct {
	Method, Target, Host string
	Header               [][2]string
	Body                 io.Reader // nil: none. Its length is not known
}

// response is the head of an answer, and what follows.
type response struct {
	Status int
	Text   string
	Header [][2]string
	Body   io.Reader
}

const (
	// maxHead bounds the head of an answer, in bytes, maxLine one of its lines.
	maxHead = 256 << 10
	maxLine = 64 << 10
)

// ours are headers that belong to the connection, not to what goes over it.
var ours = map[string]bool{"connection": true, "host": true, "transfer-encoding": true, "content-length": true, "keep-alive": true, "upgrade": true, "te": true, "trailer": true, "expect": true}

var errHTTP = errors.New("the guest's server does not speak HTTP/1.1")

// write writes the request to its end.
func (r *request) write(to io.Writer) error {
	for _, part := range []string{r.Method, r.Target, r.Host} {
		if part == "" || strings.ContainsAny(part, " \r\n\x00") {
			return fmt.Errorf("%.80q cannot be in a request", part)
		}
	}
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", r.Method, r.Target, r.Host)
	for _, h := range r.Header {
		if h[0] == "" || strings.ContainsAny(h[0], " :\r\n\x00") || strings.ContainsAny(h[1], "\r\n\x00") {
			return fmt.Errorf("%.80q cannot be a header", h[0])
		}
		if !ours[strings.ToLower(h[0])] {
			fmt.Fprintf(w, "%s: %s\r\n", h[0], h[1])
		}
	}
	if r.Body == nil {
		w.WriteString("\r\n")
		return w.Flush()
	}
	w.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	if err := w.Flush(); err != nil {
		return err
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buf)
		if n > 0 {
			fmt.Fprintf(w, "%x\r\n", n)
			w.Write(buf[:n])
			w.WriteString("\r\n")
			if err := w.Flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			w.WriteString("0\r\n\r\n")
			return w.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// readResponse reads the head of the answer to a request of that method.
func readResponse(r *bufio.Reader, method string) (*response, error) {
	left := maxHead
	for {
		a, err := readHead(r, &left)
		if err != nil {
			return nil, err
		}
		if a.Status/100 == 1 { // another one follows
			continue
		}
		return a, a.frame(r, method)
	}
}

// line reads a line without its end.
func line(r *bufio.Reader, left *int) (string, error) {
	var b []byte
	for {
		part, err := r.ReadSlice('\n')
		b = append(b, part...)
		if *left -= len(part); *left < 0 || len(b) > maxLine {
			return "", fmt.Errorf("%w: its head is too long", errHTTP)
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

func readHead(r *bufio.Reader, left *int) (*response, error) {
	first, err := line(r, left)
	if err != nil {
		return nil, err
	}
	version, rest, _ := strings.Cut(first, " ")
	code, text, _ := strings.Cut(rest, " ")
	a := &response{Text: text}
	if a.Status, err = strconv.Atoi(code); err != nil || !strings.HasPrefix(version, "HTTP/1.") || len(code) != 3 || a.Status < 100 {
		return nil, fmt.Errorf("%w: it begins with %.40q", errHTTP, first)
	}
	for {
		l, err := line(r, left)
		if err != nil {
			return nil, err
		}
		if l == "" {
			return a, nil
		}
		name, value, ok := strings.Cut(l, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, fmt.Errorf("%w: a header is %.40q", errHTTP, l)
		}
		a.Header = append(a.Header, [2]string{name, strings.TrimSpace(value)})
	}
}

// header gives the last value of a header.
func (a *response) header(name string) (value string) {
	for _, h := range a.Header {
		if strings.EqualFold(h[0], name) {
			value = h[1]
		}
	}
	return value
}

// frame finds out where the body ends (RFC 9112, 6.3).
func (a *response) frame(r *bufio.Reader, method string) error {
	length := a.header("Content-Length")
	switch {
	case method == "HEAD" || a.Status == 204 || a.Status == 304:
		a.Body = strings.NewReader("")
	case strings.EqualFold(a.header("Transfer-Encoding"), "chunked"):
		a.Body = &chunkedBody{r: r}
	case length != "":
		n, err := strconv.ParseInt(length, 10, 63)
		if err != nil || n < 0 {
			return fmt.Errorf("%w: its length is %.40q", errHTTP, length)
		}
		a.Body = &sizedBody{r, n}
	default:
		a.Body = r
	}
	return nil
}

// sizedBody is a body whose length is known.
type sizedBody struct {
	r    io.Reader
	left int64
}

func (b *sizedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); err == io.EOF && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// chunkedBody is a body in chunks (RFC 9112, 7.1).
type chunkedBody struct {
	r     *bufio.Reader
	left  int64 // of the chunk
	began bool
	ended bool
}

func (b *chunkedBody) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	if b.left == 0 {
		if err := b.next(); err != nil {
			return 0, err
		}
		if b.left == 0 {
			b.ended = true
			return 0, io.EOF
		}
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads the head of a chunk; what may follow the last one is left.
func (b *chunkedBody) next() error {
	left := maxHead
	if b.began {
		if end, err := line(b.r, &left); err != nil || end != "" {
			return errors.Join(err, fmt.Errorf("%w: a chunk ends with %.40q", errHTTP, end))
		}
	}
	b.began = true
	l, err := line(b.r, &left)
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(l, ";")
	b.left, err = strconv.ParseInt(strings.TrimSpace(size), 16, 63)
	if err != nil || b.left < 0 {
		return fmt.Errorf("%w: a chunk begins with %.40q", errHTTP, l)
	}
	return nil
}
