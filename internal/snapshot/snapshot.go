// Package snapshot is the file that a machine is kept in: a header, sections of
// plain data, one a device, and the guest's memory. It knows no machine.
//
// A file begins with 64 bytes, numbers little-endian:
//
//	 0  16 bytes  the mark
//	16  uint32    format version, 1
//	20  uint32    CRC-32C of all that follows of the 64 bytes
//	24  uint64    where the header is, which the sections follow
//	32  uint32    length of the header in bytes
//	36  uint32    CRC-32C of the header
//	40  uint64    where the memory is
//
// The header is a Header and a table of the sections in the encoding of
// codec.go. Memory has one of two layouts. Raw, the whole of it lies in the file
// from a multiple of 4,096 on, sparse, to be mapped; what is zero in it is not in
// the table of runs. Packed, its pages that are not zero follow each other in
// blocks compressed by zstd, and behind them is a SHA-256 of all that: see
// packed.go.
//
// What reads a file trusts none of it: nothing is believed before its checksum
// is right, and nothing takes more memory than the file has bytes, but for the
// guest's memory, whose size is the header's.
package snapshot

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"reflect"
)

// Version is the format's.
const Version = 1

// PageSize is that of memory's pages, in bytes.
const PageSize = 4096

// MaxMemory is the most memory that a guest has, in bytes.
const MaxMemory = 3 << 30

const (
	mark        = "alpinevm\x00snap\r\n\x1a"
	preludeSize = 64
	maxHeader   = 16 << 20
	maxSections = 4096
	maxName     = 200
)

// Layouts of memory.
const (
	Raw    = "raw"
	Packed = "packed"
)

// Header says what a snapshot is of.
type Header struct {
	Program string   // the version that wrote it
	Model   string   // the processor's
	Memory  int64    // bytes of RAM
	Devices []string // by slot
	Made    int64    // seconds since 1970
	Layout  string
}

// Section is the state of one device, or of anything else, under a name.
type Section struct {
	Name string
	Form string // of the data: see form.go
	data []byte // as it was encoded
	late *late  // in place of data
}

// late is a section whose data are encoded whenever they are written.
type late struct {
	state reflect.Value
	size  int64
	sum   uint32
}

// Encode makes a section of plain data.
func Encode(name string, state any) (Section, error) {
	v := reflect.ValueOf(state)
	b, err := encode(nil, v)
	if err != nil {
		return Section{}, fmt.Errorf("snapshot: %s: %w", name, err)
	}
	return Section{Name: name, Form: form(v.Type()), data: b}, nil
}

// EncodeLate makes a section of plain data in which is much that is Late: it is
// read now, and again whenever the section is written, and must stay the same.
func EncodeLate(name string, state any) (Section, error) {
	s := Section{Name: name, Form: form(reflect.TypeOf(state)), late: &late{state: reflect.ValueOf(state)}}
	var m meter
	if err := s.late.write(&m); err != nil {
		return Section{}, fmt.Errorf("snapshot: %s: %w", name, err)
	}
	s.late.size, s.late.sum = m.size, m.sum
	return s, nil
}

