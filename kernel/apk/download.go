package apk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// How long a repository may take: to be connected to, to begin an answer, and
// between two packets of one.
const (
	dialTimeout   = 20 * time.Second
	answerTimeout = 60 * time.Second
	stallTimeout  = 60 * time.Second
)

// attempts is how often something is asked for before its error counts.
const attempts = 3

func newTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return stallConn{c}, nil
	}
	t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = dialTimeout, answerTimeout
	return t
}

// stallConn is a connection that fails when nothing comes for a long time.
type stallConn struct{ net.Conn }

func (c stallConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// url is that of a release's repository, with a slash at its end.
func (c *Cache) url(release string) string {
	return c.cfg.Mirror + "/" + release + "/" + c.cfg.Repository + "/" + c.cfg.Arch + "/"
}

// index fetches and verifies an index.
func (c *Cache) index(ctx context.Context, base string) (*Index, error) {
	var x *Index
	err := c.download(ctx, base+"APKINDEX.tar.gz", "APKINDEX", -1, maxIndex, func(r io.Reader) error {
		data, err := io.ReadAll(io.LimitReader(r, maxIndex))
		if err == nil {
			x, err = ParseIndex(data, c.cfg.Keys)
		}
		return err
	})
	return x, err
}

// fetch puts a package's data into the cache.
func (c *Cache) fetch(ctx context.Context, from string, info Info, to string) error {
	size, most := info.Size, info.Size
	if size <= 0 {
		size, most = -1, maxPackage
	}
	return c.download(ctx, from, info.Name+"-"+info.Version, size, most, func(r io.Reader) error {
		return c.place(to, func(w io.Writer) error {
			o, err := open(r)
			if err != nil {
				return err
			}
			if o.Checksum != info.Checksum {
				return fmt.Errorf("%w: its control files are %.12s, and should be %.12s", ErrHash, o.Checksum, info.Checksum)
			}
			if o.Name != info.Name || o.Version != info.Version {
				return fmt.Errorf("%w: it is %s", ErrHash, o.FileName())
			}
			return o.unpack(w)
		})
	})
}

// statusError is an answer that is none.
type statusError struct {
	url  string
	code int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s: %d %s", e.url, e.code, http.StatusText(e.code))
}

// download has take read a file of size bytes, as far as that is known, and of
// at most that many. It asks again while errors look as if they would pass.
func (c *Cache) download(ctx context.Context, from, what string, size, most int64, take func(io.Reader) error) error {
	add, end := func(int64) {}, func(error) {}
	started := false
	pause := c.pause
	for try := 1; ; try++ {
		n := int64(0)
		err := c.request(ctx, from, func(r *http.Response) error {
			if !started {
				started = true
				add, end = c.cfg.Progress(what, max(size, r.ContentLength))
			}
			return take(&limited{readerFunc(func(p []byte) (int, error) {
				k, err := r.Body.Read(p)
				n += int64(k)
				add(int64(k))
				return k, err
			}), most, "what comes"})
		})
		if err != nil && ctx.Err() != nil {
			err = ctx.Err() // whatever else went wrong
		}
		if err == nil || try == attempts || !passing(err) {
			end(err)
			return err
		}
		add(-n)
		select {
		case <-time.After(pause + rand.N(pause/4+1)):
		case <-ctx.Done():
			end(ctx.Err())
			return ctx.Err()
		}
		pause *= 3
	}
}

// request gives take the answer to a GET.
func (c *Cache) request(ctx context.Context, from string, take func(*http.Response) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: c.cfg.Transport}
	r, err := client.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return &statusError{from, r.StatusCode}
	}
	return take(r)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// passing tells whether an error may be gone when the same is tried again.
func passing(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		return status.code >= 500 && status.code != http.StatusNotImplemented || status.code == http.StatusRequestTimeout || status.code == http.StatusTooManyRequests
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary && !dns.IsNotFound
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// host is that of a URL, for a message.
func host(rawURL string) string {
	if u, err := url.Parse(rawURL); err == nil && u.Host != "" {
		return u.Host
	}
	return rawURL
}
