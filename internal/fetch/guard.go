package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"alpinevm/net/special"
)

// A guard decides which addresses may be connected to.
type guard struct {
	home    string // the host that the user has named
	private bool
	scope   func(netip.AddrPort) special.Scope // tests have another one
	resolve *net.Resolver                      // nil: the usual one

	mu   sync.Mutex
	seen map[special.Scope]bool // of the addresses of home that were connected to
}

// AddressError is the error of a server that sends us where it must not.
type AddressError struct {
	Server string // that does
	Host   string // that it sends us to
	Addr   string // of that
	Scope  special.Scope
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("%s sends us to %s, %s", e.Server, e.at(), e.Scope)
}

// at is where the server sends us to.
func (e *AddressError) at() string {
	if e.Host == e.Addr {
		return e.Host
	}
	return fmt.Sprintf("%s (%s)", e.Host, e.Addr)
}

// dial connects to addr, a host and a port.
func (g *guard) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Resolver: g.resolve}
	if ctx.Value(viaProxy{}) == nil {
		d.ControlContext = func(_ context.Context, _, to string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(to)
			if err != nil {
				return err
			}
			return g.admit(hostOf(addr), ap, true)
		}
	}
	return d.DialContext(ctx, network, addr)
}

// admitURL refuses a URL that says by itself that it must not be asked for,
// whoever resolves its name.
func (g *guard) admitURL(u *url.URL) error {
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	if err != nil {
		if !local(host) {
			return nil
		}
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	port, _ := strconv.ParseUint(u.Port(), 10, 16)
	return g.admit(host, netip.AddrPortFrom(addr, uint16(port)), false)
}

// admit refuses an address of host. connect tells that it is about to be
// connected to.
func (g *guard) admit(host string, to netip.AddrPort, connect bool) error {
	addr := to.Addr().Unmap().WithZone("")
	scope := g.scope(netip.AddrPortFrom(addr, to.Port()))
	g.mu.Lock()
	defer g.mu.Unlock()
	if strings.EqualFold(host, g.home) {
		if connect {
			if g.seen == nil {
				g.seen = map[special.Scope]bool{}
			}
			g.seen[scope] = true
		}
		return nil
	}
	// A server that is also at a public address is not inside.
	if scope == special.Public || g.private || g.seen[scope] && !g.seen[special.Public] {
		return nil
	}
	return &AddressError{g.home, host, addr.String(), scope}
}

// Loopback tells whether a host, with or without a port, is by its name this
// host.
func Loopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// local tells whether a name is one of this host (RFC 6761 6.3).
func local(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
