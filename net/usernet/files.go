package usernet

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"time"
)

// JSONLog is a Log that writes one line of JSON a Record.
type JSONLog struct{ s *spool }

// NewJSONLog writes to w, limit bytes at most, and closes it. failed is told, on any
// goroutine, why something is missing: the first error, the limit, and what came too
// fast.
func NewJSONLog(w io.WriteCloser, limit int64, failed func(error)) *JSONLog {
	return &JSONLog{newSpool(w, limit, failed)}
}

// Flow queues a record.
func (l *JSONLog) Flow(r Record) {
	b, err := json.Marshal(r)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	l.s.add(append(b, '\n'))
}

// Close writes what is queued. What comes after it is not written.
func (l *JSONLog) Close() { l.s.close() }

// Capture gets each frame on the guest's cable, in both directions, before anything
// is done with it. Frame is called on the machine goroutine, does not block and does
// not keep b.
type Capture interface{ Frame(at time.Time, b []byte) }

// Pcap is a Capture that writes a file for tcpdump and Wireshark. Checksums that the
// card leaves to its other end are not in the frames, nor are segments cut that it
// leaves to be cut.
type Pcap struct{ s *spool }

// The form of the file (draft-ietf-opsawg-pcap).
const (
	pcapMagic    = 0xa1b23c4d // times in nanoseconds
	pcapMajor    = 2
	pcapMinor    = 4
	pcapSnap     = 1 << 18 // no frame is longer
	pcapEthernet = 1
)

// NewPcap writes to w as NewJSONLog does.
func NewPcap(w io.WriteCloser, limit int64, failed func(error)) *Pcap {
	p := &Pcap{newSpool(w, limit, failed)}
	h := binary.LittleEndian.AppendUint32(nil, pcapMagic)
	h = binary.LittleEndian.AppendUint16(h, pcapMajor)
	h = binary.LittleEndian.AppendUint16(h, pcapMinor)
	h = append(h, make([]byte, 8)...) // reserved
	h = binary.LittleEndian.AppendUint32(h, pcapSnap)
	p.s.add(binary.LittleEndian.AppendUint32(h, pcapEthernet))
	return p
}

// Frame queues a frame.
func (p *Pcap) Frame(at time.Time, b []byte) {
	r := make([]byte, 0, 16+len(b))
	r = binary.LittleEndian.AppendUint32(r, uint32(at.Unix()))
	r = binary.LittleEndian.AppendUint32(r, uint32(at.Nanosecond()))
	r = binary.LittleEndian.AppendUint32(r, uint32(len(b)))
	r = binary.LittleEndian.AppendUint32(r, uint32(len(b)))
	p.s.add(append(r, b...))
}

// Close writes what is queued. What comes after it is not written.
func (p *Pcap) Close() { p.s.close() }
