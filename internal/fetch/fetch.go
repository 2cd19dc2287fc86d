// Package fetch speaks HTTP to servers that others run, registries and mirrors,
// which may be slow, busy, broken or hostile.
//
// A [Client] is for one server, the one that the user has named. Wherever that
// server sends it, by a redirect or by a URL in what it says, it goes to no
// address that is not public, unless the server itself is at one of that kind
// or the user has allowed it. That is asked for at each connection, when the
// name is resolved. The client waits as a server asks it to that has too much to
// do (429 and 503 with Retry-After, RFC 9110 10.2.3), and ends an answer that
// hardly moves. A [Download] goes on where it was cut (RFC 9110 14).
//
// Every error of the network is an [*Error]; what is not one is somebody else's.
//
// Deviation: behind a proxy names are resolved by the proxy, so that only
// addresses in URLs are looked at; a proxy is the network's own door.
package fetch

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpproxy"

	"alpinevm/net/special"
)

// How long a server may take: to be connected to, to begin an answer, and to
// send minBytes more of it.
const (
	dialTimeout   = 20 * time.Second
	answerTimeout = 60 * time.Second
	window        = 60 * time.Second
	minBytes      = 16 << 10
)

// idleConns is how many connections to a server are kept for the next request.
const idleConns = 3

// Config says what a Client is for.
type Config struct {
	// Host is the server that the user has named, with its port if it has one.
	Host string
	// Private lets the server send us to addresses that are not public.
	Private bool
	// Plain allows HTTP without TLS to all hosts, and not just to this one.
	Plain bool
	// Transport is used in place of one with time limits, proxies and a look at
	// addresses; it may be nil.
	Transport http.RoundTripper
	// Waiting is told that a server has asked for a pause; it may be nil.
	Waiting func(host string, d time.Duration)
	// Pause is how long the first retry waits, and a third of how long the next
	// one does; zero is half a second.
	Pause time.Duration
	// Attempts is how often something is asked for that brings nothing new
	// before its error counts; zero is four times.
	Attempts int
}

// Client is an http.RoundTripper. Its methods may be called from any goroutine.
type Client struct {
	cfg   Config
	guard guard
	proxy func(*url.URL) (*url.URL, error)
	inner http.RoundTripper
	later atomic.Int64 // the longest pause that was asked for and not made

	// Tests have others.
	window   time.Duration
	minBytes int64
	sleep    func(context.Context, time.Duration) error
}

// New makes a Client.
func New(cfg Config) *Client {
	if cfg.Pause == 0 {
		cfg.Pause = firstPause
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = attempts
	}
	c := &Client{
		cfg: cfg, window: window, minBytes: minBytes, sleep: sleep,
		proxy: httpproxy.FromEnvironment().ProxyFunc(),
	}
	c.guard = guard{
		home: hostOf(cfg.Host), private: cfg.Private,
		scope: func(to netip.AddrPort) special.Scope { return scopeOf(to.Addr()) },
	}
	c.inner = cfg.Transport
	if c.inner == nil {
		c.inner = c.transport()
	}
	return c
}

// hostOf is a host without its port.
func hostOf(hostport string) string {
	u := url.URL{Host: hostport}
	return u.Hostname()
}

func (c *Client) transport() *http.Transport {
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) { return c.proxy(r.URL) },
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return c.guard.dial(ctx, network, addr)
		},
		OnProxyConnectResponse: proxyAnswered,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // what comes is compressed already
		MaxIdleConnsPerHost:    idleConns,
		IdleConnTimeout:        window / 2,
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  answerTimeout,
		ExpectContinueTimeout:  time.Second,
	}
}

// Close closes connections that are not in use.
func (c *Client) Close() {
	if t, ok := c.inner.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Error is an error of the network, or of what is at its other end.
type Error struct {
	Host  string // that was to be spoken to
	Proxy string // of the network, where it was the proxy that failed, else ""
	Cut   bool   // in the middle of an answer
	Err   error
}

func (e *Error) Error() string {
	if e.Proxy != "" {
		return fmt.Sprintf("%s, through the proxy %s: %v", e.Host, e.Proxy, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Host, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// PlainError is the error of a server that has no TLS and is not this host.
type PlainError struct{ Host string }

func (e *PlainError) Error() string { return e.Host + " offers HTTP without TLS" }

// RoundTrip is part of http.RoundTripper.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := c.admit(r.URL); err != nil {
		return nil, &Error{Host: r.URL.Host, Err: err}
	}
	for left, tries := maxWait, 0; ; tries++ {
		resp, err := c.roundTrip(r)
		if err != nil {
			return nil, err
		}
		d, ok := c.mayWait(r, resp, left, tries)
		if !ok {
			return resp, nil
		}
		drain(resp.Body)
		if c.cfg.Waiting != nil {
			c.cfg.Waiting(r.URL.Host, d)
		}
		if err := c.sleep(r.Context(), d); err != nil {
			return nil, err
		}
		left -= d
	}
}

// admit refuses a URL for what it says.
func (c *Client) admit(u *url.URL) error {
	if u.Scheme != "https" && !c.cfg.Plain && !Loopback(u.Host) {
		return &PlainError{u.Host}
	}
	return c.guard.admitURL(u)
}

// roundTrip makes one request, whose answer has to move.
func (c *Client) roundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	proxy := c.Proxy(r.URL)
	var t *tunnel
	if proxy != nil {
		ctx, t = through(ctx)
	}
	resp, err := c.inner.RoundTrip(r.WithContext(ctx))
	if err == nil && proxy != nil && r.URL.Scheme == "http" && resp.StatusCode == http.StatusProxyAuthRequired {
		resp.Body.Close()
		err = &proxyStatus{resp.Status}
	}
	if err != nil {
		cancel(nil)
		e := &Error{Host: r.URL.Host, Err: err}
		if proxy != nil && t.byProxy(proxy, err) {
			e.Proxy = proxy.Host
		}
		return nil, byUser(r, e)
	}
	resp.Body = &moving{
		body: resp.Body, ctx: ctx, cancel: cancel, window: c.window, least: c.minBytes, left: c.window,
		failed: func(err error) error { return byUser(r, &Error{Host: r.URL.Host, Err: err, Cut: true}) },
	}
	return resp, nil
}

// byUser gives the plain error where the user has ended the request.
func byUser(r *http.Request, e *Error) error {
	if r.Context().Err() != nil {
		return e.Err
	}
	return e
}

// drain reads what is left of a short body, so that its connection is used again.
func drain(body io.ReadCloser) {
	io.CopyN(io.Discard, body, 64<<10)
	body.Close()
}

// sleep waits, but not longer than ctx lives.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hostOfURL is a URL's host, for a message.
func hostOfURL(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		return u.Host
	}
	return raw
}
