package usernet

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
)

// DNSConfig is what the host knows about names.
type DNSConfig struct {
	// Servers are the host's resolvers, asked in this order. Current, where not
	// nil, gives them anew for each query, on any goroutine: a host changes its
	// resolvers when it joins a network.
	Servers []netip.AddrPort
	Current func() []netip.AddrPort
	// Search are the domains that DHCP clients are told to complete names with.
	Search []string
	// Hosts are names, in lower case, with their addresses, which no server is
	// asked for. Loopback addresses are taken for GatewayIP if the guest can
	// reach the host's there, and else left out.
	Hosts map[string][]netip.Addr
	// Lookup, if not nil, finds the addresses of a name where there are no
	// Servers: a host may have a resolver that is none.
	Lookup func(ctx context.Context, name string) ([]netip.Addr, error)
}

const (
	dnsQueries   = 64               // over UDP at a time
	dnsConns     = 16               // over TCP at a time
	dnsAttempt   = 2 * time.Second  // until the next server is asked too
	dnsDeadline  = 10 * time.Second // for the answer of any server
	dnsIdle      = 30 * time.Second // of a TCP connection
	dnsMessage   = 4096             // largest message over UDP that is passed on (RFC 6891, 6.2.5)
	dnsStreamMax = 65535            // and over TCP (RFC 1035, 4.2.2)
	dnsTTL       = 60               // seconds, of what Hosts and Lookup say
)

// dnsServer answers the guest's queries.
type dnsServer struct {
	n     *Network
	hosts map[string][]netip.Addr
	names map[netip.Addr]string
	slots chan struct{} // of UDP queries
	conns chan struct{}
}

func newDNSServer(n *Network) *dnsServer {
	s := &dnsServer{
		n:     n,
		hosts: map[string][]netip.Addr{},
		names: map[netip.Addr]string{},
		slots: make(chan struct{}, dnsQueries),
		conns: make(chan struct{}, dnsConns),
	}
	for name, ips := range n.cfg.DNS.Hosts {
		for _, ip := range ips {
			if ip = ip.Unmap(); ip.IsLoopback() {
				if name == "localhost" || !n.cfg.HostLoopback {
					continue
				}
				ip = GatewayIP
			}
			s.hosts[canonical(name)] = append(s.hosts[canonical(name)], ip)
			if old, ok := s.names[ip]; !ok || name < old {
				s.names[ip] = canonical(name)
			}
		}
	}
	return s
}

// startDNS listens on the DNS server's port, UDP and TCP.
func (n *Network) startDNS(ip netip.Addr) error {
	at := tcpip.FullAddress{NIC: nicID, Addr: stackAddr(ip), Port: dnsPort}
	conn, err := gonet.DialUDP(n.stack, &at, nil, protocolOf(ip))
	if err != nil {
		return err
	}
	n.closeLater(conn)
	n.wg.Go(func() { n.dns.serveUDP(conn) })
	l, err := gonet.ListenTCP(n.stack, at, protocolOf(ip))
	if err != nil {
		return err
	}
	n.wg.Go(func() {
		<-n.ctx.Done()
		l.Shutdown()
		l.Close()
	})
	n.wg.Go(func() { n.dns.serveTCP(l) })
	return nil
}

// serveUDP answers queries until conn is closed.
func (s *dnsServer) serveUDP(conn *gonet.UDPConn) {
	buf := make([]byte, dnsMessage)
	for {
		k, from, err := conn.ReadFrom(buf)
		if err != nil {
			if s.n.ctx.Err() != nil || !s.n.pause() {
				return
			}
			continue
		}
		select {
		case s.slots <- struct{}{}:
		default:
			continue // the client asks again
		}
		query := append([]byte(nil), buf[:k]...)
		s.n.wg.Go(func() {
			defer func() { <-s.slots }()
			if resp := s.answer(query, "udp"); resp != nil {
				conn.WriteTo(resp, from)
			}
		})
	}
}

// serveTCP answers the queries on each connection until l is closed.
func (s *dnsServer) serveTCP(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if s.n.ctx.Err() != nil || !s.n.pause() {
				return
			}
			continue
		}
		select {
		case s.conns <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		s.n.wg.Go(func() {
			defer func() { <-s.conns }()
			stop := context.AfterFunc(s.n.ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
			defer stop()
			defer conn.Close()
			s.serveConn(conn)
		})
	}
}

// serveConn answers the queries on one connection, one after the other.
func (s *dnsServer) serveConn(conn net.Conn) {
	for s.n.ctx.Err() == nil {
		conn.SetDeadline(time.Now().Add(dnsIdle))
		query, err := readStream(conn)
		if err != nil {
			return
		}
		resp := s.answer(query, "tcp")
		if resp == nil || writeStream(conn, resp) != nil {
			return
		}
	}
}

