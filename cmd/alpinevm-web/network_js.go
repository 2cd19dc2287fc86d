package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"alpinevm"
	"alpinevm/net/usernet"
	"alpinevm/net/wisp"
)

// relayNetwork is a network whose way out is the relay at an address. What the guest may
// reach the relay decides.
func (p *page) relayNetwork(url string) *alpinevm.Network {
	r := &relay{page: p, url: url, names: newNames()}
	return &alpinevm.Network{Dialer: r, DNS: usernet.DNSConfig{Lookup: r.names.lookup}, Policy: anything{}}
}

// anything is a policy that leaves it to others.
type anything struct{}

func (anything) Lookup(string) error        { return nil }
func (anything) Connect(usernet.Flow) error { return nil }

// relay is a usernet.Dialer. It connects when it is needed, and again when the relay
// was gone.
type relay struct {
	page  *page
	url   string
	names *names

	mu     sync.Mutex
	client *wisp.Client
}

func (r *relay) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	host := at.Addr().String()
	if name := r.names.of(at.Addr()); name != "" {
		host = name
	}
	c, err := r.connected(ctx)
	if err != nil {
		return nil, err
	}
	return c.DialContext(ctx, network, net.JoinHostPort(host, fmt.Sprint(at.Port())))
}

// connected gives the client, of a new connection if the one before is gone.
func (r *relay) connected(ctx context.Context) (*wisp.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil {
		select {
		case <-r.client.Done():
			r.client = nil
		default:
			return r.client, nil
		}
	}
	s, err := openSocket(ctx, r.url, wisp.Protocol)
	if err == nil {
		r.client, err = wisp.NewClient(ctx, s, s.protocol() == wisp.Protocol)
	}
	if err != nil {
		r.page.send("network", map[string]any{"relay": "lost"})
		return nil, err
	}
	r.page.send("network", map[string]any{"relay": "connected"})
	go func(c *wisp.Client) {
		<-c.Done()
		r.page.send("network", map[string]any{"relay": "lost"})
	}(r.client)
	return r.client, nil
}

// names gives names addresses of their own, for the guest: the relay resolves them.
type names struct {
	mu   sync.Mutex
	next netip.Addr
	addr map[string]netip.Addr
	name map[netip.Addr]string
}

// namesNet is for tests of networks (RFC 2544), so that nobody is there.
var namesNet = netip.MustParsePrefix("198.18.0.0/15")

// maxNames bounds what the guest can have us remember.
const maxNames = 1 << 15

func newNames() *names {
	return &names{next: namesNet.Addr().Next(), addr: map[string]netip.Addr{}, name: map[netip.Addr]string{}}
}

// lookup is a usernet.DNSConfig's Lookup.
func (n *names) lookup(_ context.Context, name string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a, ok := n.addr[name]
	if !ok {
		if a = n.next; !namesNet.Contains(a) || len(n.addr) >= maxNames {
			n.next = namesNet.Addr().Next()
			clear(n.addr)
			clear(n.name)
			a = n.next
		}
		n.next = a.Next()
		n.addr[name], n.name[a] = a, name
	}
	return []netip.Addr{a}, nil
}

// of is the name whose address that is, "" if it is none's.
func (n *names) of(a netip.Addr) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.name[a]
}
