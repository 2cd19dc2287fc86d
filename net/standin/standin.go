// Package standin gives names addresses of their own, where the guest's network ends at
// somebody who takes names only: a relay, or a browser.
package standin

import (
	"container/list"
	"context"
	"net/netip"
	"sync"
)

// Prefix is where the addresses are from: it is for tests of networks (RFC 2544), so that
// nobody is there.
var Prefix = netip.MustParsePrefix("198.18.0.0/15")

// maxNames bounds what the guest can have us remember.
const maxNames = 1 << 15

// Names are names and their addresses. A name keeps its address while it is one of the
// last 32,768 that were asked for or connected to; an address is another name's only
// after all others of the prefix were.
type Names struct {
	prefix netip.Prefix
	most   int

	mu     sync.Mutex
	next   netip.Addr
	byName map[string]*list.Element // of used
	byAddr map[netip.Addr]*list.Element
	used   *list.List // of entry, the last used first
}

type entry struct {
	name string
	addr netip.Addr
}

// New gives names no addresses yet.
func New() *Names { return newNames(Prefix, maxNames) }

func newNames(prefix netip.Prefix, most int) *Names {
	return &Names{prefix: prefix, most: most, next: prefix.Addr().Next(), byName: map[string]*list.Element{}, byAddr: map[netip.Addr]*list.Element{}, used: list.New()}
}

// Lookup gives a name's address. It is a usernet.DNSConfig's Lookup.
func (n *Names) Lookup(_ context.Context, name string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e, ok := n.byName[name]
	if !ok {
		if n.used.Len() >= n.most {
			n.forget(n.used.Back())
		}
		e = n.used.PushFront(entry{name, n.free()})
		n.byName[name], n.byAddr[e.Value.(entry).addr] = e, e
	}
	n.used.MoveToFront(e)
	return []netip.Addr{e.Value.(entry).addr}, nil
}

// Of is the name whose address that is, "" if it is none's.
func (n *Names) Of(a netip.Addr) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	e, ok := n.byAddr[a]
	if !ok {
		return ""
	}
	n.used.MoveToFront(e)
	return e.Value.(entry).name
}

// free is the next address that is nobody's; there are more than names.
func (n *Names) free() netip.Addr {
	for {
		a := n.next
		if n.next = a.Next(); !n.prefix.Contains(n.next) {
			n.next = n.prefix.Addr().Next()
		}
		if _, taken := n.byAddr[a]; !taken {
			return a
		}
	}
}

func (n *Names) forget(e *list.Element) {
	old := n.used.Remove(e).(entry)
	delete(n.byName, old.name)
	delete(n.byAddr, old.addr)
}
