package main

import (
	"fmt"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/internal/website"
	"alpinevm/net/httpgate"
	"alpinevm/net/usernet"
)

// Ways out of a machine, as the page names them.
const (
	wayRelay = "relay" // at an address
	wayFetch = "fetch" // by the browser's fetch
	wayNone  = "none"  // it leads nowhere; the page reaches the guest's servers
)

// network gives the machine the network that the page wants.
func (p *page) network(cfg *alpinevm.Config) error {
	n := p.port.Get("network")
	switch way := text(n.Get("way")); way {
	case wayRelay:
		cfg.Network = p.relayNetwork(text(n.Get("relay")))
	case wayFetch:
		g, err := httpgate.New(httpgate.Config{
			Fetcher: fetcher{}, HTTPS: texts(n.Get("https")), Mirrors: texts(n.Get("mirrors")), Secure: n.Get("secure").Truthy(),
			Tell: func(s string) { p.send("notice", map[string]any{"text": s}) },
		})
		if err != nil {
			return err
		}
		cfg.Network = gateNetwork(g)
		if err := website.PlainRepositories(cfg.Session.Root, g.Secures); err != nil && !fs9p.IsFull(err) {
			return err
		}
	case wayNone:
		cfg.Network = insideNetwork()
	default:
		return fmt.Errorf("BUG: the page asks for a network %q", way)
	}
	return nil
}

// gateNetwork is a network whose way out is what a gate fetches.
func gateNetwork(g *httpgate.Gate) *alpinevm.Network {
	return &alpinevm.Network{Dialer: g, DNS: usernet.DNSConfig{Lookup: g.Addrs}, Policy: gatePolicy{g}}
}

// gatePolicy lets the guest reach what a gate fetches.
type gatePolicy struct{ *httpgate.Gate }

// Connect is part of usernet.Policy.
func (p gatePolicy) Connect(f usernet.Flow) error {
	if f.Inbound {
		return nil
	}
	return p.Gate.Connect(f.Network, f.Remote)
}
