package usernet

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// pinLeast and pinMost bound how long an address counts as that of a name, whatever
	// the answer says: programs use one for a while after they have looked it up.
	pinLeast = time.Minute
	pinMost  = 24 * time.Hour
	// maxPins is how many pairs of address and name are remembered; what ends first
	// gives way.
	maxPins = 4096
	// maxNames is how many names an address has; the one looked up first gives way.
	maxNames = 64
	// maxAliases is how long a chain of aliases may be.
	maxAliases = 16
)

// pins are the addresses that the guest was told for names.
type pins struct {
	now func() time.Time

	mu    sync.Mutex
	until map[pin]time.Time
	addrs map[netip.Addr][]string // the same, by address
}

type pin struct {
	addr netip.Addr
	name string
}

func newPins() *pins {
	return &pins{now: time.Now, until: map[pin]time.Time{}, addrs: map[netip.Addr][]string{}}
}

// names are what the guest has looked up to be told ip.
func (p *pins) names(ip netip.Addr) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, name := range p.addrs[ip] {
		if p.now().Before(p.until[pin{ip, name}]) {
			names = append(names, name)
		}
	}
	return names
}

// add notes that the guest is told ip for name.
func (p *pins) add(name string, ip netip.Addr, ttl time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := pin{ip.Unmap(), name}
	until := p.now().Add(min(max(ttl, pinLeast), pinMost))
	if old, ok := p.until[k]; ok {
		if until.After(old) {
			p.until[k] = until
		}
		return
	}
	if len(p.until) >= maxPins {
		p.thin()
	}
	if names := p.addrs[k.addr]; len(names) >= maxNames {
		p.drop(pin{k.addr, names[0]})
	}
	p.until[k] = until
	p.addrs[k.addr] = append(p.addrs[k.addr], name)
}

// thin drops what has ended, and a quarter of the rest, which ends first.
func (p *pins) thin() {
	list := make([]pin, 0, len(p.until))
	for k := range p.until {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b pin) int { return p.until[a].Compare(p.until[b]) })
	now := p.now()
	for i, k := range list {
		if i >= maxPins/4 && now.Before(p.until[k]) {
			break
		}
		p.drop(k)
	}
}

func (p *pins) drop(k pin) {
	delete(p.until, k)
	p.addrs[k.addr] = slices.DeleteFunc(p.addrs[k.addr], func(s string) bool { return s == k.name })
	if len(p.addrs[k.addr]) == 0 {
		delete(p.addrs, k.addr)
	}
}

// learn notes the addresses in an answer: those of the name that was asked for, and
// of the names that it is an alias of.
func (p *pins) learn(resp []byte) {
	var m dnsmessage.Message
	if m.Unpack(resp) != nil || len(m.Questions) != 1 || m.Questions[0].Class != dnsmessage.ClassINET {
		return
	}
	asked := canonical(m.Questions[0].Name.String())
	aliases := map[string]bool{asked: true}
	for range maxAliases { // in whatever order they are
		grown := false
		for _, a := range m.Answers {
			c, ok := a.Body.(*dnsmessage.CNAMEResource)
			if !ok || !aliases[canonical(a.Header.Name.String())] || aliases[canonical(c.CNAME.String())] {
				continue
			}
			aliases[canonical(c.CNAME.String())], grown = true, true
		}
		if !grown {
			break
		}
		if len(aliases) > maxAliases {
			return
		}
	}
	for _, a := range m.Answers {
		if !aliases[canonical(a.Header.Name.String())] {
			continue
		}
		ttl := time.Duration(a.Header.TTL) * time.Second
		switch r := a.Body.(type) {
		case *dnsmessage.AResource:
			p.add(asked, netip.AddrFrom4(r.A), ttl)
		case *dnsmessage.AAAAResource:
			p.add(asked, netip.AddrFrom16(r.AAAA), ttl)
		}
	}
}
