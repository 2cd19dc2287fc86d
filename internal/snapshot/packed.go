package snapshot

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
)

// Packed memory is blocks, each of
//
//	uint32  number of runs, 1 to blockPages; 0: this is the end
//	uint32  length of the compressed pages in bytes
//	uint32  CRC-32C of the two above, the runs and the compressed pages
//	runs    the number of the first page and of pages, uint32 each
//	pages   a zstd frame of all their bytes
//
// and, behind the two zeros of the end, the SHA-256 of all that is before it.

const (
	blockPages = 1024
	blockBytes = blockPages * PageSize
	blockHead  = 12
	// maxPacked is more than zstd makes of a block that cannot be compressed.
	maxPacked = blockBytes + blockBytes/128 + 1024
)

// block is a part of memory on its way.
type block struct {
	runs  []run
	plain []byte
	done  chan []byte // gets it encoded
}

// add adds as much of a run as there is room for, and gives the rest.
func (b *block) add(page uint32, data []byte) (uint32, []byte) {
	n := min(len(data), blockBytes-len(b.plain))
	if n == 0 {
		return page, data
	}
	b.runs = append(b.runs, run{Page: page, Count: uint32(n / PageSize)})
	b.plain = append(b.plain, data[:n]...)
	return page + uint32(n/PageSize), data[n:]
}

func (b *block) encode(z *zstd.Encoder) []byte {
	out := make([]byte, blockHead, blockHead+8*len(b.runs)+len(b.plain)/2)
	for _, r := range b.runs {
		out = le.AppendUint32(le.AppendUint32(out, r.Page), r.Count)
	}
	at := len(out)
	out = z.EncodeAll(b.plain, out)
	le.PutUint32(out, uint32(len(b.runs)))
	le.PutUint32(out[4:], uint32(len(out)-at))
	le.PutUint32(out[8:], blockSum(out))
	return out
}

// blockSum is the checksum of an encoded block.
func blockSum(b []byte) uint32 { return update(sum(b[:8]), b[blockHead:]) }

// Effort is what is done to make a packed snapshot small.
type Effort zstd.EncoderLevel

const (
	// Quick is for one that is made while somebody waits.
	Quick = Effort(zstd.SpeedDefault)
	// Thorough is for one that is read often: it takes several times as long.
	Thorough = Effort(zstd.SpeedBestCompression)
)

// WritePacked writes a snapshot whose memory is packed.
func WritePacked(w io.Writer, effort Effort, h Header, sections []Section, memory Memory) error {
	h.Layout = Packed
	header, err := head(h, sections, nil)
	if err != nil {
		return err
	}
	at := int64(preludeSize + len(header))
	for _, s := range sections {
		at += s.Size()
	}
	out := bufio.NewWriterSize(w, 1<<20)
	out.Write(prelude(header, preludeSize, at)) // its error comes back from Flush
	out.Write(header)
	for _, s := range sections {
		if err := s.write(out); err != nil {
			return err
		}
	}
	if err := pack(out, effort, memory); err != nil {
		return err
	}
	return out.Flush()
}

// pack compresses memory on all processors, and writes it in order.
func pack(w io.Writer, effort Effort, memory Memory) error {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevel(effort)), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)))
	if err != nil {
		return err
	}
	digest := sha256.New()
	blocks := make(chan *block, 2*runtime.GOMAXPROCS(0))
	wrong := make(chan error, 1)
	go func() {
		var err error
		for b := range blocks {
			p := <-b.done
			digest.Write(p)
			if err == nil {
				_, err = w.Write(p)
			}
		}
		wrong <- err
	}()
	var working sync.WaitGroup
	send := func(b *block) {
		b.done = make(chan []byte, 1)
		blocks <- b // waits where enough are on their way
		working.Go(func() { b.done <- b.encode(z) })
	}
	b := &block{}
	for page, data := range memory.Pages {
		for len(data) > 0 {
			if page, data = b.add(page, data); len(data) > 0 {
				send(b)
				b = &block{}
			}
		}
	}
	if len(b.runs) > 0 {
		send(b)
	}
	close(blocks)
	working.Wait()
	if err := errors.Join(<-wrong, memory.failed()); err != nil {
		return err
	}
	end := make([]byte, 8)
	digest.Write(end)
	_, err = w.Write(digest.Sum(end))
	return err
}

