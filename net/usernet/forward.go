package usernet

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Forward is a port of the host's that leads to one of the guest's.
type Forward struct {
	Network string     // "tcp" or "udp"
	Host    netip.Addr // where to listen; the zero Addr is every address
	Port    uint16     // of the host; 0 has the host choose
	Guest   uint16     // port of the guest
}

// String is the forward as in "tcp 127.0.0.1:8080 to port 80".
func (f Forward) String() string {
	return fmt.Sprintf("%s %s to port %d", f.Network, f.address(), f.Guest)
}

func (f Forward) address() string {
	host := ""
	if f.Host.IsValid() {
		host = f.Host.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(f.Port)))
}

// Forwarded is where the host listens for each of Config.Forwards.
func (n *Network) Forwarded() []net.Addr { return n.bound }

// forward opens one forwarded port.
func (n *Network) forward(f Forward) error {
	if n.cfg.Listener == nil {
		return fmt.Errorf("network: forward %v: there is no way to listen", f)
	}
	switch f.Network {
	case "tcp":
		l, err := n.cfg.Listener.Listen(n.ctx, "tcp", f.address())
		if err != nil {
			return fmt.Errorf("network: forward %v: %w", f, err)
		}
		n.bound = append(n.bound, l.Addr())
		n.closeLater(l)
		n.wg.Go(func() { n.forwardTCP(l, f.Guest) })
	case "udp":
		p, err := n.cfg.Listener.ListenPacket(n.ctx, "udp", f.address())
		if err != nil {
			return fmt.Errorf("network: forward %v: %w", f, err)
		}
		n.bound = append(n.bound, p.LocalAddr())
		n.closeLater(p)
		n.wg.Go(func() { n.forwardUDP(p, f.Guest) })
	default:
		return fmt.Errorf("network: forward %v: the protocol is neither tcp nor udp", f)
	}
	return nil
}

// closeLater closes c when the network is closed.
func (n *Network) closeLater(c interface{ Close() error }) {
	n.wg.Go(func() {
		<-n.ctx.Done()
		c.Close()
	})
}

// comer is a flow from somebody who has come to a forwarded port.
func comer(network string, port uint16, from net.Addr) Flow {
	f := Flow{Network: network, Inbound: true, Guest: netip.AddrPortFrom(GuestIP, port)}
	if a, err := netip.ParseAddrPort(from.String()); err == nil {
		f.Remote = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
	}
	return f
}

// forwardTCP joins each connection to l with one to the guest's port.
func (n *Network) forwardTCP(l net.Listener, port uint16) {
	for {
		host, err := l.Accept()
		if err != nil {
			if n.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			if !n.pause() { // out of descriptors, for one
				return
			}
			continue
		}
		what := comer("tcp", port, host.RemoteAddr())
		if _, err := n.decide(&what); err != nil {
			n.refuse(what, err)
			abortConn(host)
			continue
		}
		f := n.flows.reserve(n.cfg.Limits.IdleTCP)
		if f == nil {
			abortConn(host)
			continue
		}
		counts := n.open(what)
		go func() {
			ep, wq, err := n.dialGuest(n.ctx, f, port)
			if err != nil {
				f.release()
				counts.close(err)
				abortConn(host)
				return
			}
			n.join(f, counts, ep, wq, host)
		}()
	}
}

// forwardUDP passes datagrams between p and the guest's port, with a port of the
// gateway's for each sender.
func (n *Network) forwardUDP(p net.PacketConn, port uint16) {
	var mu sync.Mutex
	peers := map[string]*sender{}
	buf := make([]byte, 64<<10)
	for {
		k, from, err := p.ReadFrom(buf)
		if err != nil {
			if n.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			if !n.pause() {
				return
			}
			continue
		}
		key := from.String()
		mu.Lock()
		peer := peers[key]
		mu.Unlock()
		if peer == nil {
			what := comer("udp", port, from)
			if _, err := n.decide(&what); err != nil {
				n.refuse(what, err)
				continue
			}
			mu.Lock()
			if len(peers) >= n.cfg.Limits.Flows/forwardShare {
				oldest(peers).guest.Close() // its pump takes it out
			}
			full := len(peers) >= n.cfg.Limits.Flows/forwardShare+1
			mu.Unlock()
			if full {
				continue // datagrams may be lost
			}
			peer = n.newSender(port, what)
			if peer == nil {
				continue
			}
			mu.Lock()
			peers[key] = peer
			mu.Unlock()
			go func() {
				peer.pump(p, from)
				mu.Lock()
				delete(peers, key)
				mu.Unlock()
				peer.counts.close(nil)
				peer.flow.release()
			}()
		}
		if !n.down.allow(k) {
			continue // one port waits for no other
		}
		peer.flow.touch()
		peer.counts.received.Add(int64(k))
		peer.guest.Write(buf[:k])
	}
}

// forwardShare is the part of all flows, one in that many, that the senders to one
// forwarded UDP port may have: anybody can make up addresses of senders.
const forwardShare = 4

// oldest is the peer that has been quiet for longest.
func oldest(peers map[string]*sender) *sender {
	var o *sender
	for _, p := range peers {
		if o == nil || p.flow.last.Load() < o.flow.last.Load() {
			o = p
		}
	}
	return o
}

// sender is one who sends to a forwarded UDP port.
type sender struct {
	n      *Network
	flow   *flow
	counts *account
	ep     tcpip.Endpoint
	queue  *waiter.Queue
	guest  *gonet.UDPConn // the same endpoint
}

func (n *Network) newSender(port uint16, what Flow) *sender {
	f := n.flows.reserve(n.cfg.Limits.IdleUDP)
	if f == nil {
		return nil
	}
	s := &sender{n: n, flow: f, counts: n.open(what), queue: new(waiter.Queue)}
	var err tcpip.Error
	if s.ep, err = n.stack.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, s.queue); err != nil {
		f.release()
		return nil
	}
	s.ep.SocketOptions().SetReceiveBufferSize(smallReceive, false)
	s.ep.SocketOptions().SetSendBufferSize(2*largestUDP, false)
	s.guest = gonet.NewUDPConn(s.queue, s.ep)
	at, to := tcpip.FullAddress{NIC: nicID, Addr: stackAddr(GatewayIP)}, tcpip.FullAddress{NIC: nicID, Addr: stackAddr(GuestIP), Port: port}
	if s.ep.Bind(at) != nil || s.ep.Connect(to) != nil || !f.onEnd(func() { s.guest.Close() }) {
		s.guest.Close()
		f.release()
		return nil
	}
	return s
}

// smallReceive is what the stack may keep of the guest's datagrams for one sender,
// and one more.
const smallReceive = 16 << 10

// pump passes the guest's datagrams to the sender until the flow ends.
func (s *sender) pump(p net.PacketConn, to net.Addr) {
	defer s.guest.Close()
	entry, arrived := waiter.NewChannelEntry(waiter.ReadableEvents | waiter.EventErr | waiter.EventHUp)
	s.queue.EventRegister(&entry)
	defer s.queue.EventUnregister(&entry)
	for {
		var b bytes.Buffer // as large as the datagram, and not there while none has come
		_, err := s.ep.Read(&b, tcpip.ReadOptions{})
		switch err.(type) {
		case nil:
			s.flow.touch()
			s.counts.sent.Add(int64(b.Len()))
			if s.n.up.wait(s.n.ctx, b.Len()) != nil {
				return
			}
			p.WriteTo(b.Bytes(), to)
		case *tcpip.ErrWouldBlock:
			<-arrived
		default: // the flow has ended, or the guest has closed the port
			return
		}
	}
}
