package virtio

import "encoding/binary"

const (
	etherHeader  = 14
	ipv4MinSize  = 20
	ipv6Header   = 40
	tcpMinHeader = 20
	tcpSeq       = 4
	tcpFlags     = 13
	tcpChecksum  = 16
	tcpFIN       = 0x01
	tcpPSH       = 0x08
	tcpCWR       = 0x80
)

// offload delivers f, after the work that the driver has not offered to do
// (virtio 1.2, 5.1.6.4.1): it cuts large segments and completes checksums.
func (d *Net) offload(f Frame) (bool, error) {
	if f.GSO != GSONone && !d.has(gsoFeature(f.GSO, netGuestTSO4, netGuestTSO6, netGuestECN)) {
		return d.cut(f)
	}
	if f.CsumStart != 0 && !d.has(netGuestCsum) {
		d.segment = append(d.segment[:0], f.Data...)
		if !complete(d.segment, int(f.CsumStart), int(f.CsumOffset)) {
			return true, nil
		}
		f = Frame{Data: d.segment}
	}
	return d.deliver(f)
}

// complete stores the checksum of b from start on at start + offset, where the
// pseudo header's sum is. It reports false if that is outside of b.
func complete(b []byte, start, offset int) bool {
	if start+offset+2 > len(b) {
		return false
	}
	sum := ^fold(add16(0, b[start:]))
	if sum == 0 {
		sum = 0xffff // for UDP, 0 means no checksum (RFC 768); for TCP they are equal
	}
	binary.BigEndian.PutUint16(b[start+offset:], sum)
	return true
}

// add16 adds the big-endian 16-bit words of b to sum (RFC 1071).
func add16(sum uint64, b []byte) uint64 {
	for len(b) >= 4 {
		sum += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		sum += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		sum += uint64(b[0]) << 8
	}
	return sum
}

// fold reduces a sum of words to 16 bits.
func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// cut delivers the large TCP segment f in pieces of f.GSOSize bytes. What
// finds no buffer after the first piece is lost, as on a wire.
func (d *Net) cut(f Frame) (bool, error) {
	ip := etherHeader
	tcp := int(f.CsumStart)
	v6 := f.GSO&^GSOECN == GSOTCPv6
	least := ip + ipv4MinSize
	if v6 {
		least = ip + ipv6Header
	}
	if f.GSOSize == 0 || tcp < least || tcp+tcpMinHeader > len(f.Data) {
		return true, nil
	}
	head := tcp + int(f.Data[tcp+12]>>4)*4
	if head < tcp+tcpMinHeader || head > len(f.Data) {
		return true, nil
	}
	// The pseudo header's sum without its length, which differs by piece.
	total := len(f.Data) - tcp
	pseudo := uint64(binary.BigEndian.Uint16(f.Data[tcp+tcpChecksum:])) + uint64(^uint16(total))
	payload := f.Data[head:]
	for i := 0; len(payload) > 0 || i == 0; i++ {
		n := min(len(payload), int(f.GSOSize))
		last := n == len(payload)
		d.segment = append(append(d.segment[:0], f.Data[:head]...), payload[:n]...)
		s := d.segment
		if v6 {
			binary.BigEndian.PutUint16(s[ip+4:], uint16(len(s)-ip-ipv6Header))
		} else {
			binary.BigEndian.PutUint16(s[ip+2:], uint16(len(s)-ip))
			id := binary.BigEndian.Uint16(s[ip+4:])
			binary.BigEndian.PutUint16(s[ip+4:], id+uint16(i))
			binary.BigEndian.PutUint16(s[ip+10:], 0)
			binary.BigEndian.PutUint16(s[ip+10:], ^fold(add16(0, s[ip:tcp])))
		}
		seq := binary.BigEndian.Uint32(s[tcp+tcpSeq:])
		binary.BigEndian.PutUint32(s[tcp+tcpSeq:], seq+uint32(i)*uint32(f.GSOSize))
		if !last {
			s[tcp+tcpFlags] &^= tcpFIN | tcpPSH
		}
		if i > 0 {
			s[tcp+tcpFlags] &^= tcpCWR
		}
		binary.BigEndian.PutUint16(s[tcp+tcpChecksum:], fold(pseudo+uint64(len(s)-tcp)))
		complete(s, tcp, tcpChecksum)
		ok, err := d.deliver(Frame{Data: s})
		if err != nil || !ok {
			return i > 0, err
		}
		payload = payload[n:]
	}
	return true, nil
}
