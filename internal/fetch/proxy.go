package fetch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
)

// viaProxy is the key of a request's context that goes through a proxy, whose
// address is the user's choice. Its value is a tunnel.
type viaProxy struct{}

// A tunnel is how far a request through a proxy has come.
type tunnel struct {
	answered atomic.Bool // the proxy has, to CONNECT
	got      atomic.Bool // there is a connection
}

// through marks a request as one that goes through a proxy.
func through(ctx context.Context) (context.Context, *tunnel) {
	t := &tunnel{}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { t.got.Store(true) }})
	return context.WithValue(ctx, viaProxy{}, t), t
}

// Proxy is the proxy that requests for u go through; nil for none.
func (c *Client) Proxy(u *url.URL) *url.URL {
	if c.cfg.Transport != nil {
		return nil
	}
	p, err := c.proxy(u)
	if err != nil {
		return nil // net/http asks too, and says so
	}
	return p
}

// proxyStatus is the error of a proxy that has answered, and not as was asked.
type proxyStatus struct{ status string }

func (e *proxyStatus) Error() string { return e.status }

// proxyAnswered looks at a proxy's answer to CONNECT.
func proxyAnswered(ctx context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if t, ok := ctx.Value(viaProxy{}).(*tunnel); ok {
		t.answered.Store(true)
	}
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyStatus{answer.Status}
}

// byProxy tells whether it was the proxy that has failed. net/http names some of
// its operations; others end before there is a connection.
func (t *tunnel) byProxy(p *url.URL, err error) bool {
	var op *net.OpError
	var status *proxyStatus
	switch {
	case errors.As(err, &status):
		return true
	case errors.As(err, &op) && (op.Op == "proxyconnect" || strings.HasPrefix(op.Op, "socks ")):
		return true
	}
	return strings.HasPrefix(p.Scheme, "http") && !t.answered.Load() && !t.got.Load()
}
