package usernet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	pingAnswer = 64 << 10
	// Protocol numbers as golang.org/x/net/icmp wants them.
	protocolICMP  = 1
	protocolICMP6 = 58
)

// HostPing sends an ICMP echo request through a socket of the host's that needs
// no privilege, and waits for the answer. Its error says that there was none,
// or that the host has no such sockets. It is made for Config.Ping.
func HostPing(ctx context.Context, addr netip.Addr, payload []byte) error {
	network, at, proto := "udp4", "0.0.0.0", protocolICMP
	var ask, answer icmp.Type = ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply
	if addr.Is6() {
		network, at, proto = "udp6", "::", protocolICMP6
		ask, answer = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	conn, err := icmp.ListenPacket(network, at)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := icmp.Message{Type: ask, Body: &icmp.Echo{Seq: 1, Data: payload}}
	b, err := request.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := conn.WriteTo(b, &net.UDPAddr{IP: addr.AsSlice()}); err != nil {
		return err
	}
	buf := make([]byte, pingAnswer)
	for {
		k, from, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		if u, ok := from.(*net.UDPAddr); !ok || !u.IP.Equal(addr.AsSlice()) {
			continue
		}
		m, err := icmp.ParseMessage(proto, buf[:k])
		if err != nil {
			return err
		}
		if m.Type == answer {
			return nil
		}
		return errors.New("the answer is an ICMP error")
	}
}
