package wisp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Client is the end that makes flows.
type Client struct {
	link   *link
	buffer int // packets that the server takes of a new stream
	next   uint32
	done   chan struct{}
}

// NewClient speaks with a server at the other end of a pipe, which it takes over. v2
// says that the server has agreed to Protocol.
func NewClient(ctx context.Context, p Pipe, v2 bool) (*Client, error) {
	c := &Client{link: &link{pipe: p, streams: map[uint32]*stream{}}, done: make(chan struct{})}
	if err := c.greet(ctx, v2); err != nil {
		p.Close()
		return nil, fmt.Errorf("the relay does not speak the Wisp protocol: %w", err)
	}
	go c.receive()
	return c, nil
}

// greet is what both ends begin with: the server's INFO and the client's, if it is
// version 2, and a CONTINUE of stream 0.
func (c *Client) greet(ctx context.Context, v2 bool) error {
	p, err := c.first(ctx)
	if err != nil {
		return err
	}
	if p.kind == kindInfo {
		extensions, err := parseInfo(p.data)
		if err != nil {
			return err
		}
		c.link.flow = v2 && hasFlow(extensions)
		if err := c.link.pipe.Send(ctx, (&packet{kindInfo, 0, info()}).bytes()); err != nil {
			return err
		}
		if p, err = c.first(ctx); err != nil {
			return err
		}
	}
	if p.kind != kindContinue || p.stream != 0 || len(p.data) < 4 {
		return errPacket
	}
	c.buffer = int(min(binary.LittleEndian.Uint32(p.data), maxWindow))
	return nil
}

func (c *Client) first(ctx context.Context) (packet, error) {
	m, err := c.link.pipe.Receive(ctx)
	if err != nil {
		return packet{}, err
	}
	return parse(m)
}

// receive takes what the server sends, to the end.
func (c *Client) receive() {
	defer close(c.done)
	for {
		m, err := c.link.pipe.Receive(context.Background())
		if err != nil {
			c.link.fail(ErrLost)
			return
		}
		p, err := parse(m)
		if err != nil {
			c.link.fail(err)
			return
		}
		if s := c.link.get(p.stream); s != nil {
			s.handle(p)
		}
	}
}

// Done is closed when the relay is gone.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close ends all flows.
func (c *Client) Close() error {
	c.link.fail(ErrLost)
	return nil
}

// DialContext makes a flow; network is "tcp" or "udp", address a name or an IP address,
// and a port. The relay does not say when it is connected: what fails is told by the
// first Read.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	kinds := map[string]uint8{"tcp": streamTCP, "udp": streamUDP}
	if err != nil || port == 0 || host == "" || len(host) > maxName || kinds[network] == 0 {
		return nil, fmt.Errorf("relay: %s %q is no address", network, address)
	}
	l := c.link
	l.mu.Lock()
	if l.lost != nil {
		l.mu.Unlock()
		return nil, l.lost
	}
	c.next++
	s := newStream(l, c.next, network, address, c.buffer)
	l.streams[s.id] = s
	l.mu.Unlock()
	hello := connect{kinds[network], uint16(port), host}
	if err := l.pipe.Send(ctx, (&packet{kindConnect, s.id, hello.bytes()}).bytes()); err != nil {
		s.over(err, true)
		return nil, errors.Join(ErrLost, err)
	}
	return s, nil
}
