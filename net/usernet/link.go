package usernet

import (
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// Segmentation types of a Frame, which are those of virtio 1.2, 5.1.6.
const (
	gsoNone  = 0
	gsoTCPv4 = 1
	gsoTCPv6 = 4
)

// Frame is an Ethernet frame with what is left to do to it. Its fields are
// those of the virtio network header (virtio 1.2, 5.1.6); a type with the same
// fields converts to it.
type Frame struct {
	// Data is valid during the call that passes the frame on.
	Data []byte
	// GSO, if not 0, is the way to cut the frame into segments of GSOSize
	// payload bytes behind HdrLen bytes of headers: 1 for TCP over IPv4, 4 over IPv6.
	GSO             uint8
	GSOSize, HdrLen uint16
	// CsumStart, if not 0, is where the sum starts that completes the checksum
	// at CsumStart + CsumOffset.
	CsumStart, CsumOffset uint16
}

// What waits in either direction. What does not fit is lost, as on a wire.
const (
	queueFrames = 4096
	queueBytes  = 4 << 20

	etherSize   = header.EthernetMinimumSize
	largestIPv4 = 65535
	// gsoMax is the largest TCP segment that is handed to the guest whole.
	gsoMax = largestIPv4 - etherSize
)

// link is the link endpoint of the stack's only interface, and the other end of
// the guest's cable.
type link struct {
	n    *Network
	kick func(func())
	mtu  uint32

	dispatcher atomic.Pointer[stack.NetworkDispatcher]

	// From the guest.
	in      chan inbound
	inBytes atomic.Int64
	done    chan struct{}

	// To the guest. scheduled: a call of drain is on its way. refused: the
	// guest has refused the first frame and not said Ready since.
	mu                 sync.Mutex
	out                []*stack.PacketBuffer
	outBytes           int
	scheduled, refused bool
	closed             bool

	// Of the machine goroutine.
	receive func(Frame) bool
	scratch []byte
	drainer func()
}

// inbound is a frame from the guest.
type inbound struct {
	view    *buffer.View
	partial bool // its checksum is not completed
}

func newLink(n *Network, kick func(func()), mtu uint32) *link {
	l := &link{n: n, kick: kick, mtu: mtu, in: make(chan inbound, queueFrames), done: make(chan struct{})}
	l.drainer = l.drain
	return l
}

// send queues a frame for the stack.
func (l *link) send(f Frame) {
	l.capture(f)
	size := int64(len(f.Data))
	if size <= etherSize || size > etherSize+largestIPv4 {
		return
	}
	if l.inBytes.Add(size) > queueBytes {
		l.inBytes.Add(-size)
		return
	}
	v := inbound{buffer.NewViewWithData(f.Data), f.CsumStart != 0}
	select {
	case l.in <- v:
	default:
		l.inBytes.Add(-size)
		v.view.Release()
	}
}

// deliver hands queued frames to the stack until the link is shut.
func (l *link) deliver() {
	for {
		select {
		case <-l.done:
			return
		case v := <-l.in:
			l.inBytes.Add(-int64(v.view.Size()))
			l.deliverOne(v)
		}
	}
}

func (l *link) deliverOne(v inbound) {
	d := l.dispatcher.Load()
	if d == nil {
		v.view.Release()
		return
	}
	frame := v.view.AsSlice()
	admitted := l.n.admit(frame, v.partial)
	if admitted == nil {
		v.view.Release()
		return
	}
	payload := buffer.MakeWithView(v.view)
	if &admitted[0] != &frame[0] { // put together of fragments
		payload.Release()
		payload = buffer.MakeWithData(admitted)
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: payload})
	defer pkt.DecRef()
	if !l.ParseHeader(pkt) {
		return
	}
	eth := header.Ethernet(pkt.LinkHeader().Slice())
	pkt.PktType = tcpip.PacketHost
	switch dst := eth.DestinationAddress(); {
	case dst == header.EthernetBroadcastAddress:
		pkt.PktType = tcpip.PacketBroadcast
	case header.IsMulticastEthernetAddress(dst):
		pkt.PktType = tcpip.PacketMulticast
	}
	(*d).DeliverNetworkPacket(eth.Type(), pkt)
}

// WritePackets queues packets for the guest (any goroutine).
func (l *link) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	n := 0
	l.mu.Lock()
	for _, pkt := range pkts.AsSlice() {
		size := pkt.MemSize()
		if l.closed || len(l.out) >= queueFrames || l.outBytes+size > queueBytes {
			break
		}
		l.out = append(l.out, pkt.Clone())
		l.outBytes += size
		n++
	}
	post := n > 0 && !l.scheduled && !l.refused
	l.scheduled = l.scheduled || post
	l.mu.Unlock()
	if post {
		l.kick(l.drainer)
	}
	if n == 0 {
		return 0, &tcpip.ErrNoBufferSpace{}
	}
	return n, nil
}

