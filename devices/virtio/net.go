package virtio

import (
	"encoding/binary"
	"fmt"

	"alpinevm/devices/virtio/virtq"
)

// Segmentation types of a Frame (virtio 1.2, 5.1.6).
const (
	GSONone  = 0
	GSOTCPv4 = 1
	GSOTCPv6 = 4
	GSOECN   = 0x80 // or-ed to a TCP type: the segment has ECN set
)

// Frame is an Ethernet frame without FCS, maybe larger than the link's MTU and
// with work left to do, in the terms of virtio's packet header (virtio 1.2,
// 5.1.6).
type Frame struct {
	// Data is valid during the call that passes the frame on.
	Data []byte
	// GSO is how to cut the frame into segments of GSOSize payload bytes each
	// behind HdrLen bytes of headers; GSONone: it is sent as it is.
	GSO             uint8
	GSOSize, HdrLen uint16
	// CsumStart, if not 0, says that the transport checksum at CsumStart +
	// CsumOffset has only the pseudo header's sum in it and is to be completed
	// over the data from CsumStart to the end. Else the checksum is right, or
	// is the sender's fault.
	CsumStart, CsumOffset uint16
}

// Link is the other end of a network card's cable. Its methods, and the
// function given to Receive, are called on the machine goroutine.
type Link interface {
	// Send takes a frame from the guest. It does not block.
	Send(Frame)
	// Receive gives the link the function that takes frames to the guest. It
	// is called once, before all others. A frame that is not accepted is to be
	// kept in a bounded queue, and those after it, until Ready.
	Receive(func(Frame) (accepted bool))
	// Ready tells that frames are accepted again.
	Ready()
}

// Features of the network device (virtio 1.2, 5.1.3).
const (
	netCsum        = 1 << 0
	netGuestCsum   = 1 << 1
	netMTU         = 1 << 3
	netMAC         = 1 << 5
	netGuestTSO4   = 1 << 7
	netGuestTSO6   = 1 << 8
	netGuestECN    = 1 << 9
	netHostTSO4    = 1 << 11
	netHostTSO6    = 1 << 12
	netHostECN     = 1 << 13
	netMrgRxbuf    = 1 << 15
	netStatus      = 1 << 16
	netCtrlVQ      = 1 << 17
	netCtrlRX      = 1 << 18
	netCtrlMACAddr = 1 << 23
)

const netFeatures = netCsum | netGuestCsum | netMAC |
	netGuestTSO4 | netGuestTSO6 | netGuestECN |
	netHostTSO4 | netHostTSO6 | netHostECN |
	netMrgRxbuf | netStatus | netCtrlVQ | netCtrlRX | netCtrlMACAddr

const (
	netID          = 1
	netEntries     = 256
	netCtrlEntries = 64

	netRX   = 0
	netTX   = 1
	netCtrl = 2

	// The device configuration (virtio 1.2, 5.1.4).
	netConfigStatus = 6
	netConfigMTU    = 10
	netConfigSize   = 12
	netLinkUp       = 1
)

// The packet header (virtio 1.2, 5.1.6).
const (
	netHeader         = 12
	netHdrNeedsCsum   = 1
	netHdrDataValid   = 2
	netHdrNumBuffers  = 10
	netMaxFrame       = 65536 + 64 // an IP packet of the largest size behind its link header
	netSmallestFrame  = 14
	netPseudoSumWidth = 2
)

// NetState is all that the network device remembers.
type NetState struct {
	Transport TransportState
	MAC       [6]byte
	Up        bool
	Refused   bool // the link had a frame that found no buffer
}

// Net is the network device (virtio 1.2, 5.1) with one pair of queues.
type Net struct {
	Transport
	mac     [6]byte
	up      bool
	refused bool // the link has a frame that found no buffer
	link    Link
	mtu     uint16

	chain   virtq.Chain
	rx      []virtq.Chain // of one merged frame
	tight   tightRing
	scratch []byte // a frame that does not lie together
	segment []byte // a frame that the device cuts or completes
}

// tightRing remembers a receive ring that is full, of buffers that are too small
// for some frame: it need not be gone through for each such frame.
type tightRing struct {
	full bool
	at   uint16 // the next entry to take
	room int    // bytes of all buffers
}

