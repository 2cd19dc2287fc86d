package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

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
	err   error // once it has ended
	// whole says that what follows the last chunk is read too: another message comes.
	whole bool
}

func (b *chunkedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.left == 0 {
		if b.err = b.next(); b.err == nil && b.left == 0 {
			b.err = b.end()
		}
		if b.err != nil {
			return 0, b.err
		}
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads the head of a chunk.
func (b *chunkedBody) next() error {
	left := maxHead
	if b.began {
		if end, err := line(b.r, &left); err != nil || end != "" {
			return errors.Join(err, fmt.Errorf("%w: a chunk ends with %.40q", ErrNotHTTP, end))
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
		return fmt.Errorf("%w: a chunk begins with %.40q", ErrNotHTTP, l)
	}
	return nil
}

// end reads the trailer, of which nobody wants anything.
func (b *chunkedBody) end() error {
	if b.whole {
		left := maxRequest
		if _, err := headers(b.r, &left); err != nil {
			return err
		}
	}
	return io.EOF
}

// writeChunks writes a body in chunks, each as it comes.
func writeChunks(w *bufio.Writer, body io.Reader) error {
	err := each(body, func(data []byte) error {
		fmt.Fprintf(w, "%x\r\n", len(data))
		w.Write(data)
		w.WriteString("\r\n")
		return w.Flush()
	})
	if err != nil {
		return err
	}
	w.WriteString("0\r\n\r\n")
	return w.Flush()
}

// each hands out a body's parts as they come.
func each(body io.Reader, take func([]byte) error) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if err := take(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
