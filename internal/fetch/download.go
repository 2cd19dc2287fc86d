package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The defaults of Config.Attempts and Config.Pause; each pause is three times as
// long as the one before.
const (
	attempts   = 4
	firstPause = 500 * time.Millisecond
)

// ErrChanged is the error of a file that has changed while it was downloaded.
var ErrChanged = errors.New("it has changed while it was downloaded")

// A Source is what a Download reads.
type Source struct {
	// Do makes a request, with the redirects that it leads to.
	Do func(*http.Request) (*http.Response, error)
	// URL is asked for.
	URL string
	// Size is how many bytes there are; -1 if that is not known.
	Size int64
	// Fixed tells that the bytes are always the same, whoever serves them.
	Fixed bool
	// Status makes an error of an answer that is no success, and may read it.
	Status func(*http.Response) error
	// Passing tells whether an error of Status may be gone the next time.
	Passing func(error) bool
}

// A Download is a body that goes on where it was cut. One goroutine uses it.
type Download struct {
	c    *Client
	ctx  context.Context
	src  Source
	body io.ReadCloser // nil: to be asked for
	off  int64
	size int64  // of the whole, -1 if it is not known
	tag  string // of the version that is read
	all  bool   // the server does not understand Range

	resumed bool

	fails int // in a row, without a byte
	pause time.Duration
	// Since then, and that byte on, the rate is looked at.
	since time.Time
	mark  int64
}

// Download asks for a file. Its reader is told nothing of errors that pass.
func (c *Client) Download(ctx context.Context, src Source) (*Download, error) {
	d := &Download{c: c, ctx: ctx, src: src, size: src.Size, pause: c.cfg.Pause, since: time.Now()}
	for {
		err := d.ask()
		if err == nil {
			return d, nil
		}
		if err = d.again(err); err != nil {
			return nil, err
		}
	}
}

// Size is how many bytes there are, -1 if that is not known.
func (d *Download) Size() int64 { return d.size }

// Resumed tells whether the bytes are those of several answers.
func (d *Download) Resumed() bool { return d.resumed }

// Read is part of io.Reader.
func (d *Download) Read(p []byte) (int, error) {
	for {
		err := d.ask()
		if err == nil {
			var n int
			if n, err = d.body.Read(p); n > 0 {
				d.off += int64(n)
				d.fails, d.pause = 0, d.c.cfg.Pause
				return n, nil // the error, if there is one, comes again
			}
		}
		switch {
		case err == nil:
			continue
		case err == io.EOF && d.off < d.size:
			err = d.failed(fmt.Errorf("%d bytes of %d: %w", d.off, d.size, io.ErrUnexpectedEOF))
		case err == io.EOF:
			return 0, io.EOF
		}
		if err = d.again(err); err != nil {
			return 0, err
		}
	}
}

// Close is part of io.Closer.
func (d *Download) Close() error {
	if d.body == nil {
		return nil
	}
	return d.body.Close()
}

// again decides what to do about an error, and waits before another attempt.
func (d *Download) again(err error) error {
	if d.body != nil {
		d.body.Close()
		d.body = nil
	}
	if e := d.ctx.Err(); e != nil {
		return e // whatever else went wrong
	}
	if d.fails++; d.fails >= d.c.cfg.Attempts || !Passing(err) && !(d.src.Passing != nil && d.src.Passing(err)) {
		return err
	}
	// A server that cuts must bring as much as one that is slow.
	if now := time.Now(); now.Sub(d.since) > d.c.window {
		if d.off-d.mark < d.c.minBytes {
			return d.failed(ErrSlow)
		}
		d.since, d.mark = now, d.off
	}
	if err := d.c.Pause(d.ctx, d.pause); err != nil {
		return err
	}
	d.pause *= 3
	return nil
}

// Pause waits for about that long, so that many do not come back at once.
func (c *Client) Pause(ctx context.Context, d time.Duration) error {
	return c.sleep(ctx, d+rand.N(d/4+1))
}

// ask makes the request, unless its answer is being read.
func (d *Download) ask() error {
	if d.body != nil {
		return nil
	}
	r, err := http.NewRequestWithContext(d.ctx, http.MethodGet, d.src.URL, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept-Encoding", "identity")
	switch {
	case d.off == 0 || d.all:
	case d.size > d.off: // some servers want both ends
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", d.off, d.size-1))
	default:
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.off))
	}
	resp, err := d.src.Do(r)
	if err != nil {
		return err
	}
	if err := d.take(resp); err != nil {
		resp.Body.Close()
		return err
	}
	d.body = resp.Body
	return nil
}

// take brings an answer to where the reader is.
func (d *Download) take(resp *http.Response) error {
	from, total := int64(0), resp.ContentLength
	switch said := resp.Header.Get("Content-Range"); resp.StatusCode {
	case http.StatusOK:
	case http.StatusPartialContent:
		var ok bool
		if from, total, ok = contentRange(said); !ok || from > d.off {
			return d.failed(fmt.Errorf("bytes from %d on were asked for, and %q came", d.off, said))
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if d.off > 0 && said == fmt.Sprintf("bytes */%d", d.off) {
			resp.Body.Close()
			resp.Body = http.NoBody // there is no more
			return nil
		}
		if d.off > 0 && !d.all {
			d.all = true
			return &Error{Host: hostOfURL(d.src.URL), Err: errors.New(resp.Status), Cut: true}
		}
		fallthrough
	default:
		if err := d.src.Status(resp); err != nil {
			return err
		}
		return d.failed(errors.New(resp.Status))
	}
	if !d.src.Fixed {
		tag := resp.Header.Get("ETag") + " " + resp.Header.Get("Last-Modified")
		if d.off > 0 && (tag != d.tag || total >= 0 && d.size >= 0 && total != d.size) {
			return ErrChanged
		}
		d.tag = tag
	}
	if d.size < 0 {
		d.size = total
	}
	d.resumed = d.off > 0
	_, err := io.CopyN(io.Discard, resp.Body, d.off-from)
	if err == io.EOF {
		err = d.failed(io.ErrUnexpectedEOF)
	}
	return err
}

// failed makes an Error of what an answer says.
func (d *Download) failed(err error) error { return &Error{Host: hostOfURL(d.src.URL), Err: err} }

// contentRange reads "bytes 10-19/20"; total is -1 where it is "*".
func contentRange(s string) (from, total int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes ")
	span, all, ok2 := strings.Cut(s, "/")
	first, _, ok3 := strings.Cut(span, "-")
	from, err := strconv.ParseInt(strings.TrimSpace(first), 10, 63)
	if total = -1; all != "*" && err == nil {
		total, err = strconv.ParseInt(all, 10, 63)
	}
	return from, total, ok && ok2 && ok3 && err == nil && from >= 0
}

// Passing tells whether an error of the network may be gone when the same is
// tried again.
func Passing(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary && !dns.IsNotFound
	}
	var timeout net.Error
	return e.Cut || errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, ErrSlow) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "http2: ") || strings.Contains(err.Error(), "stream error: ") // whose types net/http keeps to itself
}

// PassingStatus is Passing of an answer.
func PassingStatus(code int) bool {
	return code >= 500 && code != http.StatusNotImplemented || code == http.StatusRequestTimeout
}
