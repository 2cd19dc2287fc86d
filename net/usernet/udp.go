package usernet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// Datagrams opens the host's sockets for the guest's datagrams; HostDatagrams is
// one. A socket serves one port of the guest's and talks to many addresses, so
// that each sees the guest at one port of the host's (RFC 4787, 4.1), and an
// address that was asked may answer from any port, as TFTP servers do (5).
type Datagrams interface {
	// OpenUDP opens a socket with a port of its own, for IPv4 or IPv6. failed is
	// told of datagrams that did not arrive, on any goroutine; a socket that
	// never hears of that never calls it.
	OpenUDP(ctx context.Context, v6 bool, failed func(to netip.AddrPort, err error)) (DatagramSocket, error)
}

// DatagramSocket is a socket that is not connected; *net.UDPConn is one.
type DatagramSocket interface {
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	Close() error
}

const (
	maxUDPFlows = 256       // each has a buffer of largestUDP
	largestUDP  = 65535 - 8 // bytes of data (RFC 768; IPv4's header leaves room for less)
	// Datagrams of a flow that wait for the host.
	bigQueue, smallQueue = 512, 64
	udpWaiting           = 2 << 20 // bytes that wait for the host in all
)

// udpKey names a flow: a port of the guest's, and where it sends to if sockets are
// connected ones.
type udpKey struct{ guest, to netip.AddrPort }

// udpFlow is what a port of the guest's has to do with the host.
type udpFlow struct {
	n      *Network
	key    udpKey
	flow   *flow
	queue  chan datagram
	cancel context.CancelFunc
	peers  *udpPeers
}

// datagram is one of the guest's, for an address of the host's side.
type datagram struct {
	to   netip.AddrPort
	data []byte
}

// udpTable finds the flow of a datagram.
type udpTable struct {
	mu      sync.Mutex
	flows   map[udpKey]*udpFlow
	waiting atomic.Int64 // bytes in the queues
}

// handleUDP takes the datagrams for which the stack has no endpoint. A false result
// has the stack answer with ICMP port unreachable. It is called by the goroutine
// that delivers frames.
func (n *Network) handleUDP(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	what := flowOf("udp", id)
	guest, to := what.Guest, what.Remote
	if to.Addr() == DNSIP || to.Addr() == DNSIP6 || guest.Port() == 0 || to.Port() == 0 {
		return false
	}
	key := udpKey{guest: guest}
	if n.cfg.Datagrams == nil {
		key.to = to
	}
	f := n.udp.find(key)
	var target netip.AddrPort
	if f != nil {
		target = f.peers.sendTo(to)
	}
	if !target.IsValid() {
		var err error
		if target, err = n.decide(&what); err != nil {
			n.refuse(what, err)
			return false
		}
		if f != nil {
			f.peers.ask(what, target)
		} else if f = n.newUDPFlow(key, what, target); f == nil {
			return true // lost, as datagrams may be
		}
	}
	f.flow.touch()
	f.add(datagram{target, pkt.Data().AsRange().ToSlice()})
	return true
}

// add queues a datagram for the host, unless there is no room for it or the flow has
// ended meanwhile.
func (f *udpFlow) add(d datagram) {
	t := &f.n.udp
	t.mu.Lock()
	defer t.mu.Unlock()
	size := int64(len(d.data))
	if t.flows[f.key] != f || t.waiting.Load()+size > udpWaiting {
		return
	}
	select {
	case f.queue <- d:
		t.waiting.Add(size)
	default:
	}
}

func (t *udpTable) find(key udpKey) *udpFlow {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.flows[key]
}

// newUDPFlow makes a flow, its first peer and its socket; nil if there is no room. Where there are
// as many UDP flows as there may be, the one that was quiet for longest ends.
func (n *Network) newUDPFlow(key udpKey, what Flow, target netip.AddrPort) *udpFlow {
	n.udp.mu.Lock()
	var oldest *udpFlow
	if len(n.udp.flows) >= min(maxUDPFlows, n.cfg.Limits.Flows) {
		for _, f := range n.udp.flows {
			if oldest == nil || f.flow.last.Load() < oldest.flow.last.Load() {
				oldest = f
			}
		}
	}
	n.udp.mu.Unlock()
	if oldest != nil {
		oldest.end()
	}
	f := &udpFlow{n: n, key: key, flow: n.flows.reserve(n.cfg.Limits.IdleUDP)}
	if f.flow == nil {
		return nil
	}
	f.queue = make(chan datagram, smallQueue)
	if f.flow.big {
		f.queue = make(chan datagram, bigQueue)
	}
	f.peers = newUDPPeers(n, key.guest, f.flow.big)
	f.peers.ask(what, target)
	ctx, cancel := context.WithCancel(n.ctx)
	f.cancel = cancel
	n.udp.mu.Lock()
	n.udp.flows[key] = f
	n.udp.mu.Unlock()
	if !f.flow.onEnd(f.end) {
		f.end()
		return nil
	}
	go f.run(ctx, target)
	return f
}

