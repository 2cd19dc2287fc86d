package cputest

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"alpinevm/cpu/x86"
)

// Recorded outcomes of the corpus stand in for silicon on hosts that have none
// to ask. The cases themselves are generated anew; a sum a form tells whether
// they are the recorded ones. An outcome is kept as what it changes in its case.

//go:embed testdata/vectors.gz
var vectors []byte

// ErrStale says that the generator no longer makes the cases that the vectors
// were recorded for.
var ErrStale = errors.New("the recorded vectors are of other cases: record them anew with -oracle.record")

// Parts of a recorded outcome.
const (
	hasVector = 1 << iota
	hasEIP
	hasR
	hasFlags
	hasSeg
	hasX87
	hasXMM
	hasMemory
)

// plainOutcome is the outcome of an instruction that does nothing.
func plainOutcome(c *Case) Outcome {
	o := Outcome{Final{Vector: noVector, EIP: c.eip() + uint32(c.Len), R: c.R, EFLAGS: c.EFLAGS, FX: c.FX,
		Seg: c.selectors()}, nil}
	for _, w := range c.Windows {
		o.Memory = append(o.Memory, w.Data...)
	}
	return o
}

// encode appends what o changes in c.
func encode(b []byte, c *Case, o *Outcome) []byte {
	le := binary.LittleEndian
	p := plainOutcome(c)
	at := len(b)
	b = append(b, 0)
	has := func(part byte, differs bool) bool {
		if differs {
			b[at] |= part
		}
		return differs
	}
	if has(hasVector, o.Vector != p.Vector) {
		b = append(b, o.Vector)
		b = le.AppendUint16(b, uint16(o.Code))
		if o.Vector == 14 {
			b = le.AppendUint32(b, o.CR2)
		}
		p.EIP = c.eip() // of a fault
	}
	if has(hasEIP, o.EIP != p.EIP) {
		b = le.AppendUint32(b, o.EIP)
	}
	if has(hasR, o.R != p.R) {
		b = appendChanged(b, 8, func(i int) bool { return o.R[i] != p.R[i] },
			func(b []byte, i int) []byte { return le.AppendUint32(b, o.R[i]) })
	}
	if f := o.EFLAGS &^ x86.FlagRF; has(hasFlags, f != p.EFLAGS) {
		b = append(b, byte(f), byte(f>>8), byte(f>>16))
	}
	if has(hasSeg, o.Seg != p.Seg) {
		b = appendChanged(b, 6, func(i int) bool { return o.Seg[i] != p.Seg[i] },
			func(b []byte, i int) []byte { return le.AppendUint16(b, o.Seg[i]) })
	}
	was, is := physical(&p.FX), physical(&o.FX)
	if has(hasX87, was != is || string(o.FX[:fxTag+1]) != string(p.FX[:fxTag+1]) ||
		o.Vector == noVector && string(o.FX[fxFOP:fxFDS]) != string(p.FX[fxFOP:fxFDS])) {
		b = append(b, o.FX[:fxTag+1]...)
		b = appendPointers(b, c, o)
		b = appendChanged(b, 8, func(i int) bool { return was[i] != is[i] },
			func(b []byte, i int) []byte { return append(b, is[i][:]...) })
	}
	if has(hasXMM, string(o.FX[fxXMM:fxRest]) != string(p.FX[fxXMM:fxRest]) ||
		string(o.FX[fxMXCSR:fxMask]) != string(p.FX[fxMXCSR:fxMask])) {
		b = append(b, o.FX[fxMXCSR:fxMask]...)
		xmm := func(fx *[512]byte, i int) []byte { return fx[fxXMM+16*i:][:16] }
		b = appendChanged(b, 8, func(i int) bool { return string(xmm(&o.FX, i)) != string(xmm(&p.FX, i)) },
			func(b []byte, i int) []byte { return append(b, xmm(&o.FX, i)...) })
	}
	if has(hasMemory, string(o.Memory) != string(p.Memory)) {
		lo, hi := 0, len(o.Memory)
		for o.Memory[lo] == p.Memory[lo] {
			lo++
		}
		for o.Memory[hi-1] == p.Memory[hi-1] {
			hi--
		}
		b = le.AppendUint16(b, uint16(lo))
		b = le.AppendUint16(b, uint16(hi-lo))
		b = append(b, o.Memory[lo:hi]...)
	}
	return b
}

