package launch

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"

	"alpinevm"
	"alpinevm/net/usernet"
)

// HostNetwork is a network with a way out through the host, which knows the names
// that the host knows.
func HostNetwork() (*alpinevm.Network, error) {
	dns, err := hostDNS("/etc/resolv.conf", "/etc/hosts")
	if err != nil {
		return nil, err
	}
	return &alpinevm.Network{Dialer: &net.Dialer{}, Listener: &net.ListenConfig{}, Ping: usernet.HostPing, DNS: dns}, nil
}

// hostDNS is what the host knows about names. A host without a resolv.conf(5)
// has a resolver that Go knows how to ask.
func hostDNS(resolvConf, hosts string) (usernet.DNSConfig, error) {
	dns := usernet.DNSConfig{Lookup: func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}}
	f, err := os.Open(resolvConf)
	if err == nil {
		defer f.Close()
		dns.Servers, dns.Search, err = usernet.ParseResolvConf(f)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return dns, err
	}
	f, err = os.Open(hosts)
	if err == nil {
		defer f.Close()
		dns.Hosts, err = usernet.ParseHosts(f)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return dns, err
	}
	return dns, nil
}
