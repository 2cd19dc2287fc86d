package gdb

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// PacketSize is the most that a packet may have between $ and #, in bytes.
const PacketSize = 16 << 10

// kind is what a client has sent.
type kind uint8

const (
	aPacket   kind = iota
	tooLong        // a packet of more than PacketSize bytes, which are dropped
	damaged        // a packet with another checksum
	ack            // +
	nak            // -
	interrupt      // Ctrl-C, which is no packet
)

// item is one thing that a client has sent.
type item struct {
	kind kind
	data []byte // of aPacket, escapes and all
}

// errNoise is of a client that speaks something else.
var errNoise = errors.New("this is not gdb's remote protocol")

// maxNoise is how many bytes between packets mean nothing before that is an error.
const maxNoise = 1 << 10

// readItem reads the next thing. Its data is good until the next call, which gets the
// same buffer.
func readItem(r *bufio.Reader, buf []byte) (item, error) {
	for range maxNoise {
		b, err := r.ReadByte()
		if err != nil {
			return item{}, err
		}
		switch b {
		case '+':
			return item{kind: ack}, nil
		case '-':
			return item{kind: nak}, nil
		case 0x03:
			return item{kind: interrupt}, nil
		case '$':
			return readPacket(r, buf[:0])
		}
	}
	return item{}, errNoise
}

// readPacket reads what is behind a $.
func readPacket(r *bufio.Reader, buf []byte) (item, error) {
	sum, long := byte(0), false
	for {
		b, err := r.ReadByte()
		if err != nil {
			return item{}, err
		}
		switch {
		case b == '$': // the one before was cut
			buf, sum, long = buf[:0], 0, false
			continue
		case b == '#':
			var digits [2]byte
			if _, err := io.ReadFull(r, digits[:]); err != nil {
				return item{}, err
			}
			high, ok1 := digit(digits[0])
			low, ok2 := digit(digits[1])
			switch {
			case !ok1 || !ok2 || high<<4|low != sum:
				return item{kind: damaged}, nil
			case long:
				return item{kind: tooLong}, nil
			}
			return item{aPacket, buf}, nil
		}
		sum += b
		if len(buf) == PacketSize {
			long = true
		} else {
			buf = append(buf, b)
		}
	}
}

// framed is a packet as it is sent.
func framed(data []byte) []byte {
	sum := byte(0)
	for _, b := range data {
		sum += b
	}
	return fmt.Appendf(append([]byte{'$'}, data...), "#%02x", sum)
}

// unescape takes the escapes out of binary data, in place: } is followed by a byte
// with bit 5 flipped.
func unescape(p []byte) []byte {
	out := p[:0]
	for i := 0; i < len(p); i++ {
		b := p[i]
		if b == '}' && i+1 < len(p) {
			i++
			b = p[i] ^ 0x20
		}
		out = append(out, b)
	}
	return out
}

// escape puts them in.
func escape(p []byte) []byte {
	var out []byte
	for _, b := range p {
		if b == '#' || b == '$' || b == '}' || b == '*' {
			out = append(out, '}')
			b ^= 0x20
		}
		out = append(out, b)
	}
	return out
}

// digit is the value of a hexadecimal digit.
func digit(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
