package usernet

import (
	"bytes"
	"context"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// forward asks the host's servers, the next one where one before has failed or
// is slow, and gives the first answer; nil where there is none. What says only
// that the server cannot answer is given where no other server can.
func (s *dnsServer) forward(network string, servers []netip.AddrPort, query []byte) []byte {
	ctx, cancel := context.WithTimeout(s.n.ctx, dnsDeadline)
	defer cancel()
	answers := make(chan []byte, len(servers)) // nil: none came
	var refusal []byte
	asked, open := 0, 0
	ask := func() {
		server := servers[asked]
		asked, open = asked+1, open+1
		s.n.wg.Go(func() {
			resp, err := s.exchange(ctx, network, server, query)
			if err != nil {
				resp = nil
			}
			answers <- resp
		})
	}
	for asked < len(servers) || open > 0 {
		if open == 0 {
			ask()
		}
		slow := time.NewTimer(dnsAttempt)
		select {
		case resp := <-answers:
			open--
			if final(resp) {
				slow.Stop()
				return resp
			}
			if resp != nil && refusal == nil {
				refusal = resp
			}
			if asked < len(servers) {
				ask()
			}
		case <-slow.C:
			if asked < len(servers) {
				ask()
			}
		case <-ctx.Done():
			slow.Stop()
			return refusal
		}
		slow.Stop()
	}
	return refusal
}

// final says that an answer is one, rather than the server's word that it cannot
// give any: names that exist or not (RFC 1035, 4.1.1).
func final(resp []byte) bool {
	if len(resp) < dnsHeader {
		return false
	}
	code := dnsmessage.RCode(resp[3] & 15)
	return code == dnsmessage.RCodeSuccess || code == dnsmessage.RCodeNameError
}

// dnsHeader is the length of a message's header.
const dnsHeader = 12

// exchange asks one server.
func (s *dnsServer) exchange(ctx context.Context, network string, server netip.AddrPort, query []byte) ([]byte, error) {
	conn, err := s.n.cfg.Dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if network == "tcp" {
		if err := writeStream(conn, query); err != nil {
			return nil, err
		}
		return readStream(conn)
	}
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	buf := make([]byte, dnsMessage)
	for {
		k, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		// What is no answer to this query may be forged (RFC 5452, 9.1).
		if k >= dnsHeader && bytes.Equal(buf[:2], query[:2]) && buf[2]&0x80 != 0 {
			return buf[:k], nil
		}
	}
}