// end takes the flow out of the tables, and has its goroutines end.
func (f *udpFlow) end() {
	f.n.udp.mu.Lock()
	if f.n.udp.flows[f.key] == f {
		delete(f.n.udp.flows, f.key)
	}
	f.n.udp.mu.Unlock()
	f.flow.release()
	f.cancel()
}

// run opens the flow's socket, and passes datagrams until the flow ends.
func (f *udpFlow) run(ctx context.Context, target netip.AddrPort) {
	defer f.peers.close()
	defer f.drain()
	defer f.end()
	s, err := f.open(ctx, target)
	if err != nil {
		f.failed(target, err)
		return
	}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	defer s.Close()
	go f.receive(ctx, s)
	for {
		select {
		case d := <-f.queue:
			f.n.udp.waiting.Add(-int64(len(d.data)))
			if f.n.up.wait(ctx, len(d.data)) != nil {
				return
			}
			f.peers.sent(d.to, len(d.data))
			if _, err := s.WriteToUDPAddrPort(d.data, d.to); err != nil {
				if errors.Is(err, net.ErrClosed) {
					return
				}
				f.failed(d.to, err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// drain forgets the datagrams that still wait. There will be no others, since the flow
// is in no table.
func (f *udpFlow) drain() {
	for {
		select {
		case d := <-f.queue:
			f.n.udp.waiting.Add(-int64(len(d.data)))
		default:
			return
		}
	}
}

// receive passes what the socket gets from those that the guest has asked.
func (f *udpFlow) receive(ctx context.Context, s DatagramSocket) {
	defer f.end()
	buf := make([]byte, largestUDP)
	for {
		k, from, err := s.ReadFromUDPAddrPort(buf)
		if errors.Is(err, syscall.ECONNREFUSED) {
			f.failed(from, err)
			continue
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !f.n.pause() {
				return
			}
			continue
		}
		src := f.peers.answer(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), k)
		if !src.IsValid() {
			continue // nobody has asked it
		}
		if f.n.down.wait(ctx, k) != nil {
			return
		}
		f.flow.touch()
		f.n.sendUDP(src, f.key.guest, buf[:k])
	}
}

// sendUDP sends the guest a datagram from any address.
func (n *Network) sendUDP(src, dst netip.AddrPort, data []byte) {
	size := header.UDPMinimumSize + len(data)
	if size > largestIPv4 || dst.Addr().Is4() && size > largestIPv4-header.IPv4MinimumSize {
		return
	}
	b := make([]byte, size)
	copy(b[header.UDPMinimumSize:], data)
	u := header.UDP(b)
	u.Encode(&header.UDPFields{SrcPort: src.Port(), DstPort: dst.Port(), Length: uint16(size)})
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, stackAddr(src.Addr()), stackAddr(dst.Addr()), uint16(size))
	sum = ^checksum.Checksum(b, sum)
	if sum == 0 {
		sum = 0xffff // 0 is for none (RFC 768)
	}
	u.SetChecksum(sum)
	n.send(header.UDPProtocolNumber, src.Addr(), dst.Addr(), b, ttl)
}

// failed tells the guest what became of a datagram, if that is known.
func (f *udpFlow) failed(to netip.AddrPort, err error) {
	why, ok := unreachable(err)
	if errors.Is(err, syscall.ECONNREFUSED) {
		why, ok = noPort, true
	}
	if dst := f.peers.asked(to); ok && dst.IsValid() {
		f.n.sendUnreachable(quoteUDP(f.key.guest, dst), why)
	}
}

// open opens the flow's socket, a connected one if there is no other way.
func (f *udpFlow) open(ctx context.Context, target netip.AddrPort) (DatagramSocket, error) {
	if f.n.cfg.Datagrams != nil {
		return f.n.cfg.Datagrams.OpenUDP(ctx, target.Addr().Is6(), f.failed)
	}
	ctx, cancel := context.WithTimeout(ctx, f.n.cfg.Limits.Dial)
	defer cancel()
	c, err := f.n.cfg.Dialer.DialContext(ctx, "udp", target.String())
	if err != nil {
		return nil, err
	}
	return connected{c, target}, nil
}

// connected is a connection as a socket that knows one address.
type connected struct {
	net.Conn
	peer netip.AddrPort
}

func (c connected) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) { return c.Write(b) }

func (c connected) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, err := c.Read(b)
	if err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		err = errors.Join(net.ErrClosed, err) // nothing more will come
	}
	return n, c.peer, err
}