// appendPointers appends FOP, FIP and FDP. FIP mostly is the instruction's
// address, and FDP is often 0.
func appendPointers(b []byte, c *Case, o *Outcome) []byte {
	le := binary.LittleEndian
	fip, fdp := le.Uint32(o.FX[fxFIP:]), le.Uint32(o.FX[fxFDP:])
	at := len(b)
	b = append(b, 0, o.FX[fxFOP], o.FX[fxFOP+1])
	if fip != c.eip() {
		b[at] |= 1
		b = le.AppendUint32(b, fip)
	}
	if fdp != 0 {
		b[at] |= 2
		b = le.AppendUint32(b, fdp)
	}
	return b
}

// pointers reads what appendPointers wrote.
func (r *reader) pointers(c *Case, o *Outcome) {
	le := binary.LittleEndian
	which := r.u8()
	le.PutUint16(o.FX[fxFOP:], r.u16())
	le.PutUint32(o.FX[fxFIP:], c.eip())
	if which&1 != 0 {
		le.PutUint32(o.FX[fxFIP:], r.u32())
	}
	le.PutUint32(o.FX[fxFDP:], 0)
	if which&2 != 0 {
		le.PutUint32(o.FX[fxFDP:], r.u32())
	}
}

// appendChanged appends a byte that tells which of n items have changed, and
// those.
func appendChanged(b []byte, n int, changed func(int) bool, item func([]byte, int) []byte) []byte {
	at := len(b)
	b = append(b, 0)
	for i := range n {
		if changed(i) {
			b[at] |= 1 << i
			b = item(b, i)
		}
	}
	return b
}

// physical gives the x87 registers in physical order.
func physical(fx *[512]byte) (r [8][10]byte) {
	top := int(fx[fxSW+1] >> 3)
	for i := range 8 {
		copy(r[(top+i)&7][:], fx[fxST+16*i:])
	}
	return r
}

// reader reads what encode wrote; it is empty after an error.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.err = io.ErrUnexpectedEOF
		r.b = make([]byte, 1024)
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }

func (r *reader) changed(item func(i int)) {
	mask := r.u8()
	for i := range 8 {
		if mask>>i&1 != 0 {
			item(i)
		}
	}
}

// decode reads the outcome of c.
func (r *reader) decode(c *Case) Outcome {
	o := plainOutcome(c)
	parts := r.u8()
	if parts&hasVector != 0 {
		o.Vector = r.u8()
		o.Code = uint32(r.u16())
		if o.Vector == 14 {
			o.CR2 = r.u32()
		}
		o.EIP = c.eip()
	}
	if parts&hasEIP != 0 {
		o.EIP = r.u32()
	}
	if parts&hasR != 0 {
		r.changed(func(i int) { o.R[i] = r.u32() })
	}
	if parts&hasFlags != 0 {
		f := r.take(3)
		o.EFLAGS = uint32(f[0]) | uint32(f[1])<<8 | uint32(f[2])<<16
	}
	if parts&hasSeg != 0 {
		r.changed(func(i int) { o.Seg[i%6] = r.u16() })
	}
	if parts&hasX87 != 0 {
		regs := physical(&c.FX)
		copy(o.FX[:fxTag+1], r.take(fxTag+1))
		r.pointers(c, &o)
		r.changed(func(i int) { copy(regs[i][:], r.take(10)) })
		top := int(o.FX[fxSW+1] >> 3)
		for i := range 8 {
			copy(o.FX[fxST+16*i:], regs[(top+i)&7][:])
		}
	}
	if parts&hasXMM != 0 {
		copy(o.FX[fxMXCSR:fxMask], r.take(4))
		r.changed(func(i int) { copy(o.FX[fxXMM+16*i:], r.take(16)) })
	}
	if parts&hasMemory != 0 {
		lo, n := int(r.u16()), int(r.u16())
		copy(o.Memory[min(lo, len(o.Memory)):], r.take(n))
	}
	return o
}

