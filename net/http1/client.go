package http1

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Write writes the request to its end. There will be no other on the connection.
func (r *Request) Write(to io.Writer) error {
	for _, part := range []string{r.Method, r.Target, r.Host} {
		if part == "" || strings.ContainsAny(part, " \r\n\x00") {
			return fmt.Errorf("%.80q cannot be in a request", part)
		}
	}
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", r.Method, r.Target, r.Host)
	if err := r.Header.write(w); err != nil {
		return err
	}
	if r.Body == nil {
		w.WriteString("\r\n")
		return w.Flush()
	}
	w.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	if err := w.Flush(); err != nil {
		return err
	}
	return writeChunks(w, r.Body)
}

// ReadResponse reads the head of the answer to a request of that method.
func ReadResponse(r *bufio.Reader, method string) (*Response, error) {
	left := maxHead
	for {
		a, err := readStatus(r, &left)
		if err != nil {
			return nil, err
		}
		if a.Status/100 == 1 { // another one follows
			continue
		}
		return a, a.frame(r, method)
	}
}

func readStatus(r *bufio.Reader, left *int) (*Response, error) {
	first, err := line(r, left)
	if err != nil {
		return nil, err
	}
	version, rest, _ := strings.Cut(first, " ")
	code, text, _ := strings.Cut(rest, " ")
	a := &Response{Text: text}
	if a.Status, err = strconv.Atoi(code); err != nil || !strings.HasPrefix(version, "HTTP/1.") || len(code) != 3 || a.Status < 100 {
		return nil, fmt.Errorf("%w: it begins with %.40q", ErrNotHTTP, first)
	}
	a.Header, err = headers(r, left)
	return a, err
}

// frame finds out where the body ends (RFC 9112, 6.3).
func (a *Response) frame(r *bufio.Reader, method string) error {
	length, err := a.Header.length()
	switch {
	case method == "HEAD" || a.Status == 204 || a.Status == 304:
		a.Body = strings.NewReader("")
	case strings.EqualFold(a.Header.Get("Transfer-Encoding"), "chunked"):
		a.Body = &chunkedBody{r: r}
	case err != nil:
		return err
	case length >= 0:
		a.Body = &sizedBody{r, length}
	default:
		a.Body = r
	}
	return nil
}
