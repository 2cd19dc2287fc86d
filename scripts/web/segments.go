package main

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// segment is what a program has in memory from an address on when it starts.
type segment struct {
	at   uint32
	data []byte
}

const (
	wasmHeader  = 8
	dataSection = 11
	// longestGap is how many zeroes between two segments are written out. They are nearly
	// nothing once they are compressed, where the head of a segment is not.
	longestGap = 1 << 10
)

// joinSegments gives a program with few segments of data. Go's linker makes one wherever
// eight zeroes are left out, up to a hundred thousand of them. That is less before
// compression, and much more after it.
func joinSegments(program []byte) ([]byte, error) {
	if len(program) < wasmHeader {
		return nil, errors.New("the program has no header")
	}
	out := append([]byte(nil), program[:wasmHeader]...)
	for r := (&wasmReader{rest: program[wasmHeader:]}); len(r.rest) > 0; {
		id := r.byte()
		section := r.bytes(r.number())
		if r.err != nil {
			return nil, fmt.Errorf("a section of the program: %w", r.err)
		}
		if id == dataSection {
			segments, err := readSegments(section)
			if err != nil {
				return nil, fmt.Errorf("the program's data: %w", err)
			}
			section = writeSegments(join(segments))
		}
		out = binary.AppendUvarint(append(out, id), uint64(len(section)))
		out = append(out, section...)
	}
	return out, nil
}

// join makes one segment of neighbours.
func join(list []segment) []segment {
	var joined []segment
	for _, s := range list {
		if n := len(joined); n > 0 {
			last := &joined[n-1]
			if end := last.at + uint32(len(last.data)); s.at >= end && s.at-end <= longestGap {
				last.data = append(append(last.data, make([]byte, s.at-end)...), s.data...)
				continue
			}
		}
		joined = append(joined, segment{s.at, append([]byte(nil), s.data...)})
	}
	return joined
}

// The instructions that say where in memory a segment lies.
const (
	opI32Const = 0x41
	opEnd      = 0x0b
)

func readSegments(section []byte) ([]segment, error) {
	r := &wasmReader{rest: section}
	var list []segment
	for range r.number() {
		if memory, op := r.number(), r.byte(); memory != 0 || op != opI32Const {
			r.fail("a segment of another form")
		}
		at := r.signed()
		if r.byte() != opEnd {
			r.fail("a segment at an address of another form")
		}
		list = append(list, segment{uint32(at), r.bytes(r.number())})
		if r.err != nil {
			return nil, r.err
		}
	}
	if len(r.rest) > 0 {
		r.fail("more than its segments")
	}
	return list, r.err
}

func writeSegments(list []segment) []byte {
	out := binary.AppendUvarint(nil, uint64(len(list)))
	for _, s := range list {
		out = append(appendSigned(append(out, 0, opI32Const), int32(s.at)), opEnd)
		out = append(binary.AppendUvarint(out, uint64(len(s.data))), s.data...)
	}
	return out
}

// appendSigned appends a number in signed LEB128.
func appendSigned(b []byte, v int32) []byte {
	for v < -0x40 || v >= 0x40 {
		b = append(b, byte(v)&0x7f|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}

// wasmReader reads a program, and remembers the first thing in it that cannot be.
type wasmReader struct {
	rest []byte
	err  error
}

func (r *wasmReader) fail(what string) {
	if r.err == nil {
		r.err = errors.New(what)
	}
	r.rest = nil
}

func (r *wasmReader) byte() byte {
	b := r.bytes(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (r *wasmReader) bytes(n uint32) []byte {
	if uint64(n) > uint64(len(r.rest)) {
		r.fail("it ends early")
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// number reads an unsigned LEB128 of 32 bits.
func (r *wasmReader) number() uint32 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > 1<<32-1 {
		r.fail("a number of another form")
		return 0
	}
	r.rest = r.rest[n:]
	return uint32(v)
}

// signed reads a signed LEB128 of 32 bits.
func (r *wasmReader) signed() int32 {
	var v int64
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		if b&0x80 == 0 {
			if b&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return int32(v)
		}
	}
	r.fail("a number of another form")
	return 0
}
