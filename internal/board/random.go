package board

import (
	"crypto/rand"
	"encoding/binary"
	"io"
)

// entropy is the source of the virtio random number generator.
func (b *Board) entropy() io.Reader {
	if b.cfg.Deterministic {
		return wordReader{b.random()}
	}
	return rand.Reader
}

// wordReader reads the bytes of 32-bit numbers.
type wordReader struct{ next func() uint32 }

func (r wordReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r.next())
	}
	return len(p), nil
}

// seed is what the loader gives the kernel's random number generator.
func (b *Board) seed() []byte {
	s := make([]byte, 32)
	if !b.cfg.Deterministic {
		rand.Read(s)
	}
	return s
}

// random is the source of RDRAND.
func (b *Board) random() func() uint32 {
	if b.cfg.Deterministic {
		x := uint64(0x9e3779b97f4a7c15)
		return func() uint32 {
			// xorshift64*: repeatable, not secret
			x ^= x >> 12
			x ^= x << 25
			x ^= x >> 27
			return uint32(x * 0x2545f4914f6cdd1d >> 32)
		}
	}
	return func() uint32 {
		var s [4]byte
		if _, err := io.ReadFull(rand.Reader, s[:]); err != nil {
			panic("BUG: crypto/rand does not fail: " + err.Error())
		}
		return binary.LittleEndian.Uint32(s[:])
	}
}