// sum identifies the cases of a form.
func sum(h io.Writer, cases []Case) {
	for i := range cases {
		c := &cases[i]
		b := binary.LittleEndian.AppendUint32(nil, c.EFLAGS)
		for _, v := range c.R {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		b = append(append(b, c.Code[:c.Len]...), c.FX[:fxRest]...)
		for _, w := range c.Windows {
			b = append(binary.LittleEndian.AppendUint32(b, w.Addr), w.Data...)
		}
		h.Write(b)
	}
}

// Record asks truth about the whole corpus and returns the vectors.
func Record(truth Engine) ([]byte, error) {
	for f := range x86.NumFeatures {
		if has, err := hasFeature(truth, f); err != nil || !has {
			return nil, errors.Join(err, fmt.Errorf("cputest: this processor does not have %v: record on one that has all", f))
		}
	}
	var all bytes.Buffer
	z, err := gzip.NewWriterLevel(&all, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	var want [Batch]Outcome
	for _, set := range Sets() {
		h := fnv.New64a()
		var b []byte
		err := set.Batches(Seed, set.Size, func(_ int, cases []Case) error {
			sum(h, cases)
			if err := settled(truth, cases, want[:]); err != nil {
				return err
			}
			for i := range cases {
				b = encode(b, &cases[i], &want[i])
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		head := binary.LittleEndian.AppendUint32(h.Sum(nil), uint32(len(b)))
		if _, err := z.Write(append(head, b...)); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return all.Bytes(), nil
}

// CompareRecorded runs the recorded sets that want asks for, all if it is nil,
// on an engine and hands out a report each.
func CompareRecorded(engine Engine, want func(*Set) bool, report func(Report)) error {
	z, err := gzip.NewReader(bytes.NewReader(vectors))
	if err != nil {
		return fmt.Errorf("cputest: vectors: %w", err)
	}
	for _, set := range Sets() {
		var head [12]byte
		if _, err := io.ReadFull(z, head[:]); err != nil {
			return fmt.Errorf("cputest: %s: %w", set.Name, ErrStale)
		}
		b := make([]byte, binary.LittleEndian.Uint32(head[8:]))
		if _, err := io.ReadFull(z, b); err != nil {
			return fmt.Errorf("cputest: %s: %w", set.Name, ErrStale)
		}
		if want != nil && !want(&set) {
			continue
		}
		r, err := set.compareRecorded(engine, head[:8], b)
		if err != nil {
			return err
		}
		report(r)
	}
	return nil
}

// compareRecorded runs the set whose cases have the given sum and whose
// outcomes are in b.
func (s *Set) compareRecorded(engine Engine, id, b []byte) (Report, error) {
	rep := Report{Name: s.Name}
	r := reader{b: b}
	h := fnv.New64a()
	var want, got [Batch]Outcome
	err := s.Batches(Seed, s.Size, func(first int, cases []Case) error {
		sum(h, cases)
		for i := range cases {
			want[i] = r.decode(&cases[i])
		}
		if r.err != nil {
			return ErrStale
		}
		if err := engine.Run(cases, got[:]); err != nil {
			return err
		}
		var diffs [Batch]string
		for i := range cases {
			diffs[i] = Diff(&cases[i], &want[i], &got[i], Host{})
		}
		rep.add(first, cases, diffs[:])
		return nil
	})
	if err == nil && string(h.Sum(nil)) != string(id) {
		err = fmt.Errorf("%s: %w", s.Name, ErrStale)
	}
	return rep, err
}