// ready tries the frame again that was refused.
func (l *link) ready() {
	l.mu.Lock()
	again := l.refused && !l.scheduled && !l.closed
	l.refused = false
	l.scheduled = l.scheduled || again
	l.mu.Unlock()
	if again {
		l.drain()
	}
}

// drain hands queued packets to the guest until it refuses one.
func (l *link) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && len(l.out) > 0 {
		pkt := l.out[0].IncRef() // shut may drop the queue's meanwhile
		l.mu.Unlock()
		frame := l.frame(pkt)
		accepted := l.receive == nil || l.receive(frame)
		if accepted {
			l.capture(frame)
		}
		pkt.DecRef()
		l.mu.Lock()
		if !accepted {
			l.refused = true
			break
		}
		if l.closed {
			break // shut has dropped it
		}
		l.outBytes -= pkt.MemSize()
		l.out[0] = nil
		l.out = l.out[1:]
		pkt.DecRef()
	}
	if len(l.out) == 0 {
		l.out = nil
	}
	l.scheduled = false
}

// capture shows a frame to who wants to see all.
func (l *link) capture(f Frame) {
	if l.n != nil && l.n.cfg.Capture != nil && len(f.Data) <= etherSize+largestIPv4 {
		l.n.cfg.Capture.Frame(time.Now(), f.Data)
	}
}

// frame lays pkt out in the scratch buffer.
func (l *link) frame(pkt *stack.PacketBuffer) Frame {
	l.scratch = l.scratch[:0]
	for _, s := range pkt.AsSlices() {
		l.scratch = append(l.scratch, s...)
	}
	f := Frame{Data: l.scratch}
	if gso := pkt.GSOOptions; (gso.Type == stack.GSOTCPv4 || gso.Type == stack.GSOTCPv6) && gso.NeedsCsum {
		f.CsumStart = uint16(len(pkt.LinkHeader().Slice()) + len(pkt.NetworkHeader().Slice()))
		f.CsumOffset = gso.CsumOffset
		if pkt.Data().Size() > int(gso.MSS) {
			f.GSO, f.GSOSize = gsoTCPv4, gso.MSS
			if gso.Type == stack.GSOTCPv6 {
				f.GSO = gsoTCPv6
			}
			f.HdrLen = uint16(pkt.HeaderSize())
		}
	}
	return f
}

// shut drops what is queued and everything that comes after.
func (l *link) shut() {
	l.mu.Lock()
	if !l.closed {
		close(l.done)
	}
	l.closed = true
	for _, pkt := range l.out {
		pkt.DecRef()
	}
	l.out, l.outBytes = nil, 0
	l.mu.Unlock()
}

// The rest is stack.LinkEndpoint and stack.GSOEndpoint.

func (l *link) MTU() uint32                             { return l.mtu }
func (l *link) SetMTU(uint32)                           {}
func (l *link) MaxHeaderLength() uint16                 { return etherSize }
func (l *link) LinkAddress() tcpip.LinkAddress          { return tcpip.LinkAddress(GatewayMAC[:]) }
func (l *link) SetLinkAddress(tcpip.LinkAddress)        {}
func (l *link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }
func (l *link) Wait()                                   {}
func (l *link) Close()                                  {}
func (l *link) SetOnCloseAction(func())                 {}
func (l *link) IsAttached() bool                        { return l.dispatcher.Load() != nil }
func (l *link) GSOMaxSize() uint32                      { return gsoMax }
func (l *link) SupportedGSO() stack.SupportedGSO        { return stack.HostGSOSupported }

// Capabilities says that the stack need not verify checksums: admit has.
func (l *link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityResolutionRequired | stack.CapabilityRXChecksumOffload
}

// Attach takes the stack's dispatcher, nil when the interface goes.
func (l *link) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		l.dispatcher.Store(nil)
		return
	}
	l.dispatcher.Store(&d)
}

// AddHeader prepends the Ethernet header.
func (l *link) AddHeader(pkt *stack.PacketBuffer) {
	header.Ethernet(pkt.LinkHeader().Push(etherSize)).Encode(&header.EthernetFields{
		SrcAddr: pkt.EgressRoute.LocalLinkAddress,
		DstAddr: pkt.EgressRoute.RemoteLinkAddress,
		Type:    pkt.NetworkProtocolNumber,
	})
}

// ParseHeader takes the Ethernet header off.
func (l *link) ParseHeader(pkt *stack.PacketBuffer) bool {
	_, ok := pkt.LinkHeader().Consume(etherSize)
	return ok
}
