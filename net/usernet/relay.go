package usernet

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// join passes data between a connection of the guest's and one of the host's
// until both directions have ended, then releases the flow. The end of either
// side's data is passed on as such, and so is a reset.
func (n *Network) join(f *flow, ep tcpip.Endpoint, wq *waiter.Queue, host net.Conn) {
	defer f.release()
	b := f.buffers()
	ep.SocketOptions().SetSendBufferSize(int64(b.send), false)
	guest := gonet.NewTCPConn(wq, ep)
	reset := sync.OnceFunc(func() {
		ep.Abort()
		abortConn(host)
	})
	if !f.onEnd(reset) {
		reset()
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := pass(host, guest, make([]byte, b.relay), f); err != nil || closeWrite(host) != nil {
			reset()
		}
	})
	if err := pass(guest, host, make([]byte, b.relay), f); err != nil || guest.CloseWrite() != nil {
		reset()
	}
	wg.Wait()
	n.settle(ep)
	host.Close()
}

// pass copies from src to dst until the end of src, which is no error.
func pass(dst io.Writer, src io.Reader, buf []byte, f *flow) error {
	for {
		n, err := src.Read(buf)
		if n > 0 {
			f.touch()
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
