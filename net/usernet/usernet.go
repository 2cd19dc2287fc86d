// Package usernet is the network that a guest's network card is plugged into:
// a gateway, a DHCP server, a DNS forwarder, and the way out for TCP, UDP and
// ICMP echo through sockets of the host that need no privilege. It is built on
// gVisor's netstack, which terminates the guest's connections; each is joined
// with one that an injected Dialer makes.
//
// The network is 10.0.2.0/24: the guest 10.0.2.15, the gateway 10.0.2.2, the
// DNS server 10.0.2.3; and fd61:6c70:696e:6576::/64, in which the guest makes its
// own address, the gateway is ::2 and the DNS server ::3. It models no wire: frames are
// neither delayed nor lost, except where a queue is full.
//
// A Network runs on goroutines of its own. It touches the machine only in
// functions that it gives to Config.Kick, and in Send, Receive and Ready, which
// the machine goroutine calls.
//
// The guest is not trusted. What it can make the host remember is bounded by
// Limits; where it can connect to, and which names it can ask for, is decided by
// Config.Policy; a frame with an address that is not the guest's own
// is dropped.
package usernet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// The addresses of the network.
var (
	Subnet     = netip.MustParsePrefix("10.0.2.0/24")
	GatewayIP  = netip.MustParseAddr("10.0.2.2")
	DNSIP      = netip.MustParseAddr("10.0.2.3")
	GuestIP    = netip.MustParseAddr("10.0.2.15")
	broadcast  = netip.MustParseAddr("10.0.2.255")
	allOnes    = netip.MustParseAddr("255.255.255.255")
	loopbackIP = netip.MustParseAddr("127.0.0.1")
)

// GatewayMAC is the link address of the gateway and of the DNS server.
var GatewayMAC = [6]byte{0x52, 0x55, 0x0a, 0x00, 0x02, 0x02}

const nicID = 1

// Dialer makes the host's side of a connection; *net.Dialer is one. network is
// "tcp" or "udp", address an IP address and a port.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Listener makes the host's side of a port that is forwarded to the guest;
// *net.ListenConfig is one.
type Listener interface {
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
}

// Config says what a Network is connected to.
type Config struct {
	// Kick has the machine goroutine call a function soon. It may be called on
	// any goroutine and does not block.
	Kick func(func())

	// Dialer makes outgoing connections. It is asked only for addresses that
	// the guest may reach.
	Dialer Dialer
	// Datagrams opens sockets for the guest's datagrams. nil: Dialer is asked for
	// each address and port, and only that one can answer.
	Datagrams Datagrams
	// Listener opens the ports in Forwards. It may be nil if there are none.
	Listener Listener
	Forwards []Forward
	// Ping sends one ICMP echo request to addr and returns nil once the answer
	// has come; nil: only the gateway answers echo requests.
	Ping func(ctx context.Context, addr netip.Addr, payload []byte) error

	// IPv6 tells whether the host has a way out for IPv6; nil: it has none. Without
	// one, addresses of IPv6 are left out of what the guest is told for names.
	IPv6 func() bool

	// HostNetworks are the addresses of the host's interfaces, with the networks
	// that they connect it to. It is called for each connection, on any
	// goroutine; nil: there are none.
	HostNetworks func() ([]netip.Prefix, error)
	// HostLoopback lets the guest reach the host: its 127.0.0.1 as GatewayIP, its ::1
	// as GatewayIP6, and its own addresses. With a Policy it only says what names of the host mean.
	HostLoopback bool
	// PrivateNetworks lets the guest reach addresses that are not public, such
	// as 192.168.0.0/16 and 169.254.0.0/16, and the networks that the host is
	// connected to. With a Policy it says nothing.
	PrivateNetworks bool

	// Policy decides about names and flows; nil: a Rules of the two fields before,
	// without rules.
	Policy Policy
	// Log hears of flows and names, Capture gets all frames; both may be nil.
	Log     Log
	Capture Capture
	// Rate is how many bytes a second may pass in each direction, without headers;
	// 0: any number.
	Rate int64

	DNS DNSConfig
	// Hostname is offered to DHCP clients unless it is empty.
	Hostname string
	// MTU of the guest's card in bytes; 0 means 1500.
	MTU int

	Limits Limits
}

// Limits bounds what a guest can use. Zero fields have the defaults.
type Limits struct {
	Flows   int           // connections and UDP flows at a time, at most 1,024, the default
	IdleTCP time.Duration // a connection without data is cut after it; 2 hours
	IdleUDP time.Duration // a UDP flow is forgotten after it; 90 seconds
	Dial    time.Duration // an outgoing connection may take that long; 30 seconds
	Linger  time.Duration // a closed connection may deliver for that long; 60 seconds
}

const maxFlows = 1024

// withDefaults fills in zero fields.
func (l Limits) withDefaults() Limits {
	if l.Flows <= 0 || l.Flows > maxFlows {
		l.Flows = maxFlows
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&l.IdleTCP, 2 * time.Hour},
		{&l.IdleUDP, 90 * time.Second},
		{&l.Dial, 30 * time.Second},
		{&l.Linger, time.Minute},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return l
}

