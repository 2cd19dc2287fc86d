package store

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// How long a registry may take: to be connected to, to begin an answer, and
// between two packets of one.
const (
	dialTimeout   = 20 * time.Second
	answerTimeout = 60 * time.Second
	stallTimeout  = 60 * time.Second
)

// newTransport makes what speaks to registries: HTTP with the proxies that the
// environment names and with time limits, but none on a whole transfer.
func newTransport() http.RoundTripper {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return stallConn{c}, nil
		},
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   downloads,
		IdleConnTimeout:       stallTimeout / 2,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: answerTimeout,
		ExpectContinueTimeout: time.Second,
	}
}

// stallConn is a connection that fails when nothing comes for a long time.
type stallConn struct{ net.Conn }

func (c stallConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// errPlain is the error of a registry that has no TLS and is not this host.
type errPlain struct{ host string }

func (e errPlain) Error() string { return fmt.Sprintf("%s offers HTTP without TLS", e.host) }

// secure refuses HTTP without TLS but to this host: to credentials and to
// names that are tags, it would be an open door.
type secure struct{ http.RoundTripper }

func (s secure) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !loopback(r.URL.Host) {
		return nil, errPlain{r.URL.Host}
	}
	return s.RoundTripper.RoundTrip(r)
}
