package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/coder/websocket"

	"alpinevm/net/usernet"
	"alpinevm/net/wisp"
)

// relay is the way out of machines in browsers. What they may reach is decided here,
// as it is for a machine of our own: who runs in a tab is no more trusted.
type relay struct {
	rules        *usernet.Rules
	hostNetworks func() ([]netip.Prefix, error)
	resolve      func(ctx context.Context, name string) ([]netip.Addr, error)
	token        string // in the path, so that nobody else uses it
}

// newRelay makes a relay with a token of its own.
func newRelay(rules *usernet.Rules, hostNetworks func() ([]netip.Prefix, error)) *relay {
	return &relay{rules, hostNetworks, func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}, rand.Text()}
}

// path is where it is.
func (r *relay) path() string { return "relay/" + r.token + "/" }

// ServeHTTP takes a client that comes from our own page: browsers say by Origin which
// page it is.
func (r *relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	c, err := websocket.Accept(w, req, &websocket.AcceptOptions{Subprotocols: []string{wisp.Protocol}, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	c.SetReadLimit(relayMessage)
	wisp.Serve(req.Context(), socketPipe{c}, c.Subprotocol() == wisp.Protocol, wisp.Config{Dial: r.dial})
}

// relayMessage bounds a message of a client, in bytes.
const relayMessage = 1 << 20

// socketPipe is a WebSocket as a wisp.Pipe.
type socketPipe struct{ c *websocket.Conn }

func (p socketPipe) Receive(ctx context.Context) ([]byte, error) {
	_, m, err := p.c.Read(ctx)
	return m, err
}

func (p socketPipe) Send(ctx context.Context, m []byte) error {
	return p.c.Write(ctx, websocket.MessageBinary, m)
}

func (p socketPipe) Close() error { return p.c.Close(websocket.StatusNormalClosure, "") }

// errBlocked is of what the rules do not let through.
var errBlocked = &wisp.Error{Reason: wisp.ReasonBlocked}

// dial makes a connection to an address that the rules allow: to the one that was
// asked about, and to no other.
func (r *relay) dial(ctx context.Context, network, host string, port uint16) (net.Conn, error) {
	addrs, names, err := r.addrs(ctx, host)
	if err != nil {
		return nil, err
	}
	blocked := false
	var failed error
	for _, a := range addrs {
		f := usernet.Flow{Network: network, Remote: netip.AddrPortFrom(a, port), Reach: r.reach(a), Names: names}
		if f.Reach == usernet.Never || r.rules.Connect(f) != nil {
			blocked = true
			continue
		}
		c, err := new(net.Dialer).DialContext(ctx, network, f.Remote.String())
		if err == nil {
			return c, nil
		}
		failed = err
	}
	switch {
	case failed != nil:
		return nil, failed
	case blocked:
		return nil, errBlocked
	}
	return nil, &wisp.Error{Reason: wisp.ReasonUnreachable}
}

// addrs are those of a host, which is an address or a name; names are then what it is
// called.
func (r *relay) addrs(ctx context.Context, host string) (addrs []netip.Addr, names []string, err error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap().WithZone("")}, nil, nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if r.rules.Lookup(name) != nil {
		return nil, nil, errBlocked
	}
	all, err := r.resolve(ctx, name)
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsTimeout {
			return nil, nil, &wisp.Error{Reason: wisp.ReasonTimeout}
		}
		return nil, nil, &wisp.Error{Reason: wisp.ReasonUnreachable}
	}
	for _, a := range all {
		if a = a.Unmap().WithZone(""); !a.IsLoopback() {
			addrs = append(addrs, a)
		}
	}
	return addrs, []string{name}, nil
}

// reach is what an address is. The guest asks for the host's loopback by the gateway's
// address, which has become 127.0.0.1 on the way here.
func (r *relay) reach(a netip.Addr) usernet.Reach {
	if a.IsLoopback() {
		return usernet.Host
	}
	return usernet.ReachOf(a, r.hostNetworks)
}