// NewNet returns a network card with the given address and, if mtu is not 0,
// an MTU for the guest, plugged into link.
func NewNet(mem virtq.Memory, mac [6]byte, mtu uint16, link Link) *Net {
	d := &Net{link: link, mtu: mtu, mac: mac, up: true}
	m := model{
		id: netID, class: classNetwork, features: netFeatures,
		queues: []uint16{netEntries, netEntries, netCtrlEntries},
	}
	if mtu != 0 {
		m.features |= netMTU
	}
	d.init(m, d, mem)
	link.Receive(d.receive)
	return d
}

// Save gives a copy of the state. What is on the link is not a part of it.
func (d *Net) Save() NetState { return NetState{d.save(), d.mac, d.up, d.refused} }

// Restore puts back a saved state.
func (d *Net) Restore(s NetState) error {
	if err := d.check(&s.Transport); err != nil {
		return err
	}
	d.restore(s.Transport)
	d.mac, d.up, d.refused, d.tight = s.MAC, s.Up, s.Refused, tightRing{}
	return nil
}

func (d *Net) config() []byte {
	b := make([]byte, netConfigSize)
	copy(b, d.mac[:])
	if d.up {
		binary.LittleEndian.PutUint16(b[netConfigStatus:], netLinkUp)
	}
	binary.LittleEndian.PutUint16(b[netConfigMTU:], d.mtu)
	return b
}

// LinkUp plugs the cable in or pulls it.
func (d *Net) LinkUp(up bool) {
	if up != d.up {
		d.up = up
		d.configChanged()
	}
}

// accepts checks what each feature requires (virtio 1.2, 5.1.3.1).
func (d *Net) accepts(f uint64) bool {
	for _, r := range [...]struct{ feature, anyOf uint64 }{
		{netGuestTSO4, netGuestCsum},
		{netGuestTSO6, netGuestCsum},
		{netGuestECN, netGuestTSO4 | netGuestTSO6},
		{netHostTSO4, netCsum},
		{netHostTSO6, netCsum},
		{netHostECN, netHostTSO4 | netHostTSO6},
		{netCtrlRX, netCtrlVQ},
		{netCtrlMACAddr, netCtrlVQ},
	} {
		if f&r.feature != 0 && f&r.anyOf == 0 {
			return false
		}
	}
	return true
}

// forget lets the link go on: without a running driver its frames are lost. It
// gives back the memory that the driver's chains have made the device take.
func (d *Net) forget(q int) {
	d.chain, d.rx, d.tight, d.scratch, d.segment = virtq.Chain{}, nil, tightRing{}, nil, nil
	if q == netRX && d.refused {
		d.refused = false
		d.link.Ready()
	}
}

func (d *Net) notify(q int) error {
	switch q {
	case netRX:
		d.tight = tightRing{}
		if d.refused {
			d.refused = false
			d.link.Ready()
		}
		return nil
	case netTX:
		return d.transmit()
	}
	return d.control()
}

// transmit sends what the guest has queued (virtio 1.2, 5.1.6.2).
func (d *Net) transmit() error {
	q := d.queues[netTX]
	for range q.Size {
		ok, err := q.Next(&d.chain)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := d.transmitOne(); err != nil {
			return err
		}
		if err := q.Push(d.chain.Head, 0); err != nil {
			return err
		}
	}
	if err := q.Ask(true); err != nil {
		return err
	}
	return d.signal(netTX)
}

// transmitOne sends the frame in d.chain. A frame that is no good is lost, as
// on any network; a buffer that holds no header is an error.
func (d *Net) transmitOne() error {
	r := d.chain.Reader()
	if r.Len() < netHeader {
		return fmt.Errorf("net: a transmit buffer of %d bytes", r.Len())
	}
	var h [netHeader]byte
	if _, err := r.Read(h[:]); err != nil {
		return err
	}
	n := r.Len()
	if n < netSmallestFrame || n > netMaxFrame || !d.up {
		return nil
	}
	data, err := r.Bytes(n, &d.scratch)
	if err != nil {
		return err
	}
	f := Frame{Data: data}
	if h[0]&netHdrNeedsCsum != 0 {
		f.CsumStart = binary.LittleEndian.Uint16(h[6:])
		f.CsumOffset = binary.LittleEndian.Uint16(h[8:])
		if !d.has(netCsum) || f.CsumStart == 0 ||
			int(f.CsumStart)+int(f.CsumOffset)+netPseudoSumWidth > n {
			return nil
		}
	}
	if h[1] != GSONone {
		f.GSO = h[1]
		f.HdrLen = binary.LittleEndian.Uint16(h[2:])
		f.GSOSize = binary.LittleEndian.Uint16(h[4:])
		if !d.has(gsoFeature(f.GSO, netHostTSO4, netHostTSO6, netHostECN)) ||
			f.GSOSize == 0 || f.CsumStart == 0 {
			return nil
		}
	}
	d.link.Send(f)
	return nil
}

