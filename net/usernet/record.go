package usernet

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Record is what is told of a flow when it has ended or was refused, and of a name
// that the guest has asked for.
type Record struct {
	Time    time.Time `json:"time"`  // of the beginning
	Network string    `json:"proto"` // "tcp", "udp", "icmp", or "dns" for a name
	Inbound bool      `json:"inbound,omitempty"`
	// Guest and Remote are the two ends as the guest knows them.
	Guest  netip.AddrPort `json:"guest,omitzero"`
	Remote netip.AddrPort `json:"remote,omitzero"`
	// Names are what the guest has asked for to be told the remote address.
	Names []string `json:"names,omitempty"`
	// Sent are bytes of the guest's, Received those for it, without headers.
	Sent     int64   `json:"sent"`
	Received int64   `json:"received"`
	Seconds  float64 `json:"seconds"`
	Allowed  bool    `json:"allowed"`
	Why      string  `json:"why,omitempty"`   // it was refused
	Error    string  `json:"error,omitempty"` // the host's, if it could not do it
}

// Log hears of all flows. Flow is called on any goroutine and does not block.
type Log interface{ Flow(Record) }

// recordNames is how many names a Record has at most.
const recordNames = 8

// account counts what a flow passes on, until the flow ends or the network does.
type account struct {
	n              *Network
	flow           Flow
	began          time.Time
	sent, received atomic.Int64
	once           sync.Once
}

func (n *Network) open(f Flow) *account {
	f.Names = slices.Clone(f.Names[:min(len(f.Names), recordNames)])
	a := &account{n: n, flow: f, began: time.Now()}
	if n.cfg.Log != nil {
		n.accounts.Store(a, nil)
	}
	return a
}

// close tells the log of the flow. err is the host's, if there was one.
func (a *account) close(err error) {
	a.once.Do(func() {
		if a.n.cfg.Log == nil {
			return
		}
		r := record(a.flow, a.began)
		r.Allowed, r.Sent, r.Received = true, a.sent.Load(), a.received.Load()
		r.Seconds = time.Since(a.began).Seconds()
		if err != nil {
			r.Error = err.Error()
		}
		a.n.cfg.Log.Flow(r)
		a.n.accounts.Delete(a) // not before: closeAccounts waits for those that it finds
	})
}

func record(f Flow, began time.Time) Record {
	return Record{
		Time: began.UTC(), Network: f.Network, Inbound: f.Inbound, Guest: f.Guest, Remote: f.Remote,
		Names: f.Names[:min(len(f.Names), recordNames)],
	}
}

// closeAccounts tells the log of the flows that are still open.
func (n *Network) closeAccounts() {
	n.accounts.Range(func(a, _ any) bool {
		a.(*account).close(nil)
		return true
	})
}

// refusals are those that were told of lately: one who is refused asks again.
type refusals struct {
	mu   sync.Mutex
	last map[refusal]time.Time
}

type refusal struct{ network, remote, why string }

const (
	refusalsQuiet = 10 * time.Second
	maxRefusals   = 512
)

// news tells whether r was not told lately.
func (l *refusals) news(r refusal, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.last[r]) < refusalsQuiet {
		return false
	}
	if len(l.last) >= maxRefusals || l.last == nil {
		l.last = map[refusal]time.Time{}
	}
	l.last[r] = now
	return true
}

// refuse tells the log of a flow that the policy does not want.
func (n *Network) refuse(f Flow, why error) {
	now := time.Now()
	if n.cfg.Log == nil || !n.refusals.news(refusal{f.Network, f.Remote.String(), why.Error()}, now) {
		return
	}
	r := record(f, now)
	r.Why = why.Error()
	n.cfg.Log.Flow(r)
}

// lookedUp tells the log of a name.
func (n *Network) lookedUp(name string, why error) {
	if n.cfg.Log == nil {
		return
	}
	now := time.Now()
	r := Record{Time: now.UTC(), Network: "dns", Names: []string{name}, Allowed: why == nil}
	if why != nil {
		if !n.refusals.news(refusal{"dns", name, why.Error()}, now) {
			return
		}
		r.Why = why.Error()
	}
	n.cfg.Log.Flow(r)
}
