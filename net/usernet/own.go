package usernet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Connections between the guest and the host program itself, without a socket of
// the host's. The Policy is not asked: the program has decided.

// errNoFlow is the error where there are as many flows as there can be.
var errNoFlow = errors.New("the guest's network has as many connections as it can have")

// Dial connects to a port of the guest's, from the gateway. network is "tcp" or
// "udp".
func (n *Network) Dial(ctx context.Context, network string, port uint16) (net.Conn, error) {
	idle := n.cfg.Limits.IdleTCP
	if network == "udp" || network == "udp4" {
		idle = n.cfg.Limits.IdleUDP
	} else if network != "tcp" && network != "tcp4" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError(network)}
	}
	f := n.flows.reserve(idle)
	if f == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errNoFlow}
	}
	var c net.Conn
	var err error
	if idle == n.cfg.Limits.IdleUDP {
		from, to := tcpip.FullAddress{NIC: nicID, Addr: stackAddr(GatewayIP)}, tcpip.FullAddress{NIC: nicID, Addr: stackAddr(GuestIP), Port: port}
		c, err = gonet.DialUDP(n.stack, &from, &to, ipv4.ProtocolNumber)
	} else {
		var ep tcpip.Endpoint
		var wq *waiter.Queue
		if ep, wq, err = n.dialGuest(ctx, f, port); err == nil {
			ep.SocketOptions().SetSendBufferSize(int64(f.buffers().send), false)
			c = gonet.NewTCPConn(wq, ep)
		}
	}
	if err != nil {
		f.release()
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(GuestIP, port)), Err: err}
	}
	return own(f, c)
}

// own makes a connection of the program's, which is one of the flows.
func own(f *flow, c net.Conn) (net.Conn, error) {
	if !f.onEnd(func() { abortConn(c) }) {
		c.Close()
		f.release()
		return nil, net.ErrClosed
	}
	return &ownConn{Conn: c, flow: f}, nil
}

// ownConn counts as a flow until it is closed.
type ownConn struct {
	net.Conn
	flow *flow
}

func (c *ownConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.flow.touch()
	return n, err
}

func (c *ownConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.flow.touch()
	return n, err
}

// CloseWrite ends what is sent; what is received goes on.
func (c *ownConn) CloseWrite() error { return closeWrite(c.Conn) }

func (c *ownConn) Close() error {
	defer c.flow.release()
	return c.Conn.Close()
}

// listenBacklog is how many connections may wait for Accept.
const listenBacklog = 64

// ownListener takes the guest's connections to a port of the gateway's.
type ownListener struct {
	n    *Network
	port uint16
	next chan net.Conn
	once sync.Once
	done chan struct{}
}

// Listen takes the guest's TCP connections to a port of GatewayIP, in place of the
// host's loopback; 0 is one that is free.
func (n *Network) Listen(network string, port uint16) (net.Listener, error) {
	if network != "tcp" && network != "tcp4" {
		return nil, &net.OpError{Op: "listen", Net: network, Err: net.UnknownNetworkError(network)}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.own == nil {
		n.own = map[uint16]*ownListener{}
	}
	for p := uint16(firstFree); port == 0 && p != 0; p++ {
		if n.own[p] == nil {
			port = p
		}
	}
	l := &ownListener{n: n, port: port, next: make(chan net.Conn, listenBacklog), done: make(chan struct{})}
	if port == 0 || n.own[port] != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: l.Addr(), Err: fmt.Errorf("port %d: %w", port, syscall.EADDRINUSE)}
	}
	n.own[port] = l
	return l, nil
}

// firstFree is the first port that is chosen where none is asked for (RFC 6335, 6).
const firstFree = 49152

// listener finds who takes a connection of the guest's; nil: nobody of ours.
func (n *Network) listener(id stack.TransportEndpointID) *ownListener {
	if id.LocalAddress != stackAddr(GatewayIP) {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.own[id.LocalPort]
}

// Addr is where the guest connects to.
func (l *ownListener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(GatewayIP, l.port))
}

// Accept waits for a connection.
func (l *ownListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.next:
		return c, nil
	case <-l.done:
	case <-l.n.ctx.Done():
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
}

// Close ends the listening, and connections that nobody has accepted.
func (l *ownListener) Close() error {
	l.once.Do(func() {
		l.n.mu.Lock()
		delete(l.n.own, l.port)
		close(l.done)
		l.n.mu.Unlock()
		for {
			select {
			case c := <-l.next:
				abortConn(c)
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}

// accept completes a connection of the guest's.
func (l *ownListener) accept(r *tcp.ForwarderRequest, d *dialing) {
	wq := new(waiter.Queue)
	ep, terr := r.CreateEndpoint(wq)
	r.Complete(terr != nil)
	if terr != nil {
		d.flow.release()
		return
	}
	ep.SocketOptions().SetSendBufferSize(int64(d.flow.buffers().send), false)
	c, err := own(d.flow, gonet.NewTCPConn(wq, ep))
	if err != nil {
		return
	}
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	select {
	case <-l.done:
	default:
		select {
		case l.next <- c:
			return
		default:
		}
	}
	c.Close()
}
