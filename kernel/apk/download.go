package apk

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"alpinevm/internal/fetch"
)

// attempts is how often something is asked for before its error counts.
const attempts = 3

// newClient makes what speaks to the mirror. Packages and indexes are signed, so
// that it needs no TLS.
func (c *Cache) newClient() *fetch.Client {
	return fetch.New(fetch.Config{
		Host: host(c.cfg.Mirror), Private: c.cfg.PrivateRedirects, Plain: true, Transport: c.cfg.Transport,
		Pause: c.pause, Attempts: attempts, Waiting: c.waiting,
	})
}

func (c *Cache) waiting(host string, d time.Duration) {
	_, end := c.cfg.Progress("the pause of "+d.String()+" that "+host+" asks for", -1)
	end(nil)
}

// url is that of a release's repository, with a slash at its end.
func (c *Cache) url(release string) string {
	return c.cfg.Mirror + "/" + release + "/" + c.cfg.Repository + "/" + c.cfg.Arch + "/"
}

// index fetches and verifies an index.
func (c *Cache) index(ctx context.Context, net *fetch.Client, base string) (*Index, error) {
	var x *Index
	err := c.download(ctx, net, base+"APKINDEX.tar.gz", "APKINDEX", -1, maxIndex, func(r io.Reader) error {
		data, err := io.ReadAll(io.LimitReader(r, maxIndex))
		if err == nil {
			x, err = ParseIndex(data, c.cfg.Keys)
		}
		return err
	})
	return x, err
}

// fetch puts a package's data into the cache.
func (c *Cache) fetch(ctx context.Context, net *fetch.Client, from string, info Info, to string) error {
	size, most := info.Size, info.Size
	if size <= 0 {
		size, most = -1, maxPackage
	}
	return c.download(ctx, net, from, info.Name+"-"+info.Version, size, most, func(r io.Reader) error {
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
		return c.placeData(to, o)
	})
}

// placeData unpacks a package's data into their place.
func (c *Cache) placeData(to string, o *opened) error {
	sum := sha256.New()
	err := c.place(to, func(w io.Writer) error { return o.unpack(io.MultiWriter(&roomy{c: c, w: w}, sum)) })
	if err != nil {
		return err
	}
	return c.placeSum(to, sum.Sum(nil))
}

// statusError is an answer that is none.
type statusError struct {
	url   string
	proxy string // that it came through, "" for none
	code  int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s: %d %s", e.url, e.code, http.StatusText(e.code))
}

// passing tells whether an answer may be another one the next time.
func passing(err error) bool {
	var s *statusError
	return errors.As(err, &s) && (fetch.PassingStatus(s.code) || s.code == http.StatusTooManyRequests)
}

// download has take read a file of size bytes, as far as that is known, and of
// at most that many. What ends too early, or has changed meanwhile, is read anew.
func (c *Cache) download(ctx context.Context, net *fetch.Client, from, what string, size, most int64, take func(io.Reader) error) error {
	add, end := func(int64) {}, func(error) {}
	started := false
	pause := c.pause
	for try := 1; ; try++ {
		d, err := net.Download(ctx, c.source(net, from))
		if err != nil {
			end(err)
			return err
		}
		if !started {
			started = true
			add, end = c.cfg.Progress(what, max(size, d.Size()))
		}
		n := int64(0)
		err = take(&limited{readerFunc(func(p []byte) (int, error) {
			k, err := d.Read(p)
			n += int64(k)
			add(int64(k))
			return k, err
		}), most, "what comes"})
		d.Close()
		if err != nil && ctx.Err() != nil {
			err = ctx.Err() // whatever else went wrong
		}
		var broken *fetch.Error
		again := !errors.As(err, &broken) && (errors.Is(err, ErrTruncated) || errors.Is(err, fetch.ErrChanged))
		if err == nil || try == attempts || !again {
			end(err)
			return err
		}
		add(-n)
		if err := net.Pause(ctx, pause); err != nil {
			end(err)
			return err
		}
		pause *= 3
	}
}

// source is a file of the mirror's. It is as long as the mirror says; whether it
// is all of the package shows when it is unpacked.
func (c *Cache) source(net *fetch.Client, from string) fetch.Source {
	return fetch.Source{
		Do: (&http.Client{Transport: net}).Do, URL: from, Size: -1, Passing: passing,
		Status: func(r *http.Response) error {
			e := &statusError{url: from, code: r.StatusCode}
			if p := net.Proxy(r.Request.URL); p != nil && r.Request.URL.Scheme == "http" {
				e.proxy = p.Host // which may have answered in the mirror's place
			}
			return e
		},
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// host is that of a URL, for a message.
func host(rawURL string) string {
	if u, err := url.Parse(rawURL); err == nil && u.Host != "" {
		return u.Host
	}
	return rawURL
}
