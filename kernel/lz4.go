package kernel

import (
	"encoding/binary"
	"errors"
)

var errLZ4 = errors.New("damaged block")

// lz4Block is the most that a block of the legacy frame holds uncompressed.
const lz4Block = 8 << 20

// unpackLZ4 decompresses LZ4's legacy frame, which is what kernels are packed in: a magic number, then blocks, each preceded by its
// compressed size (LZ4 Frame Format 1.6.4, "Legacy frame"). The kernel's build appends the uncompressed size, which looks like
// one more block and is not one: the stream ends at the last block that fits.
func unpackLZ4(data []byte, limit int64) ([]byte, error) {
	var out []byte
	for data = data[4:]; len(data) >= 4; {
		n := uint64(binary.LittleEndian.Uint32(data))
		if n > uint64(len(data)-4) {
			if len(data) == 4 {
				break
			}
			return nil, errLZ4
		}
		var err error
		if out, err = lz4Decode(out, data[4:4+n], limit); err != nil {
			return nil, err
		}
		data = data[4+n:]
	}
	return out, nil
}

// lz4Decode appends a block's content to out (LZ4 Block Format, 2022-07-31). Offsets do not reach back past the block's start.
func lz4Decode(out, src []byte, limit int64) ([]byte, error) {
	start := len(out)
	bound := min(int64(start)+lz4Block, limit)
	// length extends a 4-bit length field of value 15 by bytes up to and including the first that is not 255.
	length := func(n int) (int, bool) {
		if n != 15 {
			return n, true
		}
		for len(src) > 0 && n < lz4Block {
			b := src[0]
			src = src[1:]
			n += int(b)
			if b != 255 {
				return n, true
			}
		}
		return 0, false
	}
	for len(src) > 0 {
		token := src[0]
		src = src[1:]
		n, ok := length(int(token >> 4))
		if !ok || n > len(src) || int64(len(out)+n) > bound {
			return nil, errLZ4
		}
		out, src = append(out, src[:n]...), src[n:]
		if len(src) == 0 {
			return out, nil // the last sequence is literals only
		}
		if len(src) < 2 {
			return nil, errLZ4
		}
		offset := int(binary.LittleEndian.Uint16(src))
		src = src[2:]
		n, ok = length(int(token & 15))
		n += 4 // the shortest match
		if !ok || offset == 0 || offset > len(out)-start || int64(len(out)+n) > bound {
			return nil, errLZ4
		}
		for n > 0 { // a match may overlap what it makes
			from := len(out) - offset
			k := min(n, offset)
			out = append(out, out[from:from+k]...)
			n -= k
		}
	}
	return out, nil
}
