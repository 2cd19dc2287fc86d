// Package httpgate is a way out for a machine in a browser that has no relay: what the
// guest asks of a host by HTTP at port 80 is asked again by the browser's fetch, and what
// that gets is the answer. So hosts are reached that let any page read them (CORS), by
// their names alone; the guest gets addresses for names that stand for nothing else.
//
// HTTPS cannot be had inside the guest, since nobody here can speak for the host. Where
// the page comes by https, and for hosts that are named, the guest asks by http and the
// browser by https.
//
// The guest is not trusted: connections, requests that are being fetched and their bodies
// are bounded, and it has the rights of a page that nobody is logged in to.
package httpgate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"

	"alpinevm/net/http1"
	"alpinevm/net/standin"
)

// Fetcher is the browser's fetch.
type Fetcher interface {
	// Fetch gets the head of an answer. Its error does not say whether there is nobody
	// or whether the host does not let the page read: browsers do not tell.
	Fetch(ctx context.Context, r *Request) (*Response, error)
	// Answers says whether something answers there, which nobody may read.
	Answers(ctx context.Context, url string) bool
}

// Request is what is to be fetched.
type Request struct {
	Method, URL string
	Header      http1.Header
	Body        []byte // nil: none
}

// Response is what came. Its Body is closed, read or not.
type Response struct {
	Status int
	Text   string
	Header http1.Header
	Body   io.ReadCloser
}

// Config says what is fetched, and how.
type Config struct {
	Fetcher Fetcher
	// HTTPS are hosts that are fetched by https; *.NAME is each below NAME. Secure says
	// that all are, as a page that came by https may fetch nothing else.
	HTTPS  []string
	Secure bool
	// Mirrors are addresses that stand for http://dl-cdn.alpinelinux.org/alpine, of which
	// the first one that answers is asked. None: it stands for itself, by https.
	Mirrors []string
	// Tell gets sentences for the user, a few of them. It is called on any goroutine, and
	// may be nil.
	Tell func(string)
}

// Bounds of what a guest can have going on.
const (
	maxConns   = 128      // connections
	maxFetches = 32       // requests that are being fetched
	maxBodies  = 2        // requests with a body, from its first byte to the answer
	maxBody    = 16 << 20 // bytes of a request's
	maxTold    = 64       // sentences
)

// Gate takes the guest's connections. It is a usernet.Dialer.
type Gate struct {
	cfg     Config
	names   *standin.Names
	mirrors *mirrors
	conns   chan struct{}
	fetches chan struct{}
	bodies  chan struct{}

	mu   sync.Mutex
	told map[string]bool
}

// New checks what is configured.
func New(cfg Config) (*Gate, error) {
	m, err := newMirrors(cfg.Mirrors, cfg.Secure)
	if err != nil {
		return nil, err
	}
	for i, h := range cfg.HTTPS {
		cfg.HTTPS[i] = strings.ToLower(h)
		if err := hostName(strings.TrimPrefix(cfg.HTTPS[i], "*.")); err != nil {
			return nil, fmt.Errorf("host %q, which is to be fetched by https: %w", h, err)
		}
	}
	return &Gate{
		cfg: cfg, names: standin.New(), mirrors: m, told: map[string]bool{},
		conns: make(chan struct{}, maxConns), fetches: make(chan struct{}, maxFetches), bodies: make(chan struct{}, maxBodies),
	}, nil
}

// Why something is not fetched.
var (
	errNoHost  = errors.New("a page fetches from hosts that have a name in the internet")
	errNoName  = errors.New("a page without a relay reaches hosts by their names alone")
	errPort    = errors.New("a page without a relay reaches port 80 of TCP, by HTTP, alone")
	errNoHTTPS = errors.New("a page without a relay cannot speak https for a guest")
	errTooMany = errors.New("too many connections at a time")
)

// Lookup says whether a name may be asked for.
func (g *Gate) Lookup(name string) error { return hostName(name) }

// Addrs gives a name's address. It is a usernet.DNSConfig's Lookup.
func (g *Gate) Addrs(ctx context.Context, name string) ([]netip.Addr, error) {
	return g.names.Lookup(ctx, name)
}

// Connect says whether a connection may be made.
func (g *Gate) Connect(network string, to netip.AddrPort) error {
	name := g.names.Of(to.Addr())
	switch {
	case name == "":
		return errNoName
	case network != "tcp":
		return errPort
	case to.Port() == 443 && !g.byHTTPS(name):
		g.tell(name+":443", fmt.Sprintf("%s: this page has no relay, and so no https for the guest; what asks by http:// is fetched where the host lets pages read it (CORS).", name))
		return errNoHTTPS
	case to.Port() != 80 && to.Port() != 443:
		return errPort
	}
	return nil
}

// DialContext is a connection to an address of ours, which ends here.
func (g *Gate) DialContext(_ context.Context, network, address string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	if err := g.Connect(network, at); err != nil {
		return nil, err
	}
	select {
	case g.conns <- struct{}{}:
	default:
		return nil, errTooMany
	}
	ctx, cancel := context.WithCancel(context.Background())
	guest, ours := pipe(at, cancel)
	s := &session{gate: g, name: g.names.Of(at.Addr()), conn: ours}
	go func() {
		defer func() { <-g.conns }()
		defer cancel()
		s.serve(ctx)
	}()
	return guest, nil
}

// tell tells the user something about a thing, once.
func (g *Gate) tell(about, sentence string) {
	g.mu.Lock()
	news := g.cfg.Tell != nil && !g.told[about] && len(g.told) < maxTold
	if news {
		g.told[about] = true
	}
	g.mu.Unlock()
	if news {
		g.cfg.Tell(sentence)
	}
}

// take waits for one of what a channel has places for; what it gives frees it.
func take(ctx context.Context, places chan struct{}) (func(), error) {
	select {
	case places <- struct{}{}:
		return sync.OnceFunc(func() { <-places }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
