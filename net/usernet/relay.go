package usernet

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// join passes data between a connection of the guest's and one of the host's
// until both directions have ended, then releases the flow. The end of either
// side's data is passed on as such, and so is a reset.
func (n *Network) join(f *flow, counts *account, ep tcpip.Endpoint, wq *waiter.Queue, host net.Conn) {
	defer f.release()
	defer counts.close(nil)
	ctx, cancel := context.WithCancel(n.ctx)
	defer cancel()
	b := f.buffers()
	ep.SocketOptions().SetSendBufferSize(int64(b.send), false)
	guest := gonet.NewTCPConn(wq, ep)
	reset := sync.OnceFunc(func() {
		cancel()
		ep.Abort()
		abortConn(host)
	})
	if !f.onEnd(reset) {
		reset()
		return
	}
	out := passage{ctx, f, &counts.sent, n.up, make([]byte, b.relay)}
	in := passage{ctx, f, &counts.received, n.down, make([]byte, b.relay)}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := out.pass(host, guest); err != nil || closeWrite(host) != nil {
			reset()
		}
	})
	if err := in.pass(guest, host); err != nil || guest.CloseWrite() != nil {
		reset()
	}
	wg.Wait()
	n.settle(ep)
	host.Close()
}

// passage is one direction of a connection.
type passage struct {
	ctx   context.Context
	flow  *flow
	bytes *atomic.Int64
	pace  pace
	buf   []byte
}

// pass copies from src to dst until the end of src, which is no error.
func (p passage) pass(dst io.Writer, src io.Reader) error {
	buf := p.pace.cut(p.buf)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if werr := p.pace.wait(p.ctx, n); werr != nil {
				return werr
			}
			p.flow.touch()
			p.bytes.Add(int64(n))
			if _, werr := dst.Write(buf[:n]); werr != nil {
				return werr
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// settle waits until the guest has acknowledged everything, since what it has
// not is still in memory, and then gives the endpoint up.
func (n *Network) settle(ep tcpip.Endpoint) {
	deadline := time.Now().Add(n.cfg.Limits.Linger)
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		switch tcp.EndpointState(ep.State()) {
		case tcp.StateTimeWait, tcp.StateClose, tcp.StateError:
			ep.Close()
			return
		}
		if time.Now().After(deadline) {
			break
		}
		select {
		case <-time.After(wait):
			continue
		case <-n.ctx.Done():
		}
		break
	}
	ep.Abort()
	ep.Close()
}

// closeWrite ends the host's sending direction, if its kind can do that.
func closeWrite(c net.Conn) error {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return nil
}

// abortConn closes c with a reset, if its kind can do that.
func abortConn(c net.Conn) {
	if h, ok := c.(interface{ SetLinger(int) error }); ok {
		h.SetLinger(0)
	}
	c.Close()
}
