package storage

import (
	"errors"
	"io"
	"maps"
	"math/rand"
	"slices"
)

// Memory is files in memory, which know what of them would be on a disk. It implements
// Storage. A zero Memory is empty.
type Memory struct {
	// Limit is the most bytes that all files have; zero is no limit.
	Limit int64
	// Broken, if not nil, is asked before each write, truncation and sync, whose error
	// its own is.
	Broken func(name string) error

	files map[string]*memoryFile
}

// A memoryFile is both what a reader sees and how a disk may be behind that.
type memoryFile struct {
	data   []byte
	synced []byte
	later  []memoryWrite // what was done since synced was all of it, in order
}

// A memoryWrite is a write, or a truncation if data is nil.
type memoryWrite struct {
	data []byte
	at   int64
}

// sector is what a disk writes as a whole, in bytes.
const sector = 512

func resized(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func (w memoryWrite) apply(b []byte) []byte {
	if w.data == nil {
		return resized(b, w.at)
	}
	b = resized(b, max(int64(len(b)), w.at+int64(len(w.data))))
	copy(b[w.at:], w.data)
	return b
}

// Open is part of Storage.
func (m *Memory) Open(name string) (File, error) {
	if m.files == nil {
		m.files = map[string]*memoryFile{}
	}
	f := m.files[name]
	if f == nil {
		f = &memoryFile{}
		m.files[name] = f
	}
	return &memoryHandle{m, f, name}, nil
}

// Free is part of Storage.
func (m *Memory) Free() (n int64, ok bool) {
	if m.Limit == 0 {
		return 0, false
	}
	return max(m.Limit-m.size(), 0), true
}

func (m *Memory) size() (n int64) {
	for _, f := range m.files {
		n += int64(len(f.data))
	}
	return n
}

// Close is part of Storage.
func (m *Memory) Close() error { return nil }

// Copy is what another process would find if this one died now.
func (m *Memory) Copy() *Memory {
	c := &Memory{Limit: m.Limit, files: map[string]*memoryFile{}}
	for name, f := range m.files {
		b := slices.Clone(f.data)
		c.files[name] = &memoryFile{data: b, synced: slices.Clone(b)}
	}
	return c
}

// Crash is what there may be if the host failed now: of what was not synced any sectors,
// in any order.
func (m *Memory) Crash(rnd *rand.Rand) *Memory {
	c := &Memory{Limit: m.Limit, files: map[string]*memoryFile{}}
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		f := m.files[name]
		b := slices.Clone(f.synced)
		for _, w := range f.later {
			if w.data == nil {
				if rnd.Intn(2) == 0 {
					b = w.apply(b)
				}
				continue
			}
			for at := 0; at < len(w.data); {
				end := min(at+sector-int((w.at+int64(at))%sector), len(w.data))
				if rnd.Intn(2) == 0 {
					b = memoryWrite{w.data[at:end], w.at + int64(at)}.apply(b)
				}
				at = end
			}
		}
		c.files[name] = &memoryFile{data: b, synced: slices.Clone(b)}
	}
	return c
}

// Change changes the bytes of a file, as a disk does that is damaged.
func (m *Memory) Change(name string, change func(b []byte) []byte) {
	f := m.files[name]
	f.data = change(f.data)
	f.synced, f.later = slices.Clone(f.data), nil
}

type memoryHandle struct {
	m    *Memory
	f    *memoryFile
	name string
}

// broken says what is to fail.
func (h *memoryHandle) broken() error {
	if h.m.Broken == nil {
		return nil
	}
	return h.m.Broken(h.name)
}

func (h *memoryHandle) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("a read before the beginning of the file")
	}
	n := copy(p, h.f.data[min(off, int64(len(h.f.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *memoryHandle) WriteAt(p []byte, off int64) (int, error) {
	if err := h.broken(); err != nil {
		return 0, err
	}
	if more := off + int64(len(p)) - int64(len(h.f.data)); h.m.Limit > 0 && more > 0 && h.m.size()+more > h.m.Limit {
		return 0, ErrFull
	}
	h.do(memoryWrite{append([]byte{}, p...), off})
	return len(p), nil
}

func (h *memoryHandle) do(w memoryWrite) {
	h.f.data = w.apply(h.f.data)
	h.f.later = append(h.f.later, w)
}

func (h *memoryHandle) Size() (int64, error) { return int64(len(h.f.data)), nil }

func (h *memoryHandle) Truncate(size int64) error {
	if err := h.broken(); err != nil {
		return err
	}
	if more := size - int64(len(h.f.data)); h.m.Limit > 0 && more > 0 && h.m.size()+more > h.m.Limit {
		return ErrFull
	}
	h.do(memoryWrite{nil, size})
	return nil
}

func (h *memoryHandle) Sync() error {
	if err := h.broken(); err != nil {
		return err
	}
	for _, w := range h.f.later {
		h.f.synced = w.apply(h.f.synced)
	}
	h.f.later = nil
	return nil
}

func (h *memoryHandle) Close() error { return nil }
