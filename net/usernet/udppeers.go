package usernet

import (
	"net/netip"
	"sync"
	"time"
)

// udpPeers are those that a port of the guest's has sent to, and that may answer:
// from any port, if it was the address's turn within the time that a flow may be
// idle.
type udpPeers struct {
	max  int
	idle time.Duration
	now  func() time.Time

	mu     sync.Mutex
	guests map[netip.AddrPort]netip.AddrPort // by the address that the guest knows
	hosts  map[netip.AddrPort]*udpPeer       // by the one on the host's side
	addrs  map[netip.Addr]*udpAddr           // of those, by address
}

// udpPeer is an address and port that datagrams go to or come from.
type udpPeer struct {
	guest, host netip.AddrPort
	at          *udpAddr
	last        time.Time // when it was used
}

// udpAddr is an address with at least one peer.
type udpAddr struct {
	guest netip.Addr
	asked time.Time // when the guest has sent something there
	peers int
}

// How many peers a flow remembers; the one not used for longest gives way.
const (
	bigPeers   = 2048
	smallPeers = 128
)

func newUDPPeers(big bool, idle time.Duration) *udpPeers {
	p := &udpPeers{
		max: smallPeers, idle: idle, now: time.Now,
		guests: map[netip.AddrPort]netip.AddrPort{}, hosts: map[netip.AddrPort]*udpPeer{}, addrs: map[netip.Addr]*udpAddr{},
	}
	if big {
		p.max = bigPeers
	}
	return p
}

// sendTo is where datagrams for an address that the guest knows go; invalid if that
// has not been decided lately.
func (p *udpPeers) sendTo(guest netip.AddrPort) netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	peer := p.hosts[p.guests[guest]]
	if peer == nil || p.stale(peer.at) {
		return netip.AddrPort{}
	}
	peer.last, peer.at.asked = p.now(), p.now()
	return peer.host
}

// ask notes that the guest may send to an address, and does.
func (p *udpPeers) ask(guest, host netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(guest, host).at.asked = p.now()
}

// answer is the address that the guest knows for one that a datagram has come
// from; invalid if it was not asked.
func (p *udpPeers) answer(host netip.AddrPort) netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.addrs[host.Addr()]
	if at == nil || p.stale(at) {
		return netip.AddrPort{}
	}
	guest := netip.AddrPortFrom(at.guest, host.Port())
	if p.hosts[host] != nil || len(p.hosts) < p.max { // it has no claim to the place of one that was asked
		p.add(guest, host)
	}
	return guest
}

// asked is the address that the guest knows for a peer; invalid if it is none.
func (p *udpPeers) asked(host netip.AddrPort) netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	if peer := p.hosts[host]; peer != nil {
		return peer.guest
	}
	return netip.AddrPort{}
}

func (p *udpPeers) stale(at *udpAddr) bool { return p.now().Sub(at.asked) > p.idle }

// add finds or makes a peer.
func (p *udpPeers) add(guest, host netip.AddrPort) *udpPeer {
	peer := p.hosts[host]
	if peer == nil {
		if len(p.hosts) >= p.max {
			p.forgetOldest()
		}
		at := p.addrs[host.Addr()]
		if at == nil {
			at = &udpAddr{guest: guest.Addr()}
			p.addrs[host.Addr()] = at
		}
		at.peers++
		peer = &udpPeer{guest: guest, host: host, at: at}
		p.hosts[host], p.guests[guest] = peer, host
	}
	peer.last = p.now()
	return peer
}

func (p *udpPeers) forgetOldest() {
	var oldest *udpPeer
	for _, peer := range p.hosts {
		if oldest == nil || peer.last.Before(oldest.last) {
			oldest = peer
		}
	}
	delete(p.hosts, oldest.host)
	delete(p.guests, oldest.guest)
	if oldest.at.peers--; oldest.at.peers == 0 {
		delete(p.addrs, oldest.host.Addr())
	}
}
