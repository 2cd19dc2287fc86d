package usernet

import (
	"net/netip"
	"sync"
	"time"
)

// udpPeers are those that a port of the guest's has sent to, and that may answer:
// from any port that the policy lets the guest send to, if the address was asked
// within the time that a flow may be idle.
type udpPeers struct {
	n     *Network
	guest netip.AddrPort
	max   int
	now   func() time.Time

	mu     sync.Mutex
	guests map[netip.AddrPort]*udpPeer // by the address that the guest knows
	hosts  map[netip.AddrPort]*udpPeer // by the one on the host's side
	addrs  map[netip.Addr]*udpAddr     // of those, by address
}

// udpPeer is an address and port that datagrams go to or come from.
type udpPeer struct {
	guest, host netip.AddrPort
	at          *udpAddr
	last        time.Time // when it was used
	counts      *account
}

// udpAddr is an address with at least one peer.
type udpAddr struct {
	guest netip.Addr
	asked time.Time // when the guest has sent something there
	peers int
}

// How many peers a flow remembers; the one not used for longest gives way.
const (
	bigPeers   = 1024
	smallPeers = 32
)

func newUDPPeers(n *Network, guest netip.AddrPort, big bool) *udpPeers {
	p := &udpPeers{
		n: n, guest: guest, max: smallPeers, now: time.Now,
		guests: map[netip.AddrPort]*udpPeer{}, hosts: map[netip.AddrPort]*udpPeer{}, addrs: map[netip.Addr]*udpAddr{},
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
	peer := p.guests[guest]
	if peer == nil || p.stale(peer.at) {
		return netip.AddrPort{}
	}
	peer.last, peer.at.asked = p.now(), p.now()
	return peer.host
}

// ask notes that the guest may send to an address, and does.
func (p *udpPeers) ask(what Flow, host netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hosts[host] == nil {
		p.add(what, host)
	}
	peer := p.hosts[host]
	peer.last, peer.at.asked = p.now(), p.now()
}

// sent counts a datagram of the guest's.
func (p *udpPeers) sent(host netip.AddrPort, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if peer := p.hosts[host]; peer != nil {
		peer.counts.sent.Add(int64(size))
	}
}

// answer is the address that the guest knows for one that a datagram of that size
// has come from; invalid if it may not answer.
func (p *udpPeers) answer(host netip.AddrPort, size int) netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.addrs[host.Addr()]
	if at == nil || p.stale(at) {
		return netip.AddrPort{}
	}
	guest := netip.AddrPortFrom(at.guest, host.Port())
	if p.hosts[host] == nil {
		what := Flow{Network: "udp", Guest: p.guest, Remote: guest}
		if _, err := p.n.decide(&what); err != nil {
			p.n.refuse(what, err)
			return netip.AddrPort{}
		}
		if len(p.hosts) >= p.max {
			return guest // it has no claim to the place of one that was asked
		}
		p.add(what, host)
	}
	p.hosts[host].last = p.now()
	p.hosts[host].counts.received.Add(int64(size))
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

func (p *udpPeers) stale(at *udpAddr) bool { return p.now().Sub(at.asked) > p.n.cfg.Limits.IdleUDP }

// add makes a peer that is not there.
func (p *udpPeers) add(what Flow, host netip.AddrPort) {
	if len(p.hosts) >= p.max {
		p.forgetOldest()
	}
	at := p.addrs[host.Addr()]
	if at == nil {
		at = &udpAddr{guest: what.Remote.Addr()}
		p.addrs[host.Addr()] = at
	}
	at.peers++
	peer := &udpPeer{guest: what.Remote, host: host, at: at, counts: p.n.open(what)}
	p.hosts[host], p.guests[what.Remote] = peer, peer
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
	oldest.counts.close(nil)
}

// close tells the log of all of them.
func (p *udpPeers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, peer := range p.hosts {
		peer.counts.close(nil)
	}
	clear(p.hosts)
	clear(p.guests)
	clear(p.addrs)
}