// Network is one guest's network.
type Network struct {
	cfg   Config
	stack *stack.Stack
	link  *link
	flows *flowTable
	dns   *dnsServer

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // goroutines that end soon after cancel

	bigTCP, smallTCP *tcp.Forwarder

	mu      sync.Mutex
	dialing map[stack.TransportEndpointID]*dialing
	bound   []net.Addr              // of the forwards
	own     map[uint16]*ownListener // by port
	pings   chan struct{}

	udp       udpTable
	fragments assembler

	policy   Policy
	pins     *pins
	refusals refusals
	accounts sync.Map // those that are open, if there is a log
	up, down pace     // from the guest, and to it
}

// New starts a network. Its error is that of a port that cannot be forwarded.
func New(cfg Config) (*Network, error) {
	if cfg.MTU == 0 {
		cfg.MTU = 1500
	}
	cfg.Limits = cfg.Limits.withDefaults()
	n := &Network{
		cfg:     cfg,
		flows:   newFlowTable(cfg.Limits.Flows),
		dialing: map[stack.TransportEndpointID]*dialing{},
		pings:   make(chan struct{}, maxPings),
		udp:     udpTable{flows: map[udpKey]*udpFlow{}}, fragments: assembler{now: time.Now},
		policy: cfg.Policy, pins: newPins(), up: newPace(cfg.Rate), down: newPace(cfg.Rate),
	}
	if n.policy == nil {
		n.policy = &Rules{HostLoopback: cfg.HostLoopback, PrivateNetworks: cfg.PrivateNetworks}
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.dns = newDNSServer(n)
	n.link = newLink(n, cfg.Kick, uint32(cfg.MTU))
	if err := n.start(); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// start brings up the stack and everything that listens.
func (n *Network) start() error {
	n.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol, ipv6.NewProtocolWithOptions(ipv6.Options{})},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	if err := tuneTCP(n.stack); err != nil {
		return err
	}
	if err := n.stack.CreateNIC(nicID, n.link); err != nil {
		return stackError("make the interface", err)
	}
	for _, ip := range []netip.Addr{GatewayIP, DNSIP, gatewayLink6, GatewayIP6, DNSIP6} {
		bits := Subnet.Bits()
		if ip.Is6() {
			bits = Subnet6.Bits()
		}
		addr := tcpip.ProtocolAddress{
			Protocol:          protocolOf(ip),
			AddressWithPrefix: tcpip.AddressWithPrefix{Address: stackAddr(ip), PrefixLen: bits},
		}
		if err := n.stack.AddProtocolAddress(nicID, addr, stack.AddressProperties{}); err != nil {
			return stackError("give the gateway its address", err)
		}
	}
	// Take packets for any address, and send from any.
	n.stack.SetPromiscuousMode(nicID, true)
	n.stack.SetSpoofing(nicID, true)
	n.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nicID}, {Destination: header.IPv6EmptySubnet, NIC: nicID}})

	n.bigTCP = tcp.NewForwarder(n.stack, bigBuffers.receive, 2*maxFlows, n.acceptTCP)
	n.smallTCP = tcp.NewForwarder(n.stack, smallBuffers.receive, 2*maxFlows, n.acceptTCP)
	n.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, n.handleTCP)
	n.stack.SetTransportProtocolHandler(udp.ProtocolNumber, n.handleUDP)

	if err := n.startDHCP(); err != nil {
		return err
	}
	for _, ip := range []netip.Addr{DNSIP, DNSIP6} {
		if err := n.startDNS(ip); err != nil {
			return err
		}
	}
	n.startIPv6()
	for _, f := range n.cfg.Forwards {
		if err := n.forward(f); err != nil {
			return err
		}
	}
	n.wg.Go(n.link.deliver)
	return nil
}

// Close cuts all connections, frees the forwarded ports and ends the network's
// goroutines. Calls to Send and Ready have no effect after it.
func (n *Network) Close() {
	n.cancel()
	n.flows.close()
	n.link.shut()
	if n.stack != nil {
		n.stack.Close()
	}
	n.wg.Wait()
	n.closeAccounts()
}

// Send takes a frame from the guest (machine goroutine).
func (n *Network) Send(f Frame) { n.link.send(f) }

// Receive names the function that takes frames to the guest. It is called once,
// before the guest runs. The function is called on the machine goroutine.
func (n *Network) Receive(f func(Frame) (accepted bool)) { n.link.receive = f }

// Ready tells that the guest takes frames again, after it has refused one
// (machine goroutine).
func (n *Network) Ready() { n.link.ready() }

// Flows is the number of connections and UDP flows (any goroutine).
func (n *Network) Flows() int { return n.flows.count() }

// stackAddr is an address as netstack has it.
func stackAddr(a netip.Addr) tcpip.Address { return tcpip.AddrFromSlice(a.AsSlice()) }

// protocolOf is netstack's number of an address's protocol.
func protocolOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is6() {
		return ipv6.ProtocolNumber
	}
	return ipv4.ProtocolNumber
}

// hostAddr is an address of netstack's.
func hostAddr(a tcpip.Address) netip.Addr {
	ip, _ := netip.AddrFromSlice(a.AsSlice())
	return ip
}

// stackError wraps an error of netstack's, which are no Go errors.
func stackError(doing string, err tcpip.Error) error {
	return fmt.Errorf("network: %s: %w", doing, errors.New(err.String()))
}