// readStream reads a message with its length before it (RFC 1035, 4.2.2).
func readStream(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// writeStream writes a message with its length before it.
func writeStream(w io.Writer, b []byte) error {
	if len(b) > dnsStreamMax {
		return io.ErrShortWrite
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	return err
}

// answer is the answer to query, or nil if it is none to answer.
func (s *dnsServer) answer(query []byte, network string) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return reply(h, nil, dnsmessage.RCodeFormatError, nil)
	}
	if _, err := p.Question(); err != dnsmessage.ErrSectionDone { // a second name, which nobody has looked at
		return reply(h, nil, dnsmessage.RCodeFormatError, nil)
	}
	if h.OpCode != 0 {
		return reply(h, &q, dnsmessage.RCodeNotImplemented, nil)
	}
	name := canonical(q.Name.String())
	err = s.n.policy.Lookup(name)
	s.n.lookedUp(name, err)
	if err != nil {
		return refuseName(query, h, q)
	}
	if s.n.up.wait(s.n.ctx, len(query)) != nil {
		return nil
	}
	resp := s.resolve(h, q, network, query)
	if s.n.cfg.IPv6 == nil || !s.n.cfg.IPv6() {
		resp = withoutIPv6(resp)
	}
	s.n.pins.learn(resp)
	if s.n.down.wait(s.n.ctx, len(resp)) != nil {
		return nil
	}
	return resp
}

// resolve finds the answer to a query.
func (s *dnsServer) resolve(h dnsmessage.Header, q dnsmessage.Question, network string, query []byte) []byte {
	if ips, ok := s.hosts[canonical(q.Name.String())]; ok && q.Class == dnsmessage.ClassINET {
		return reply(h, &q, dnsmessage.RCodeSuccess, addresses(q, ips))
	}
	if name, ok := s.pointer(q); ok {
		return reply(h, &q, dnsmessage.RCodeSuccess, []dnsmessage.ResourceBody{&dnsmessage.PTRResource{PTR: name}})
	}
	servers := s.n.cfg.DNS.Servers
	if s.n.cfg.DNS.Current != nil {
		servers = s.n.cfg.DNS.Current()
	}
	if len(servers) == 0 && s.n.cfg.DNS.Lookup != nil {
		return s.lookup(h, q)
	}
	if resp := s.forward(network, servers, query); resp != nil {
		return resp
	}
	return reply(h, &q, dnsmessage.RCodeServerFailure, nil)
}

// withoutIPv6 is an answer without addresses of IPv6, whose name is there all the
// same.
func withoutIPv6(resp []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(resp) != nil {
		return resp // nobody can read it
	}
	have := len(m.Answers)
	m.Answers = slices.DeleteFunc(m.Answers, func(r dnsmessage.Resource) bool { return r.Header.Type == dnsmessage.TypeAAAA })
	if len(m.Answers) == have {
		return resp
	}
	b, err := m.Pack()
	if err != nil {
		return resp
	}
	return b
}

// pointer is the name for the address that q asks back for.
func (s *dnsServer) pointer(q dnsmessage.Question) (dnsmessage.Name, bool) {
	if q.Type != dnsmessage.TypePTR {
		return dnsmessage.Name{}, false
	}
	for ip, name := range s.names {
		if !ip.Is4() {
			continue
		}
		a := ip.As4()
		if canonical(q.Name.String()) == netip.AddrFrom4([4]byte{a[3], a[2], a[1], a[0]}).String()+".in-addr.arpa" {
			n, err := dnsmessage.NewName(name + ".")
			return n, err == nil
		}
	}
	return dnsmessage.Name{}, false
}

// lookup answers from DNSConfig.Lookup.
func (s *dnsServer) lookup(h dnsmessage.Header, q dnsmessage.Question) []byte {
	if q.Class != dnsmessage.ClassINET || (q.Type != dnsmessage.TypeA && q.Type != dnsmessage.TypeAAAA) {
		return reply(h, &q, dnsmessage.RCodeNotImplemented, nil)
	}
	ctx, cancel := context.WithTimeout(s.n.ctx, dnsDeadline)
	defer cancel()
	ips, err := s.n.cfg.DNS.Lookup(ctx, canonical(q.Name.String()))
	var dnsErr *net.DNSError
	switch {
	case errors.As(err, &dnsErr) && dnsErr.IsNotFound:
		return reply(h, &q, dnsmessage.RCodeNameError, nil)
	case err != nil:
		return reply(h, &q, dnsmessage.RCodeServerFailure, nil)
	}
	return reply(h, &q, dnsmessage.RCodeSuccess, addresses(q, ips))
}

// addresses are those of ips that q asks for.
func addresses(q dnsmessage.Question, ips []netip.Addr) []dnsmessage.ResourceBody {
	var rs []dnsmessage.ResourceBody
	for _, ip := range ips {
		switch ip = ip.Unmap(); {
		case ip.Is4() && q.Type == dnsmessage.TypeA:
			rs = append(rs, &dnsmessage.AResource{A: ip.As4()})
		case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
			rs = append(rs, &dnsmessage.AAAAResource{AAAA: ip.As16()})
		}
	}
	return rs
}

// reply is an answer of our own; nil if it cannot be expressed.
func reply(h dnsmessage.Header, q *dnsmessage.Question, code dnsmessage.RCode, rs []dnsmessage.ResourceBody) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{
		ID: h.ID, Response: true, OpCode: h.OpCode,
		RecursionDesired: h.RecursionDesired, RecursionAvailable: true, RCode: code,
	}}
	if q != nil {
		m.Questions = []dnsmessage.Question{*q}
		for _, r := range rs {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: dnsTTL},
				Body:   r,
			})
		}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}
