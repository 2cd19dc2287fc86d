package usernet

import (
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

const (
	// maxAssemblies is how many datagrams may be incomplete at a time, of 64 KiB
	// at most; the oldest gives way to a new one.
	maxAssemblies = 32
	// maxGaps is how many parts that do not touch each other a datagram may lie in
	// before it is given up. They come in order but where somebody plays.
	maxGaps = 64
	// assemblyTime is how long a datagram may take to arrive (RFC 1122, 3.3.2).
	assemblyTime = 30 * time.Second
)

// fragment is a piece of a datagram of the guest's.
type fragment struct {
	src, dst netip.Addr
	id       uint32
	proto    uint8

	head []byte // the frame in front of the payload, as it is without fragmentation
	at   int    // where data belongs in the payload
	data []byte
	more bool // it is not the last one
}

// assembler puts datagrams together that the guest has sent in fragments (RFC
// 791, 3.2; RFC 8200, 4.5), so that everything behind it sees whole ones. It
// belongs to the goroutine that delivers frames.
type assembler struct {
	list []*assembly // the oldest first
	now  func() time.Time
}

// assembly is a datagram that is not complete yet.
type assembly struct {
	fragment // of the first fragment that came, whose data counts no more
	since    time.Time
	payload  []byte
	parts    []part // what has come, in order, and apart from each other
	size     int    // of the payload, -1 while the last fragment is missing
	hasHead  bool   // the head is that of the first fragment, which counts (RFC 8200, 4.5)
}

type part struct{ from, to int }

// add takes a fragment, and gives the whole frame where it was the last one
// that was missing. room is the largest payload that the frame may have.
func (a *assembler) add(f fragment, room int) []byte {
	end := f.at + len(f.data)
	if len(f.data) == 0 || end > room || f.more && len(f.data)%8 != 0 {
		return nil
	}
	x := a.find(f)
	if !x.insert(part{f.at, end}) || !f.more && !x.ends(end) || x.size >= 0 && end > x.size {
		a.drop(x) // overlapping fragments are somebody's trick (RFC 5722)
		return nil
	}
	if f.at == 0 {
		x.head, x.hasHead = slices.Clone(f.head), true
	}
	if len(x.payload) < end {
		x.payload = append(x.payload, make([]byte, end-len(x.payload))...)
	}
	copy(x.payload[f.at:], f.data)
	if x.size < 0 || !x.hasHead || len(x.parts) != 1 || x.parts[0] != (part{0, x.size}) {
		return nil
	}
	a.drop(x)
	return append(x.head, x.payload...)
}

// find is the assembly that f belongs to, a new one if there is none.
func (a *assembler) find(f fragment) *assembly {
	now := a.now()
	a.list = slices.DeleteFunc(a.list, func(x *assembly) bool { return now.Sub(x.since) > assemblyTime })
	for _, x := range a.list {
		if x.src == f.src && x.dst == f.dst && x.id == f.id && x.proto == f.proto {
			return x
		}
	}
	if len(a.list) == maxAssemblies {
		a.drop(a.list[0])
	}
	x := &assembly{fragment: f, since: now, size: -1}
	x.head, x.data = nil, nil
	a.list = append(a.list, x)
	return x
}

func (a *assembler) drop(x *assembly) {
	a.list = slices.DeleteFunc(a.list, func(y *assembly) bool { return x == y })
}

// insert notes that p has come. It reports false if some of it was there.
func (x *assembly) insert(p part) bool {
	i, _ := slices.BinarySearchFunc(x.parts, p, func(a, b part) int { return a.from - b.from })
	if i > 0 && x.parts[i-1].to > p.from || i < len(x.parts) && x.parts[i].from < p.to {
		return false
	}
	x.parts = slices.Insert(x.parts, i, p)
	for _, j := range []int{i + 1, i} { // with its neighbours
		if j > 0 && j < len(x.parts) && x.parts[j-1].to == x.parts[j].from {
			x.parts[j-1].to = x.parts[j].to
			x.parts = slices.Delete(x.parts, j, j+1)
		}
	}
	return len(x.parts) <= maxGaps
}

// ends notes where the payload ends. It reports false if that cannot be.
func (x *assembly) ends(size int) bool {
	if x.size >= 0 || x.parts[len(x.parts)-1].to > size {
		return false
	}
	x.size = size
	return true
}

// whole is frame b, an IPv4 packet of checked header, if it is not a fragment, or
// the frame that it completes, or nil (RFC 791, 3.2).
func (n *Network) whole(b []byte) (frame []byte, assembled bool) {
	ip := header.IPv4(b[etherSize:])
	if !ip.More() && ip.FragmentOffset() == 0 {
		return b, false
	}
	ip = ip[:ip.TotalLength()]
	hl := int(ip.HeaderLength())
	f := fragment{
		src: hostAddr(ip.SourceAddress()), dst: hostAddr(ip.DestinationAddress()), id: uint32(ip.ID()), proto: ip.Protocol(),
		head: b[:etherSize+hl], at: int(ip.FragmentOffset()), data: ip[hl:], more: ip.More(),
	}
	whole := n.fragments.add(f, largestIPv4-hl)
	if whole == nil {
		return nil, true
	}
	ip = header.IPv4(whole[etherSize:])
	ip.SetTotalLength(uint16(len(ip)))
	ip.SetFlagsFragmentOffset(0, 0)
	ip.SetChecksum(0)
	ip.SetChecksum(^ip.CalculateChecksum())
	return whole, true
}
