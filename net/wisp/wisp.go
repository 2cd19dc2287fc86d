// Package wisp carries flows, TCP connections and UDP sockets, over one pipe of
// messages such as a WebSocket: what a browser's tab has for a way out, and the relay
// at the other end.
//
// Source: the Wisp protocol, versions 1 and 2 (github.com/MercuryWorkshop/wisp-protocol).
// Both ends speak version 2 where the other one does, and 1 else. Of each other
// they know the extension Flow, which is ours: without it a client has to take what a
// server sends it, and the end of one direction is that of both.
package wisp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Pipe carries messages, whole and in their order. Receive is called by one goroutine,
// Send by any number. After Close both fail.
type Pipe interface {
	Receive(ctx context.Context) ([]byte, error)
	Send(ctx context.Context, message []byte) error
	Close() error
}

// Protocol is what a client of version 2 names in Sec-WebSocket-Protocol.
const Protocol = "wisp-v2"

// kind is a packet's type.
type kind uint8

const (
	kindConnect  kind = 1
	kindData     kind = 2
	kindContinue kind = 3
	kindClose    kind = 4
	kindInfo     kind = 5
	kindEnd      kind = 0xf0 // of the extension Flow: no more data comes this way
)

// Types of streams.
const (
	streamTCP = 1
	streamUDP = 2
)

// extFlow is the extension Flow: a client grants a server packets as a server does a
// client, by CONTINUE, and either end says by END that a direction has ended.
const extFlow = 0xf0

// Reason is why a stream was closed.
type Reason uint8

// Reasons, as the protocol has them.
const (
	ReasonUnknown     Reason = 0x01
	ReasonVoluntary   Reason = 0x02
	ReasonNetwork     Reason = 0x03
	ReasonInvalid     Reason = 0x41
	ReasonUnreachable Reason = 0x42
	ReasonTimeout     Reason = 0x43
	ReasonRefused     Reason = 0x44
	ReasonIdle        Reason = 0x47
	ReasonBlocked     Reason = 0x48
	ReasonThrottled   Reason = 0x49
)

var reasons = map[Reason]string{
	ReasonUnknown: "it does not say why", ReasonVoluntary: "closed", ReasonNetwork: "an error of the network",
	ReasonInvalid: "the address is none", ReasonUnreachable: "the host cannot be reached", ReasonTimeout: "the host has not answered",
	ReasonRefused: "connection refused", ReasonIdle: "nothing has come for too long", ReasonBlocked: "the relay does not allow it",
	ReasonThrottled: "too many flows",
}

// String says it for people.
func (r Reason) String() string {
	if s, ok := reasons[r]; ok {
		return s
	}
	return fmt.Sprintf("reason %#x", uint8(r))
}

// Error is the error of a stream that the other end has closed.
type Error struct{ Reason Reason }

func (e *Error) Error() string { return "relay: " + e.Reason.String() }

// Timeout is part of net.Error.
func (e *Error) Timeout() bool { return e.Reason == ReasonTimeout || e.Reason == ReasonIdle }

// ErrLost is the error of flows whose relay is gone.
var ErrLost = errors.New("the relay is gone")

// Bounds of what the other end can make this one keep.
const (
	packetSize = 32 << 10 // of data, that we send
	maxPacket  = 1 << 20  // that we take
	grant      = 64       // packets that a stream may have on the way
	queueBytes = 4 << 20  // what a stream keeps of a sender that knows no grants
	maxName    = 253      // bytes of a host's name
	maxWindow  = 1 << 16  // packets that a grant is worth at the most
)

// errPacket is of a message that is no packet.
var errPacket = errors.New("relay: a message that is not of the protocol")

// packet is a message.
type packet struct {
	kind   kind
	stream uint32
	data   []byte
}

func (p *packet) bytes() []byte {
	b := make([]byte, 0, 5+len(p.data))
	b = append(b, byte(p.kind))
	b = binary.LittleEndian.AppendUint32(b, p.stream)
	return append(b, p.data...)
}

func parse(m []byte) (packet, error) {
	if len(m) < 5 || len(m) > maxPacket {
		return packet{}, errPacket
	}
	return packet{kind(m[0]), binary.LittleEndian.Uint32(m[1:]), m[5:]}, nil
}

// connect is what a CONNECT holds.
type connect struct {
	stream uint8
	port   uint16
	host   string
}

func (c *connect) bytes() []byte {
	b := append([]byte{c.stream}, 0, 0)
	binary.LittleEndian.PutUint16(b[1:], c.port)
	return append(b, c.host...)
}

func parseConnect(data []byte) (connect, error) {
	if len(data) < 4 || len(data) > 3+maxName {
		return connect{}, errPacket
	}
	c := connect{data[0], binary.LittleEndian.Uint16(data[1:]), string(data[3:])}
	if c.stream != streamTCP && c.stream != streamUDP || c.port == 0 {
		return connect{}, errPacket
	}
	return c, nil
}

// info is what an INFO holds.
func info() []byte {
	b := []byte{2, 0, extFlow}
	return binary.LittleEndian.AppendUint32(b, 0)
}

// parseInfo gives the extensions that an INFO names.
func parseInfo(data []byte) (extensions []uint8, err error) {
	if len(data) < 2 {
		return nil, errPacket
	}
	for data = data[2:]; len(data) > 0; {
		if len(data) < 5 {
			return nil, errPacket
		}
		id, n := data[0], uint64(binary.LittleEndian.Uint32(data[1:]))
		if data = data[5:]; uint64(len(data)) < n {
			return nil, errPacket
		}
		data = data[n:]
		extensions = append(extensions, id)
	}
	return extensions, nil
}

// hasFlow tells whether the extension Flow is among them.
func hasFlow(extensions []uint8) bool { return slices.Contains(extensions, extFlow) }

func number(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