// unpack reads packed memory, and calls put with its runs, on several goroutines
// at a time. What is put counts only if there is no error. The digest of what is checked
// already is not computed again.
func unpack(r io.Reader, checked bool, pages uint32, put func(page uint32, data []byte) error) error {
	source := bufio.NewReaderSize(r, 1<<20)
	digest, in := sha256.New(), io.Reader(source)
	if !checked {
		in = io.TeeReader(source, digest)
	}
	workers := runtime.GOMAXPROCS(0)
	// A block has a checksum of its own, of what is compressed.
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(workers), zstd.WithDecoderMaxMemory(2*blockBytes), zstd.WithDecoderMaxWindow(2*blockBytes), zstd.IgnoreChecksum(true))
	if err != nil {
		return err
	}
	defer z.Close()
	var jobs errgroup.Group
	jobs.SetLimit(workers)
	buffers := sync.Pool{New: func() any { return new([]byte) }}
	for next := uint32(0); ; {
		runs, packed, err := readBlock(in, next, pages)
		if err != nil || runs == nil {
			if e := jobs.Wait(); e != nil {
				return e
			}
			if err != nil {
				return err
			}
			return checkDigest(source, digest.Sum(nil), checked)
		}
		last := runs[len(runs)-1]
		next = last.Page + last.Count
		jobs.Go(func() error {
			buffer := buffers.Get().(*[]byte)
			defer buffers.Put(buffer)
			plain, err := expand(z, packed, runs, *buffer)
			if err != nil {
				return err
			}
			*buffer = plain
			for _, r := range runs {
				n := int(r.Count) * PageSize
				if err := put(r.Page, plain[:n]); err != nil {
					return err
				}
				plain = plain[n:]
			}
			return nil
		})
	}
}

// checkDigest compares what was read with the digest behind it, if that is not checked.
func checkDigest(r io.Reader, got []byte, checked bool) error {
	want := make([]byte, sha256.Size+1)
	if n, _ := io.ReadFull(r, want); n != sha256.Size || !checked && !bytes.Equal(got, want[:sha256.Size]) {
		return fault("the digest of the memory is wrong")
	}
	return nil
}

// readBlock reads a block, whose pages come behind first; no runs: it is the end.
func readBlock(in io.Reader, first, pages uint32) (runs []run, packed []byte, err error) {
	var top [blockHead]byte
	if _, err := io.ReadFull(in, top[:8]); err != nil {
		return nil, nil, fault("the memory ends too early")
	}
	count, size := le.Uint32(top[:]), le.Uint32(top[4:])
	if count == 0 && size == 0 {
		return nil, nil, nil
	}
	if count > blockPages || size > maxPacked {
		return nil, nil, fault("a block of memory of %d runs and %d bytes", count, size)
	}
	body := make([]byte, blockHead+8*count+size)
	copy(body, top[:8])
	if _, err := io.ReadFull(in, body[8:]); err != nil {
		return nil, nil, fault("the memory ends too early")
	}
	if blockSum(body) != le.Uint32(body[8:]) {
		return nil, nil, fault("the checksum of the memory behind page %d is wrong", first)
	}
	total := uint32(0)
	for i := range count {
		r := run{Page: le.Uint32(body[blockHead+8*i:]), Count: le.Uint32(body[blockHead+8*i+4:])}
		if r.Page < first || r.Count == 0 || r.Count > blockPages-total || r.Page > pages || r.Count > pages-r.Page {
			return nil, nil, fault("%d pages of memory from %d on, of %d", r.Count, r.Page, pages)
		}
		first, total = r.Page+r.Count, total+r.Count
		runs = append(runs, r)
	}
	return runs, body[blockHead+8*count:], nil
}

// expand gives the pages of a block.
func expand(z *zstd.Decoder, packed []byte, runs []run, buffer []byte) ([]byte, error) {
	want := 0
	for _, r := range runs {
		want += int(r.Count) * PageSize
	}
	plain, err := z.DecodeAll(packed, buffer[:0])
	if err == nil && len(plain) != want {
		err = fmt.Errorf("%d bytes, want %d", len(plain), want)
	}
	if err != nil {
		return nil, fault("the memory from page %d on: %w", runs[0].Page, err)
	}
	return plain, nil
}