// write encodes the state to w.
func (l *late) write(w io.Writer) error {
	b, err := encoder{w}.encode(nil, l.state)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

// meter is what is written to it.
type meter struct {
	size int64
	sum  uint32
}

// Write implements io.Writer.
func (m *meter) Write(p []byte) (int, error) {
	m.size, m.sum = m.size+int64(len(p)), update(m.sum, p)
	return len(p), nil
}

// Size is how many bytes the section's data takes.
func (s *Section) Size() int64 {
	if s.late != nil {
		return s.late.size
	}
	return int64(len(s.data))
}

// entry is the section's in the table.
func (s *Section) entry() entry {
	if s.late != nil {
		return entry{s.Name, s.Form, s.late.size, s.late.sum}
	}
	return entry{s.Name, s.Form, s.Size(), sum(s.data)}
}

// write writes the section's data.
func (s *Section) write(w io.Writer) error {
	if s.late == nil {
		_, err := w.Write(s.data)
		return err
	}
	var m meter
	if err := s.late.write(io.MultiWriter(w, &m)); err != nil {
		return fmt.Errorf("snapshot: %s: %w", s.Name, err)
	}
	if m != (meter{s.late.size, s.late.sum}) {
		return fmt.Errorf("snapshot: %s has changed while it was written", s.Name)
	}
	return nil
}

// Decode fills the state that a pointer leads to.
func (s *Section) Decode(state any) error { return s.fill(state, decoder{}) }

// DecodeShared is Decode, but the bytes in the state are the section's own, and are
// not to be changed.
func (s *Section) DecodeShared(state any) error { return s.fill(state, decoder{share: true}) }

func (s *Section) fill(state any, d decoder) error {
	v := reflect.ValueOf(state).Elem()
	if want := form(v.Type()); s.Form != want {
		return fault("section %s has another form than ours: %s", s.Name, difference(s.Form, want))
	}
	data := s.data
	if s.late != nil {
		var err error
		if data, err = encode(nil, s.late.state); err != nil {
			return err
		}
	}
	rest, err := d.decode(data, v)
	if err == nil && len(rest) > 0 {
		err = errLong
	}
	if err != nil {
		return fault("section %s: %w", s.Name, err)
	}
	return nil
}

// Memory is a guest's.
type Memory struct {
	// Pages gives those that are not zero, in rising order: the number of the first
	// page of a run, and its bytes.
	Pages iter.Seq2[uint32, []byte]
	// Failed, where not nil, has the error that has ended Pages.
	Failed func() error
}

func (m *Memory) failed() error {
	if m.Failed == nil {
		return nil
	}
	return m.Failed()
}

// ErrFormat is the error of a file that is no snapshot, or a damaged one.
var ErrFormat = errors.New("not a snapshot that can be read")

func fault(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(b []byte) uint32 { return update(0, b) }

// update goes on with a sum.
func update(s uint32, b []byte) uint32 { return crc32.Update(s, castagnoli, b) }

// entry is a section in the header's table. Sections follow each other.
type entry struct {
	Name, Form string
	Size       int64
	Sum        uint32
}

// run is a part of raw memory that is not zero.
type run struct {
	Page, Count uint32
	Sum         uint32
}

// table is what the header's bytes hold.
type table struct {
	Header   Header
	Sections []entry
	Runs     []run // of raw memory
}

// head gives the encoded table, and the sections as they follow it.
func head(h Header, sections []Section, runs []run) ([]byte, error) {
	t := table{Header: h, Runs: runs}
	for _, s := range sections {
		t.Sections = append(t.Sections, s.entry())
	}
	return encode(nil, reflect.ValueOf(t))
}

// prelude gives the first bytes of a file.
func prelude(header []byte, headerAt, memoryAt int64) []byte {
	b := append([]byte(mark), make([]byte, preludeSize-len(mark))...)
	le.PutUint32(b[16:], Version)
	le.PutUint64(b[24:], uint64(headerAt))
	le.PutUint32(b[32:], uint32(len(header)))
	le.PutUint32(b[36:], sum(header))
	le.PutUint64(b[40:], uint64(memoryAt))
	le.PutUint32(b[20:], sum(b[24:preludeSize]))
	return b
}

// NotZero gives the runs of memory's pages that are not zero, none of them longer
// than most pages.
func NotZero(memory []byte, most int) Memory {
	return Memory{Pages: func(yield func(uint32, []byte) bool) {
		var zero [PageSize]byte
		start := -1
		pages := len(memory) / PageSize
		for i := 0; i <= pages; i++ {
			full := i < pages && string(memory[i*PageSize:(i+1)*PageSize]) != string(zero[:])
			if start >= 0 && (!full || i-start == most) {
				if !yield(uint32(start), memory[start*PageSize:i*PageSize]) {
					return
				}
				start = -1
			}
			if full && start < 0 {
				start = i
			}
		}
	}}
}
