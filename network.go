package alpinevm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"alpinevm/devices/virtio"
	"alpinevm/internal/linux"
	"alpinevm/kernel"
	"alpinevm/net/usernet"
)

// DefaultMAC is the address of a guest's network card unless Network.MAC has
// another.
var DefaultMAC = [6]byte{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}

// Network is what a machine's network card is plugged into: a gateway with a
// way out through the host, as package usernet describes it. What belongs to
// the host is injected.
type Network struct {
	// Dialer makes the host's side of the guest's connections.
	Dialer usernet.Dialer
	// Datagrams opens sockets for the guest's datagrams; nil: Dialer makes a
	// connection for each address, which alone can answer.
	Datagrams usernet.Datagrams
	// Listener opens the ports of Forwards; nil where there are none.
	Listener usernet.Listener
	Forwards []usernet.Forward
	// Ping asks a host whether it answers echo requests; nil: only the gateway
	// does.
	Ping func(ctx context.Context, addr netip.Addr, payload []byte) error
	DNS  usernet.DNSConfig

	// IPv6 tells whether the host has a way out for IPv6; nil: it has none, and the
	// guest is told no such addresses for names.
	IPv6 func() bool

	// HostNetworks are the addresses and networks of the host's interfaces, which
	// are no part of the internet for the guest; nil: there are none.
	HostNetworks func() ([]netip.Prefix, error)
	// HostLoopback lets the guest reach the host, its 127.0.0.1 as 10.0.2.2 and
	// its ::1 as fd61:6c70:696e:6576::2;
	// PrivateNetworks addresses that are not public, and those of networks
	// that the host is connected to.
	HostLoopback    bool
	PrivateNetworks bool

	// Policy decides about names and flows, in place of the two fields before; Log
	// hears of them, and Capture gets all frames. Rate bounds the bytes a second of
	// each direction; 0: any number.
	Policy  usernet.Policy
	Log     usernet.Log
	Capture usernet.Capture
	Rate    int64

	// Hosts are added to the guest's /etc/hosts.
	Hosts []Host
	// FilesInRoot says that the session's root has what Files gives. Otherwise they are
	// mounted over what it has, so that it stays as it is, but nothing in
	// the guest can rename a file over them, as udhcpc and apk do.
	FilesInRoot bool
	// MAC is the card's address; zero is DefaultMAC.
	MAC [6]byte
}

// Host is a line of the guest's /etc/hosts.
type Host struct {
	Name string
	Addr netip.Addr
}

// wire is the cable between the card and the network.
type wire struct{ *usernet.Network }

func (w wire) Send(f virtio.Frame) { w.Network.Send(usernet.Frame(f)) }

func (w wire) Receive(take func(virtio.Frame) bool) {
	w.Network.Receive(func(f usernet.Frame) bool { return take(virtio.Frame(f)) })
}

// plugNetwork adds the network card and what it is plugged into.
func (m *Machine) plugNetwork(cfg *Network) error {
	if m.cfg.Deterministic {
		return errors.New("a deterministic machine has no network: what comes from outside does not repeat itself")
	}
	mac := cfg.MAC
	if mac == [6]byte{} {
		mac = DefaultMAC
	}
	if mac[0]&1 != 0 {
		return fmt.Errorf("%s is the address of a group, not of a network card", net.HardwareAddr(mac[:]))
	}
	n, err := usernet.New(usernet.Config{
		Kick: m.Kick, Dialer: cfg.Dialer, Datagrams: cfg.Datagrams, Listener: cfg.Listener, Forwards: cfg.Forwards, Ping: cfg.Ping,
		IPv6: cfg.IPv6, HostNetworks: cfg.HostNetworks, HostLoopback: cfg.HostLoopback, PrivateNetworks: cfg.PrivateNetworks,
		Policy: cfg.Policy, Log: cfg.Log, Capture: cfg.Capture, Rate: cfg.Rate, DNS: cfg.DNS, Hostname: m.hostname(),
	})
	if err != nil {
		return err
	}
	m.network = n
	return m.board.PlugNet(mac, wire{n})
}

const defaultHostname = "alpine"

// hostname is the guest's.
func (m *Machine) hostname() string {
	if m.cfg.Hostname == "" {
		return defaultHostname
	}
	return m.cfg.Hostname
}

// Forwarded is where the host listens for each of Network.Forwards, in their
// order.
func (m *Machine) Forwarded() []net.Addr {
	if m.network == nil {
		return nil
	}
	return slices.Clone(m.network.Forwarded())
}

// configure has the guest's init set the network up, so that no time is lost
// to DHCP, and gives the guest its resolver's files.
func (n *Network) configure(l *linux.Session) {
	mask := net.CIDRMask(usernet.Subnet.Bits(), 32)
	l.Network = &kernel.Network{
		Address: usernet.GuestIP.String(), Netmask: net.IP(mask).String(), Gateway: usernet.GatewayIP.String(),
	}
	if !n.FilesInRoot {
		l.Files = n.Files(l.Program.Hostname)
	}
}

// Files are the resolver's files of a guest of that name, "alpine" if it is
// empty.
func (n *Network) Files(hostname string) []kernel.GuestFile {
	if hostname == "" {
		hostname = defaultHostname
	}
	return []kernel.GuestFile{
		{Name: "/etc/hosts", Mode: 0o644, Data: hostsFile(hostname, n.Hosts)},
		{Name: "/etc/resolv.conf", Mode: 0o644, Data: resolvConf(n.DNS.Search)},
	}
}

// hostsFile is a hosts(5) file like docker's.
func hostsFile(hostname string, hosts []Host) []byte {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	for _, h := range hosts {
		fmt.Fprintf(&b, "%s\t%s\n", h.Addr, h.Name)
	}
	fmt.Fprintf(&b, "%s\t%s\n", usernet.GuestIP, hostname)
	return []byte(b.String())
}

// resolvConf is a resolv.conf(5) file that names our DNS server.
func resolvConf(search []string) []byte {
	text := "nameserver " + usernet.DNSIP.String() + "\n"
	if len(search) > 0 {
		text = "search " + strings.Join(search, " ") + "\n" + text
	}
	return []byte(text)
}
