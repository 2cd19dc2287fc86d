package statefs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A journal of version 1 is read, and then made anew. It is a header, of a
// magic and a salt, and frames: 4 bytes, the length of the records; 4 bytes, the
// CRC-32C of the salt, of the checksum of the frame before and of the records;
// the records.
const (
	magicV1     = magicName + "1"
	framesAtV1  = int64(len(magicV1) + saltLen)
	frameHeadV1 = 8
)

func isV1(b []byte) bool {
	return int64(len(b)) >= framesAtV1 && string(b[:len(magicV1)]) == magicV1
}

// framesV1 reads the frames of a journal of version 1.
type framesV1 struct {
	frames
	sum uint32 // of the last frame
	at  int64  // its end
}

// next gives the records of the next frame, valid until the next call; nil where
// there is none.
func (f *framesV1) next() ([]byte, error) {
	b, err := f.view(f.at, frameHeadV1)
	if err != nil || len(b) < frameHeadV1 {
		return nil, err
	}
	n, sum := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if n == 0 || n > maxFrame {
		return nil, nil
	}
	records, err := f.view(f.at+frameHeadV1, int(n))
	if err != nil || len(records) < int(n) || sum != f.checksum(records) {
		return nil, err
	}
	f.sum = sum
	f.at += frameHeadV1 + int64(n)
	return records, nil
}

// followed tells whether there is a frame behind one that is not whole, as long
// as that one says how long it is.
func (f *framesV1) followed() bool {
	b, _ := f.view(f.at, frameHeadV1)
	if len(b) < frameHeadV1 {
		return false
	}
	n, sum := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if n == 0 || n > maxFrame {
		return false
	}
	records, _ := f.view(f.at+frameHeadV1, int(n))
	for _, sum := range []uint32{sum, f.checksum(records)} {
		g := *f
		g.sum, g.at = sum, f.at+frameHeadV1+int64(n)
		if next, _ := g.next(); next != nil {
			return true
		}
	}
	return false
}

func (f *framesV1) checksum(records []byte) uint32 {
	last := binary.LittleEndian.AppendUint32(nil, f.sum)
	return crc32.Update(crc32.Update(crc32.Checksum(f.salt[:], castagnoli), castagnoli, last), castagnoli, records)
}

// openV1 gives the records of a journal of version 1 to replay.
func (j *journal) openV1(replay func(records []byte) error) error {
	f := framesV1{frames: frames{r: j.file, size: j.size}, at: framesAtV1}
	b, err := f.view(0, int(framesAtV1))
	if err != nil {
		return err
	}
	copy(f.salt[:], b[len(magicV1):])
	for {
		at := f.at
		records, err := f.next()
		switch {
		case err != nil:
			return err
		case records == nil && f.followed():
			return damaged("what stands at byte %d is not what was written, and changes follow", at)
		case records == nil:
			return nil
		}
		if err := replay(records); err != nil {
			return fmt.Errorf("%w: the frame at %d: %w", ErrDamaged, at, err)
		}
	}
}

// salvageV1 is salvage for a journal of version 1: what follows a place that is
// damaged cannot be found.
func (j *journal) salvageV1(replay func(records []byte) (skipped int, err error)) (lost loss, err error) {
	err = j.openV1(func(records []byte) error {
		skipped, err := replay(records)
		if err != nil {
			skipped++
		}
		lost.changes += skipped
		return nil
	})
	if errors.Is(err, ErrDamaged) {
		lost.places++
		err = nil
	}
	return lost, err
}
