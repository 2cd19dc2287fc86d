package usernet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// tuneTCP sets the stack's options. The path to the guest has no delay and
// loses nothing, so that recovery can be plain; closed connections are not kept
// for long, so that they cannot pile up.
func tuneTCP(s *stack.Stack) error {
	sack := tcpip.TCPSACKEnabled(true)
	moderate := tcpip.TCPModerateReceiveBufferOption(false)
	recovery := tcpip.TCPRecovery(0)
	timeWait := tcpip.TCPTimeWaitTimeoutOption(time.Second)
	linger := tcpip.TCPLingerTimeoutOption(5 * time.Second)
	send := tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: smallBuffers.send, Max: bigBuffers.send}
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: smallBuffers.receive, Max: bigBuffers.receive}
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &recovery, &timeWait, &linger, &send, &receive} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return stackError("tune TCP", err)
		}
	}
	return nil
}

// dialing is a connection of the guest's that the host has not made yet.
type dialing struct {
	flow   *flow
	target netip.AddrPort
	counts *account
	own    *ownListener // who takes it in place of the target; nil: nobody
	syn    []byte       // the packet's headers, which an ICMP error quotes
}

// handleTCP takes the segments for which the stack has no connection. A false
// result has the stack answer with RST.
func (n *Network) handleTCP(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	flags := header.TCP(pkt.TransportHeader().Slice()).Flags()
	if flags&(header.TCPFlagSyn|header.TCPFlagAck|header.TCPFlagRst) != header.TCPFlagSyn {
		return false
	}
	n.mu.Lock()
	_, again := n.dialing[id]
	n.mu.Unlock()
	if again {
		return true
	}
	what := flowOf("tcp", id)
	own := n.listener(id)
	var target netip.AddrPort
	if own == nil {
		var err error
		if target, err = n.decide(&what); err != nil {
			n.refuse(what, err)
			return false
		}
	}
	f := n.flows.reserve(n.cfg.Limits.IdleTCP)
	if f == nil {
		return false
	}
	forwarder := n.smallTCP
	if f.big {
		forwarder = n.bigTCP
	}
	d := &dialing{flow: f, target: target, own: own, syn: quote(pkt)}
	if own == nil {
		d.counts = n.open(what)
	}
	n.mu.Lock()
	n.dialing[id] = d
	n.mu.Unlock()
	if !forwarder.HandlePacket(id, pkt) {
		n.dialed(id)
		f.release()
		return false
	}
	return true
}

// flowOf is a flow of the guest's.
func flowOf(network string, id stack.TransportEndpointID) Flow {
	return Flow{
		Network: network,
		Guest:   netip.AddrPortFrom(hostAddr(id.RemoteAddress), id.RemotePort),
		Remote:  netip.AddrPortFrom(hostAddr(id.LocalAddress), id.LocalPort),
	}
}

// dialed takes the connection off the list of those being made.
func (n *Network) dialed(id stack.TransportEndpointID) {
	n.mu.Lock()
	delete(n.dialing, id)
	n.mu.Unlock()
}

// acceptTCP makes the host's connection, then completes the guest's.
func (n *Network) acceptTCP(r *tcp.ForwarderRequest) {
	id := r.ID()
	n.mu.Lock()
	d := n.dialing[id]
	n.mu.Unlock()
	if d.own != nil {
		d.own.accept(r, d)
		n.dialed(id)
		return
	}
	host, err := n.dial("tcp", d.target)
	if err != nil {
		d.flow.release()
		d.counts.close(err)
		if why, ok := unreachable(err); ok {
			n.sendUnreachable(d.syn, why)
			r.Complete(false)
		} else {
			r.Complete(true)
		}
		n.dialed(id)
		return
	}
	wq := new(waiter.Queue)
	ep, terr := r.CreateEndpoint(wq)
	r.Complete(terr != nil)
	n.dialed(id)
	if terr != nil {
		d.flow.release()
		d.counts.close(errors.New(terr.String()))
		abortConn(host)
		return
	}
	n.join(d.flow, d.counts, ep, wq, host)
}

// dial makes a connection of the host's.
func (n *Network) dial(network string, target netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Limits.Dial)
	defer cancel()
	return n.cfg.Dialer.DialContext(ctx, network, target.String())
}

// unreachable is what ICMP says of an error of the host's that is no refusal.
// What else fails is passed on as a refusal: it is the error that ends a
// connection at once.
func unreachable(err error) (obstacle, bool) {
	switch {
	case errors.Is(err, syscall.ENETUNREACH):
		return noNet, true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return noHost, true
	}
	return 0, false
}

// dialGuest connects to a port of the guest's from the gateway.
func (n *Network) dialGuest(ctx context.Context, f *flow, port uint16) (tcpip.Endpoint, *waiter.Queue, error) {
	wq := new(waiter.Queue)
	ep, err := n.stack.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, wq)
	if err != nil {
		return nil, nil, stackError("connect to the guest", err)
	}
	b := f.buffers()
	ep.SocketOptions().SetReceiveBufferSize(int64(b.receive), false)
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents)
	wq.EventRegister(&entry)
	defer wq.EventUnregister(&entry)
	if err := ep.Bind(tcpip.FullAddress{NIC: nicID, Addr: stackAddr(GatewayIP)}); err != nil {
		ep.Close()
		return nil, nil, stackError("connect to the guest", err)
	}
	err = ep.Connect(tcpip.FullAddress{NIC: nicID, Addr: stackAddr(GuestIP), Port: port})
	if _, started := err.(*tcpip.ErrConnectStarted); started {
		timeout := time.NewTimer(n.cfg.Limits.Dial)
		defer timeout.Stop()
		select {
		case <-ready:
			err = ep.LastError()
		case <-timeout.C:
			err = &tcpip.ErrTimeout{}
		case <-n.ctx.Done():
			err = &tcpip.ErrAborted{}
		case <-ctx.Done():
			ep.Abort()
			ep.Close()
			return nil, nil, context.Cause(ctx)
		}
	}
	if err != nil {
		ep.Close()
		return nil, nil, stackError("connect to the guest", err)
	}
	return ep, wq, nil
}
