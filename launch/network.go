package launch

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"alpinevm"
	"alpinevm/net/usernet"
)

// HostNetwork is a network with a way out through the host, which asks the host's
// name servers. names says that the guest gets to know the names that are the
// host's own: its hosts(5) file, and the domain that it completes names with. open
// opens these files, resolv.conf(5) again and again while the machine runs; nil: as
// os.Open does.
func HostNetwork(names bool, open func(name string) (io.ReadCloser, error)) (*alpinevm.Network, error) {
	if open == nil {
		open = openFile
	}
	dns, err := hostDNS("/etc/resolv.conf", "/etc/hosts", open)
	if err != nil {
		return nil, err
	}
	if !names {
		dns.Hosts, dns.Search = nil, nil
	}
	return &alpinevm.Network{
		Dialer: &net.Dialer{}, Datagrams: usernet.HostDatagrams{}, Listener: &net.ListenConfig{}, Ping: usernet.HostPing,
		DNS: dns, HostNetworks: hostNetworks, IPv6: (&wayOut{dial: net.Dial}).open,
	}, nil
}

func openFile(name string) (io.ReadCloser, error) { return os.Open(name) }

// hostNetworks are the addresses of the host's interfaces as they are now.
func hostNetworks() ([]netip.Prefix, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var nets []netip.Prefix
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			nets = append(nets, p)
		}
	}
	return nets, nil
}

// wayOut tells whether the host knows a way to the public addresses of IPv6.
type wayOut struct {
	dial func(network, address string) (net.Conn, error)

	mu     sync.Mutex
	looked time.Time
	is     bool
}

// A socket for datagrams that is connected sends nothing: the host only looks for a
// route to the address, which is that of a root name server.
const publicIPv6 = "[2001:500:2f::f]:53"

func (w *wayOut) open() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.looked) < lookEvery {
		return w.is
	}
	w.looked = time.Now()
	c, err := w.dial("udp6", publicIPv6)
	if w.is = err == nil; w.is {
		c.Close()
	}
	return w.is
}

// hostDNS is what the host knows about names. A host without a resolv.conf(5)
// has a resolver that Go knows how to ask.
func hostDNS(resolvConf, hosts string, open func(name string) (io.ReadCloser, error)) (usernet.DNSConfig, error) {
	dns := usernet.DNSConfig{Lookup: func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}}
	f, err := open(resolvConf)
	if err == nil {
		defer f.Close()
		dns.Servers, dns.Search, err = usernet.ParseResolvConf(f)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return dns, err
	}
	dns.Current = (&resolvers{name: resolvConf, open: open, servers: dns.Servers}).current
	f, err = open(hosts)
	if err == nil {
		defer f.Close()
		dns.Hosts, err = usernet.ParseHosts(f)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return dns, err
	}
	return dns, nil
}

// resolvers are the name servers of a resolv.conf(5) that may change.
type resolvers struct {
	name string
	open func(name string) (io.ReadCloser, error)

	mu      sync.Mutex
	looked  time.Time
	servers []netip.AddrPort
}

// lookEvery is how old what was read of the file may be.
const lookEvery = time.Second

// current gives the servers that the file names now. While it cannot be read,
// as when it is being replaced, they are the last ones.
func (r *resolvers) current() []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.looked) < lookEvery {
		return r.servers
	}
	r.looked = time.Now()
	if f, err := r.open(r.name); err == nil {
		defer f.Close()
		if servers, _, err := usernet.ParseResolvConf(f); err == nil {
			r.servers = servers
		}
	}
	return r.servers
}
