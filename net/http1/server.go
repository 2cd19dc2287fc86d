package http1

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// ReadRequest reads the head of a request; io.EOF is the error where none comes any more.
// Its body, where there is one, has to be read before the next request is. A client that
// waits to be told to send it is told so by to when the body is read first.
func ReadRequest(r *bufio.Reader, to io.Writer) (*Request, error) {
	if _, err := r.Peek(1); err != nil {
		return nil, err
	}
	left := maxRequest
	first, err := line(r, &left)
	if err == nil && first == "" { // RFC 9112, 2.2: one empty line before it is ignored
		first, err = line(r, &left)
	}
	if err != nil {
		return nil, err
	}
	words := strings.Split(first, " ")
	if len(words) != 3 || !token(words[0]) || words[1] == "" || !printable(words[1]) || words[2] != "HTTP/1.0" && words[2] != "HTTP/1.1" {
		return nil, fmt.Errorf("%w: it begins with %.40q", ErrNotHTTP, first)
	}
	q := &Request{Method: words[0], Target: words[1], Minor: int(words[2][len("HTTP/1.")] - '0')}
	if q.Header, err = headers(r, &left); err != nil {
		return nil, err
	}
	for _, h := range q.Header {
		if !token(h[0]) || !text(h[1]) {
			return nil, fmt.Errorf("%w: a header is %.40q", ErrNotHTTP, h[0])
		}
	}
	q.Host = q.Header.Get("Host")
	return q, q.frame(r, to)
}

// frame finds out where the body ends (RFC 9112, 6.3). What says it twice is refused: it
// is a way to hide a request in another one.
func (q *Request) frame(r *bufio.Reader, to io.Writer) error {
	length, err := q.Header.length()
	coding := q.Header.Get("Transfer-Encoding")
	switch {
	case err != nil:
		return err
	case coding != "" && (length >= 0 || !strings.EqualFold(coding, "chunked")):
		return fmt.Errorf("%w: its body's end is said by %.40q and a length of %d", ErrNotHTTP, coding, length)
	case coding != "":
		q.Body = &chunkedBody{r: r, whole: true}
	case length > 0:
		q.Body = &sizedBody{r, length}
	default:
		return nil
	}
	if q.Minor > 0 && strings.EqualFold(q.Header.Get("Expect"), "100-continue") {
		q.Body = &invitedBody{Reader: q.Body, to: to}
	}
	return nil
}

// invitedBody is a body that is sent when it is asked for.
type invitedBody struct {
	io.Reader
	to io.Writer // nil: it was asked for
}

func (b *invitedBody) Read(p []byte) (int, error) {
	if b.to != nil {
		if _, err := io.WriteString(b.to, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return 0, err
		}
		b.to = nil
	}
	return b.Reader.Read(p)
}

// Last says whether the client wants no other answer on this connection.
func (q *Request) Last() bool {
	if q.Minor == 0 {
		return true
	}
	for _, word := range strings.Split(q.Header.Get("Connection"), ",") {
		if strings.EqualFold(strings.TrimSpace(word), "close") {
			return true
		}
	}
	return false
}

// Write writes the answer to a request: its head at once, and of its body what comes as
// it comes. last says that the connection ends then. Of a body that could not be read to
// its end a client of HTTP/1.1 sees that it is not whole; one of HTTP/1.0 does when the
// caller resets the connection.
func (a *Response) Write(to io.Writer, q *Request, last bool) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "HTTP/1.1 %03d %s\r\n", a.Status, clean(a.Text))
	if err := a.Header.write(w); err != nil {
		return err
	}
	if last {
		w.WriteString("Connection: close\r\n")
	}
	bare := a.Status/100 == 1 || a.Status == 204 || a.Status == 304
	length := a.Header.Get("Content-Length")
	switch {
	case q.Method == "HEAD" && length != "":
		fmt.Fprintf(w, "Content-Length: %s\r\n", length)
	case q.Method == "HEAD" || bare:
	case a.Body == nil:
		w.WriteString("Content-Length: 0\r\n")
	case q.Minor > 0:
		w.WriteString("Transfer-Encoding: chunked\r\n")
	}
	w.WriteString("\r\n")
	if err := w.Flush(); err != nil || a.Body == nil || q.Method == "HEAD" || bare {
		return err
	}
	if q.Minor > 0 {
		return writeChunks(w, a.Body)
	}
	return each(a.Body, func(data []byte) error {
		w.Write(data)
		return w.Flush()
	})
}

// token says whether s is a token (RFC 9110, 5.6.2), as methods and names of headers are.
func token(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7F || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// printable says whether s is of visible characters of ASCII.
func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7F }) < 0
}

// text says whether s can be the value of a header.
func text(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) < 0
}

// clean is a reason as a status line has it.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F {
			return -1
		}
		return r
	}, s)
}
