package fs9p

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// MsgType is the type byte of a message. A reply's is its request's plus one.
type MsgType uint8

// The message types of 9P2000.L (Linux include/net/9p/9p.h).
const (
	MsgRlerror      MsgType = 7
	MsgTstatfs      MsgType = 8
	MsgTlopen       MsgType = 12
	MsgTlcreate     MsgType = 14
	MsgTsymlink     MsgType = 16
	MsgTmknod       MsgType = 18
	MsgTrename      MsgType = 20
	MsgTreadlink    MsgType = 22
	MsgTgetattr     MsgType = 24
	MsgTsetattr     MsgType = 26
	MsgTxattrwalk   MsgType = 30
	MsgTxattrcreate MsgType = 32
	MsgTreaddir     MsgType = 40
	MsgTfsync       MsgType = 50
	MsgTlock        MsgType = 52
	MsgTgetlock     MsgType = 54
	MsgTlink        MsgType = 70
	MsgTmkdir       MsgType = 72
	MsgTrenameat    MsgType = 74
	MsgTunlinkat    MsgType = 76
	MsgTversion     MsgType = 100
	MsgTauth        MsgType = 102
	MsgTattach      MsgType = 104
	MsgTflush       MsgType = 108
	MsgTwalk        MsgType = 110
	MsgTread        MsgType = 116
	MsgTwrite       MsgType = 118
	MsgTclunk       MsgType = 120
	MsgTremove      MsgType = 122
)

// Message is one of the T and R structs below.
type Message interface {
	Type() MsgType
	code(*coder)
}

// Append appends m as a whole message, header included, to dst. A string of
// more than 65,535 bytes or a walk of more than that many names is a bug.
func Append(dst []byte, tag uint16, m Message) []byte {
	start := len(dst)
	c := coder{b: append(dst, 0, 0, 0, 0, byte(m.Type()), byte(tag), byte(tag>>8)), append: true}
	m.code(&c)
	if c.bad {
		panic("BUG: fs9p: message field too long")
	}
	binary.LittleEndian.PutUint32(c.b[start:], uint32(len(c.b)-start))
	return c.b
}

// Parse decodes the message that b begins with. Byte fields of the result
// alias b. The error is EBADMSG for one that is cut short or whose size does
// not fit, ENOSYS for an unknown type.
func Parse(b []byte) (tag uint16, m Message, err error) {
	tag, typ, c, err := header(b)
	if err != nil {
		return tag, nil, err
	}
	build := messages[typ]
	if build == nil {
		return tag, nil, ENOSYS
	}
	m = build()
	m.code(&c)
	if c.bad {
		return tag, nil, EBADMSG
	}
	return tag, m, nil
}

// header splits a message in its header and a coder over its body.
func header(b []byte) (tag uint16, typ MsgType, body coder, err error) {
	if len(b) < headerLen {
		return 0, 0, coder{}, EBADMSG
	}
	size := binary.LittleEndian.Uint32(b)
	typ, tag = MsgType(b[4]), binary.LittleEndian.Uint16(b[5:])
	if size < headerLen || uint64(size) > uint64(len(b)) {
		return tag, typ, coder{}, EBADMSG
	}
	return tag, typ, coder{b: b[headerLen:size:size]}, nil
}

