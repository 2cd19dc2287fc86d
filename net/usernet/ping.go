package usernet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

const pingAnswer = 64 << 10

// HostPing sends an ICMP echo request through a socket of the host's that needs
// no privilege, and waits for the answer. Its error says that there was none,
// or that the host has no such sockets. It is made for Config.Ping.
func HostPing(ctx context.Context, addr netip.Addr, payload []byte) error {
	conn, err := icmp.ListenPacket("udp4", "0.0.0.0")
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	request := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{Seq: 1, Data: payload}}
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
		m, err := icmp.ParseMessage(1, buf[:k])
		if err != nil {
			return err
		}
		if m.Type == ipv4.ICMPTypeEchoReply {
			return nil
		}
		return errors.New("the answer is an ICMP error")
	}
}