// gsoFeature is what must be negotiated for frames of type gso; a bit that
// never is for types that do not exist.
func gsoFeature(gso uint8, tso4, tso6, ecn uint64) uint64 {
	need := uint64(0)
	switch gso &^ GSOECN {
	case GSOTCPv4:
		need = tso4
	case GSOTCPv6:
		need = tso6
	default:
		need = 1 << 63
	}
	if gso&GSOECN != 0 {
		need |= ecn
	}
	return need
}

// receive takes a frame from the link. A card without a running driver, or
// without its cable, loses it.
func (d *Net) receive(f Frame) (accepted bool) {
	if !d.live(netRX) || !d.up || len(f.Data) > netMaxFrame {
		return true
	}
	accepted, err := d.offload(f)
	if err == nil && accepted {
		err = d.signal(netRX)
	}
	if err == nil {
		// New buffers matter only while a frame waits for them.
		d.refused = !accepted
		err = d.queues[netRX].Ask(!accepted)
	}
	if err != nil {
		d.fail(err)
		return true
	}
	return accepted
}

// deliver puts one frame into the receive queue (virtio 1.2, 5.1.6.4). It
// reports false if there is no room for it yet.
func (d *Net) deliver(f Frame) (bool, error) {
	q := d.queues[netRX]
	need := netHeader + len(f.Data)
	if d.tight.full && d.tight.at == q.NextAvail && d.tight.room < need {
		return true, nil
	}
	n, room := 0, 0
	for room < need {
		if n == len(d.rx) {
			d.rx = append(d.rx, virtq.Chain{})
		}
		c := &d.rx[n]
		ok, err := q.Next(c)
		if err != nil {
			return false, err
		}
		if !ok {
			q.Unpop(n)
			// Lost if all of the ring is too small.
			d.tight = tightRing{full: n == int(q.Size), at: q.NextAvail, room: room}
			return d.tight.full, nil
		}
		n++
		room += c.WriteLen()
		if n == 1 && c.WriteLen() < netHeader {
			return false, fmt.Errorf("net: a receive buffer of %d bytes", c.WriteLen())
		}
		if !d.has(netMrgRxbuf) && room < need {
			q.Unpop(1)
			return true, nil // larger than the buffers that the driver makes: lost
		}
	}
	return true, d.fill(f, d.rx[:n])
}

// fill writes the header and f into chains, which are large enough.
func (d *Net) fill(f Frame, chains []virtq.Chain) error {
	h := d.header(f)
	binary.LittleEndian.PutUint16(h[netHdrNumBuffers:], uint16(len(chains)))
	q, rest := d.queues[netRX], f.Data
	for i := range chains {
		w := chains[i].Writer()
		used := 0
		if i == 0 {
			if _, err := w.Write(h[:]); err != nil {
				return err
			}
			used = netHeader
		}
		n := min(w.Len(), len(rest))
		if _, err := w.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
		if err := q.Push(chains[i].Head, uint32(used+n)); err != nil {
			return err
		}
	}
	return nil
}

// header is the packet header of f on its way to the guest.
func (d *Net) header(f Frame) (h [netHeader]byte) {
	if f.CsumStart != 0 {
		h[0] = netHdrNeedsCsum
		binary.LittleEndian.PutUint16(h[6:], f.CsumStart)
		binary.LittleEndian.PutUint16(h[8:], f.CsumOffset)
	} else if d.has(netGuestCsum) {
		// The frame has met no wire: the guest need not sum it up.
		h[0] = netHdrDataValid
	}
	if f.GSO != GSONone {
		h[1] = f.GSO
		binary.LittleEndian.PutUint16(h[2:], f.HdrLen)
		binary.LittleEndian.PutUint16(h[4:], f.GSOSize)
	}
	return h
}