// messages makes an empty message of each type.
var messages = [256]func() Message{
	MsgRlerror:          func() Message { return new(Rlerror) },
	MsgTstatfs:          func() Message { return new(Tstatfs) },
	MsgTstatfs + 1:      func() Message { return new(Rstatfs) },
	MsgTlopen:           func() Message { return new(Tlopen) },
	MsgTlopen + 1:       func() Message { return new(Rlopen) },
	MsgTlcreate:         func() Message { return new(Tlcreate) },
	MsgTlcreate + 1:     func() Message { return new(Rlcreate) },
	MsgTsymlink:         func() Message { return new(Tsymlink) },
	MsgTsymlink + 1:     func() Message { return new(Rsymlink) },
	MsgTmknod:           func() Message { return new(Tmknod) },
	MsgTmknod + 1:       func() Message { return new(Rmknod) },
	MsgTrename:          func() Message { return new(Trename) },
	MsgTrename + 1:      func() Message { return new(Rrename) },
	MsgTreadlink:        func() Message { return new(Treadlink) },
	MsgTreadlink + 1:    func() Message { return new(Rreadlink) },
	MsgTgetattr:         func() Message { return new(Tgetattr) },
	MsgTgetattr + 1:     func() Message { return new(Rgetattr) },
	MsgTsetattr:         func() Message { return new(Tsetattr) },
	MsgTsetattr + 1:     func() Message { return new(Rsetattr) },
	MsgTxattrwalk:       func() Message { return new(Txattrwalk) },
	MsgTxattrwalk + 1:   func() Message { return new(Rxattrwalk) },
	MsgTxattrcreate:     func() Message { return new(Txattrcreate) },
	MsgTxattrcreate + 1: func() Message { return new(Rxattrcreate) },
	MsgTreaddir:         func() Message { return new(Treaddir) },
	MsgTreaddir + 1:     func() Message { return new(Rreaddir) },
	MsgTfsync:           func() Message { return new(Tfsync) },
	MsgTfsync + 1:       func() Message { return new(Rfsync) },
	MsgTlock:            func() Message { return new(Tlock) },
	MsgTlock + 1:        func() Message { return new(Rlock) },
	MsgTgetlock:         func() Message { return new(Tgetlock) },
	MsgTgetlock + 1:     func() Message { return new(Rgetlock) },
	MsgTlink:            func() Message { return new(Tlink) },
	MsgTlink + 1:        func() Message { return new(Rlink) },
	MsgTmkdir:           func() Message { return new(Tmkdir) },
	MsgTmkdir + 1:       func() Message { return new(Rmkdir) },
	MsgTrenameat:        func() Message { return new(Trenameat) },
	MsgTrenameat + 1:    func() Message { return new(Rrenameat) },
	MsgTunlinkat:        func() Message { return new(Tunlinkat) },
	MsgTunlinkat + 1:    func() Message { return new(Runlinkat) },
	MsgTversion:         func() Message { return new(Tversion) },
	MsgTversion + 1:     func() Message { return new(Rversion) },
	MsgTauth:            func() Message { return new(Tauth) },
	MsgTauth + 1:        func() Message { return new(Rauth) },
	MsgTattach:          func() Message { return new(Tattach) },
	MsgTattach + 1:      func() Message { return new(Rattach) },
	MsgTflush:           func() Message { return new(Tflush) },
	MsgTflush + 1:       func() Message { return new(Rflush) },
	MsgTwalk:            func() Message { return new(Twalk) },
	MsgTwalk + 1:        func() Message { return new(Rwalk) },
	MsgTread:            func() Message { return new(Tread) },
	MsgTread + 1:        func() Message { return new(Rread) },
	MsgTwrite:           func() Message { return new(Twrite) },
	MsgTwrite + 1:       func() Message { return new(Rwrite) },
	MsgTclunk:           func() Message { return new(Tclunk) },
	MsgTclunk + 1:       func() Message { return new(Rclunk) },
	MsgTremove:          func() Message { return new(Tremove) },
	MsgTremove + 1:      func() Message { return new(Rremove) },
}

// String gives the name of the type: "Twalk".
func (t MsgType) String() string {
	if build := messages[t]; build != nil {
		return fmt.Sprintf("%T", build())[len("*fs9p."):]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Requests goes through the types of the messages that a server answers.
func Requests() iter.Seq[MsgType] {
	return func(yield func(MsgType) bool) {
		for typ, handle := range handlers {
			if handle != nil && !yield(MsgType(typ)) {
				return
			}
		}
	}
}
