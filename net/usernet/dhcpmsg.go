package usernet

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// DHCP message types (RFC 2132, 9.6).
const (
	dhcpDiscover = 1
	dhcpOffer    = 2
	dhcpRequest  = 3
	dhcpDecline  = 4
	dhcpAck      = 5
	dhcpNak      = 6
	dhcpRelease  = 7
	dhcpInform   = 8
)

// DHCP options (RFC 2132; 119 is RFC 3397).
const (
	optPad           = 0
	optSubnetMask    = 1
	optRouter        = 3
	optDNS           = 6
	optHostname      = 12
	optMTU           = 26
	optBroadcast     = 28
	optRequestedIP   = 50
	optLeaseTime     = 51
	optMessageType   = 53
	optServerID      = 54
	optRenewalTime   = 58
	optRebindingTime = 59
	optDomain        = 15
	optSearch        = 119
	optEnd           = 255
)

// The fixed part of a message (RFC 2131, 2).
const (
	bootRequest    = 1
	bootReply      = 2
	ethernetType   = 1
	macSize        = 6
	dhcpSeconds    = 8
	dhcpFlags      = 10
	dhcpClientIP   = 12
	dhcpYourIP     = 16
	dhcpServerIP   = 20
	dhcpClientMAC  = 28
	dhcpServerName = 44
	dhcpCookie     = 236
	dhcpOptions    = 240
	dhcpMagic      = 0x63825363
	// dhcpSmallest is the least size of a message: BOOTP relays and old clients
	// drop shorter ones (RFC 1542, 2.1).
	dhcpSmallest = 300
	// dhcpLargest is what every client takes (RFC 2131, 2).
	dhcpLargest = 548
)

var errDHCP = errors.New("not a DHCP request")

// dhcpMessage is what a server needs of a client's message.
type dhcpMessage struct {
	head      []byte // the fixed part
	kind      byte
	clientIP  netip.Addr // ciaddr
	requested netip.Addr // option 50, invalid if absent
	server    netip.Addr // option 54, invalid if absent
}

// parseDHCP reads a client's message (RFC 2131, 2).
func parseDHCP(b []byte) (dhcpMessage, error) {
	if len(b) < dhcpOptions || b[0] != bootRequest || b[1] != ethernetType || b[2] != macSize ||
		binary.BigEndian.Uint32(b[dhcpCookie:]) != dhcpMagic {
		return dhcpMessage{}, errDHCP
	}
	m := dhcpMessage{
		head:     b[:dhcpCookie],
		clientIP: netip.AddrFrom4([4]byte(b[dhcpClientIP:])),
	}
	for o := b[dhcpOptions:]; len(o) > 0 && o[0] != optEnd; {
		if o[0] == optPad {
			o = o[1:]
			continue
		}
		if len(o) < 2 || len(o) < 2+int(o[1]) {
			return dhcpMessage{}, errDHCP
		}
		code, v := o[0], o[2:2+int(o[1])]
		o = o[2+len(v):]
		switch {
		case code == optMessageType && len(v) == 1:
			m.kind = v[0]
		case code == optRequestedIP && len(v) == 4:
			m.requested = netip.AddrFrom4([4]byte(v))
		case code == optServerID && len(v) == 4:
			m.server = netip.AddrFrom4([4]byte(v))
		}
	}
	if m.kind == 0 {
		return dhcpMessage{}, errDHCP
	}
	return m, nil
}

// dhcpReply builds a server's message of the given kind (RFC 2131, 4.3.1).
type dhcpReply struct{ b []byte }

func newDHCPReply(m dhcpMessage, kind byte) *dhcpReply {
	b := make([]byte, dhcpOptions, dhcpLargest)
	copy(b, m.head)
	b[0] = bootReply
	b[3] = 0 // hops
	clear(b[dhcpSeconds:dhcpFlags])
	clear(b[dhcpClientIP:dhcpClientMAC]) // ciaddr to giaddr; chaddr stays
	clear(b[dhcpServerName:dhcpCookie])  // and the boot file's name
	binary.BigEndian.PutUint32(b[dhcpCookie:], dhcpMagic)
	r := &dhcpReply{b}
	r.add(optMessageType, kind)
	r.addIP(optServerID, GatewayIP)
	return r
}

// add appends an option, unless there is no room for it.
func (r *dhcpReply) add(code byte, v ...byte) {
	if len(v) == 0 || len(v) > 255 || len(r.b)+2+len(v)+1 > dhcpLargest {
		return
	}
	r.b = append(append(r.b, code, byte(len(v))), v...)
}

func (r *dhcpReply) addIP(code byte, ip netip.Addr) { r.add(code, ip.AsSlice()...) }

func (r *dhcpReply) addSeconds(code byte, d time.Duration) {
	r.add(code, binary.BigEndian.AppendUint32(nil, uint32(d/time.Second))...)
}

// bytes is the finished message.
func (r *dhcpReply) bytes() []byte {
	b := append(r.b, optEnd)
	for len(b) < dhcpSmallest {
		b = append(b, optPad)
	}
	return b
}

// searchList encodes domain names for option 119 (RFC 3397, without its
// compression), as many as fit into one option.
func searchList(domains []string) []byte {
	var list []byte
	for _, d := range domains {
		name := encodeName(d)
		if name == nil || len(list)+len(name) > 255 {
			continue
		}
		list = append(list, name...)
	}
	return list
}

// encodeName is a domain name in the form of RFC 1035, 3.1; nil if it is none.
func encodeName(name string) []byte {
	var b []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 {
			return nil
		}
		b = append(b, byte(len(label)))
		b = append(b, label...)
	}
	if len(b) > 254 {
		return nil
	}
	return slices.Concat(b, []byte{0})
}
