package usernet

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// segment is an Ethernet frame with a TCP segment.
func segment(src, dst netip.AddrPort, seq, ack uint32, flags header.TCPFlags, window uint16, options, data []byte) []byte {
	size := header.TCPMinimumSize + (len(options)+3)&^3
	s := make([]byte, size+len(data))
	header.TCP(s).Encode(&header.TCPFields{
		SrcPort: src.Port(), DstPort: dst.Port(), SeqNum: seq, AckNum: ack,
		DataOffset: uint8(size), Flags: flags, WindowSize: window,
	})
	copy(s[header.TCPMinimumSize:], options)
	copy(s[size:], data)
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, stackAddr(src.Addr()), stackAddr(dst.Addr()), uint16(len(s)))
	header.TCP(s).SetChecksum(^checksum.Checksum(s, sum))
	return ipFrame(header.TCPProtocolNumber, src.Addr(), dst.Addr(), s)
}

// FuzzSegments opens a connection and then sends any segments around its
// window: wrong sequence numbers, flags, options, zero windows.
func FuzzSegments(f *testing.F) {
	const (
		ack, psh, fin, rst, syn = byte(header.TCPFlagAck), byte(header.TCPFlagPsh), byte(header.TCPFlagFin), byte(header.TCPFlagRst), byte(header.TCPFlagSyn)
	)
	f.Add([]byte{ack, 1, 1, 0xff, 0, 0, ack | psh, 1, 1, 0xff, 9, 0, ack | fin, 10, 1, 0xff, 0, 0})
	f.Add([]byte{ack, 1, 1, 0, 0, 0, ack, 1, 200, 0, 80, 5, rst, 1, 1, 0, 0, 0})
	f.Add([]byte{ack, 1, 1, 9, 0, 0, syn, 1, 1, 9, 0, 2, ack, 50, 1, 9, 100, 13, ack | fin, 20, 1, 9, 40, 0})
	c := newCard(f, Config{Limits: Limits{IdleTCP: 50 * time.Millisecond, Linger: 50 * time.Millisecond}, Dialer: dialerFunc(func(context.Context, string, string) (net.Conn, error) {
		host, peer := net.Pipe()
		go func() {
			peer.Write(make([]byte, 3000))
			io.Copy(io.Discard, peer)
			peer.Close()
		}()
		return host, nil
	})})
	c.send(arpFrame(GuestIP, guestMAC))
	<-c.got
	port := uint16(1024)
	f.Fuzz(func(t *testing.T, ops []byte) {
		for len(c.got) > 0 {
			<-c.got
		}
		port = max(port+1, 1024)
		src := netip.AddrPortFrom(GuestIP, port)
		deliver := func(b []byte) {
			l := newLink(nil, nil, 1500)
			l.send(Frame{Data: b})
			c.n.link.deliverOne(<-l.in)
		}
		const mine = 1000
		deliver(segment(src, publicPort, mine, 0, header.TCPFlagSyn, 0xffff, []byte{2, 4, 5, 180, 4, 2, 1, 3, 3, 7}, nil))
		theirs, ok := c.synAck(port)
		if !ok {
			return // the flows of other inputs are not all done
		}
		options := []byte{8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 5, 10, 0, 0, 4, 0, 0, 0, 5, 0, 3, 0, 9, 2, 0}
		for ; len(ops) >= 6; ops = ops[6:] {
			deliver(segment(src, publicPort, mine+uint32(int32(int8(ops[1]))), theirs+uint32(int32(int8(ops[2])))*37,
				header.TCPFlags(ops[0]), uint16(ops[3])<<8, options[:min(int(ops[5]), len(options))], make([]byte, int(ops[4])*4)))
		}
		deliver(segment(src, publicPort, mine+1, theirs+1, header.TCPFlagRst|header.TCPFlagAck, 0, nil, nil))
	})
}

// synAck waits for the answer to a SYN from port and returns its sequence
// number.
func (c *card) synAck(port uint16) (uint32, bool) {
	timeout := time.After(time.Second)
	for {
		select {
		case b := <-c.got:
			if len(b) < 54 || b[23] != uint8(header.TCPProtocolNumber) || binary.BigEndian.Uint16(b[36:]) != port {
				continue
			}
			tcp := header.TCP(b[34:])
			return tcp.SequenceNumber(), tcp.Flags() == header.TCPFlagSyn|header.TCPFlagAck
		case <-timeout:
			return 0, false
		}
	}
}
