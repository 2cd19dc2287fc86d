package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"alpinevm"
	"alpinevm/net/standin"
	"alpinevm/net/usernet"
	"alpinevm/net/wisp"
)

// relayNetwork is a network whose way out is the relay at an address. What the guest may
// reach the relay decides.
func (p *page) relayNetwork(url string) *alpinevm.Network {
	r := &relay{page: p, url: url, names: standin.New()}
	return &alpinevm.Network{Dialer: r, DNS: usernet.DNSConfig{Lookup: r.names.Lookup}, Policy: anything{}}
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
	names *standin.Names

	mu     sync.Mutex
	client *wisp.Client
}

func (r *relay) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	host := at.Addr().String()
	if name := r.names.Of(at.Addr()); name != "" {
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
		r.lost(err.Error())
		return nil, err
	}
	r.page.send("network", map[string]any{"way": wayRelay, "relay": "connected"})
	go func(c *wisp.Client) {
		<-c.Done()
		r.lost("it has ended the connection")
	}(r.client)
	return r.client, nil
}

// lost tells the page that the relay is not there, and why.
func (r *relay) lost(why string) {
	r.page.send("network", map[string]any{"way": wayRelay, "relay": "lost",
		"why": fmt.Sprintf("The relay %s is not there: %s. Look whether its server still runs; it is asked again when the guest connects.", r.url, why)})
}
