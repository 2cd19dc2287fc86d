package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"alpinevm"
	"alpinevm/launch"
	"alpinevm/net/usernet"
)

// networkFlags are the flags about the network as they were given.
type networkFlags struct {
	kind                          string
	publish, dns, addHost         []string
	mac                           string
	hostLoopback, privateNetworks bool
	hostNames                     bool
	policy                        policyFlags
	open                          func(name string) (io.ReadCloser, error) // the host's files about names; nil: as usual
}

// Values of --network.
const (
	networkNone = "none"
	networkUser = "user"
)

// hostGateway stands for the gateway's address in --add-host, as in docker.
const hostGateway = "host-gateway"

func (n *networkFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&n.kind, "network", "", "network: user, which needs no privilege, or none (default user)")
	fl.StringArrayVarP(&n.publish, "publish", "p", nil, "forward a host port to the guest: `[IP:]HOST:GUEST[/udp]`")
	fl.StringArrayVar(&n.dns, "dns", nil, "ask the name server at `IP` in place of the host's")
	fl.StringArrayVar(&n.addHost, "add-host", nil, "add `NAME:IP` to the guest's /etc/hosts; the IP host-gateway is the gateway's")
	fl.BoolVar(&n.hostLoopback, "host-loopback", false, "let the guest reach the host: its 127.0.0.1 as 10.0.2.2, and its own addresses")
	fl.BoolVar(&n.privateNetworks, "private-networks", false, "let the guest reach what is not public: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, 100.64.0.0/10, fc00::/7, other special ranges, and the networks that the host is connected to")
	fl.BoolVar(&n.hostNames, "host-names", false, "let the guest see the names in the host's /etc/hosts, and its search domain")
	n.policy.add(fl)
	fl.StringVar(&n.mac, "mac-address", "", "`ADDRESS` of the guest's network card")
}

// config is the network that the flags ask for; nil: none. A deterministic
// machine has one only where it was asked for, which New refuses.
func (n *networkFlags) config(deterministic bool) (*alpinevm.Network, error) {
	switch n.kind {
	case "":
		if deterministic {
			return nil, nil
		}
	case networkUser, "bridge", "default", "nat", "slirp4netns", "pasta", "private": // what docker and podman call the like
	case networkNone:
		if len(n.publish) > 0 {
			return nil, errors.New("--publish needs a network, and --network is none")
		}
		if name := n.policy.given(); name != "" {
			return nil, fmt.Errorf("%s needs a network, and --network is none", name)
		}
		return nil, nil
	case "host":
		return nil, errors.New("--network host: a guest has a network of its own: -p HOST:GUEST leads into it, --host-loopback lets it reach the host's 127.0.0.1 as 10.0.2.2, --private-networks the networks around")
	default:
		return nil, fmt.Errorf("network %q: want user or none; guests see each other by the host alone, -p HOST:GUEST of one and --host-loopback of the other", n.kind)
	}
	cfg, err := launch.HostNetwork(n.hostNames, n.open)
	if err != nil {
		return nil, err
	}
	cfg.HostLoopback, cfg.PrivateNetworks = n.hostLoopback, n.privateNetworks
	for _, s := range n.publish {
		f, err := parseForward(s)
		if err != nil {
			return nil, err
		}
		cfg.Forwards = append(cfg.Forwards, f)
	}
	for _, s := range n.addHost {
		h, err := parseHost(s)
		if err != nil {
			return nil, err
		}
		cfg.Hosts = append(cfg.Hosts, h)
	}
	if n.mac != "" {
		mac, err := net.ParseMAC(n.mac)
		if err != nil || len(mac) != len(cfg.MAC) {
			return nil, fmt.Errorf("MAC address %q: want six bytes such as 52:54:00:12:34:56", n.mac)
		}
		copy(cfg.MAC[:], mac)
	}
	if len(n.dns) > 0 {
		cfg.DNS.Servers, cfg.DNS.Current = nil, nil
	}
	for _, s := range n.dns {
		server, err := parseServer(s)
		if err != nil {
			return nil, err
		}
		cfg.DNS.Servers = append(cfg.DNS.Servers, server)
	}
	return cfg, n.policy.apply(cfg)
}

// chosen says which ports of its own the host has taken for publish.
func (n *networkFlags) chosen(at []net.Addr, note func(format string, args ...any)) {
	for i, a := range at {
		if f, err := parseForward(n.publish[i]); err == nil && f.Port == 0 {
			note("%s leads to the guest's port %d", a, f.Guest)
		}
	}
}

// parseForward reads [IP:][HOST:]GUEST[/tcp|/udp], where an IPv6 address is in
// brackets. Without HOST, the host chooses a port.
func parseForward(s string) (usernet.Forward, error) {
	bad := func(why string) (usernet.Forward, error) {
		return usernet.Forward{}, fmt.Errorf("port %q: %s; want [IP:]HOST:GUEST or [IP:]HOST:GUEST/udp", s, why)
	}
	f := usernet.Forward{Network: "tcp"}
	rest, proto, ok := strings.Cut(s, "/")
	if ok {
		if proto != "tcp" && proto != "udp" {
			return bad("the protocol is neither tcp nor udp")
		}
		f.Network = proto
	}
	host, guest := "", rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		host, guest = rest[:i], rest[i+1:]
	}
	port, err := strconv.ParseUint(guest, 10, 16)
	if err != nil || port == 0 {
		return bad(fmt.Sprintf("%q is no port of the guest", guest))
	}
	f.Guest = uint16(port)
	ip := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		ip, host = host[:i], host[i+1:]
	}
	if host != "" {
		if port, err = strconv.ParseUint(host, 10, 16); err != nil {
			return bad(fmt.Sprintf("%q is no port of the host", host))
		}
		f.Port = uint16(port)
	}
	if ip != "" {
		if f.Host, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(ip, "["), "]")); err != nil {
			return bad(fmt.Sprintf("%q is no IP address", ip))
		}
	}
	return f, nil
}

// parseHost reads NAME:IP or NAME=IP.
func parseHost(s string) (alpinevm.Host, error) {
	i := strings.IndexAny(s, ":=")
	if i < 1 || strings.ContainsAny(s[:i], " \t\r\n#\x00") {
		return alpinevm.Host{}, fmt.Errorf("host %q: want NAME:IP", s)
	}
	h := alpinevm.Host{Name: s[:i], Addr: usernet.GatewayIP}
	if ip := s[i+1:]; ip != hostGateway {
		var err error
		if h.Addr, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(ip, "["), "]")); err != nil {
			return alpinevm.Host{}, fmt.Errorf("host %q: %q is no IP address; want NAME:IP", s, ip)
		}
	}
	return h, nil
}

// parseServer reads the address of a name server, IP or IP:PORT.
func parseServer(s string) (netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(ip, 53), nil
	}
	server, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("name server %q: want an IP address", s)
	}
	return server, nil
}
