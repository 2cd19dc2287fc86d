package snapshot

import (
	"io"
	"math"
	"reflect"
	"slices"
	"unicode"
)

// File is a snapshot that is read.
type File struct {
	Header
	r        io.ReaderAt
	size     int64
	sections []entry
	at       []int64 // of each
	runs     []run   // of raw memory
	memory   int64   // where it is
	seen     []byte  // from seenAt on, where the file is a Viewer
	seenAt   int64
}

// Open reads a snapshot's header. r, of size bytes, is read from as long as the
// File is used.
func Open(r io.ReaderAt, size int64) (*File, error) {
	var top [preludeSize]byte
	if _, err := r.ReadAt(top[:], 0); err != nil && size >= preludeSize {
		return nil, err
	}
	if size < preludeSize || string(top[:len(mark)]) != mark {
		return nil, fault("it does not begin as one")
	}
	if v := le.Uint32(top[16:]); v != Version {
		return nil, fault("its format is %d, and we know %d only", v, Version)
	}
	if sum(top[24:]) != le.Uint32(top[20:]) {
		return nil, fault("the checksum of its first bytes is wrong")
	}
	at, n := le.Uint64(top[24:]), le.Uint32(top[32:])
	if n > maxHeader || at > math.MaxInt64 || at > uint64(size) || uint64(n) > uint64(size)-at {
		return nil, fault("it is too short")
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(r, int64(at), int64(n)), header); err != nil {
		return nil, err
	}
	if sum(header) != le.Uint32(top[36:]) {
		return nil, fault("the checksum of the header is wrong")
	}
	var t table
	if rest, err := (decoder{}).decode(header, reflect.ValueOf(&t).Elem()); err != nil {
		return nil, fault("the header: %w", err)
	} else if len(rest) > 0 {
		return nil, fault("the header: %w", errLong)
	}
	f := &File{Header: t.Header, r: r, size: size, sections: t.Sections, runs: t.Runs}
	if err := f.checkMemory(le.Uint64(top[40:])); err != nil {
		return nil, err
	}
	return f, f.place(int64(at) + int64(n))
}

// checkMemory checks what the header says of the memory, which is at at.
func (f *File) checkMemory(at uint64) error {
	switch {
	case f.Memory <= 0 || f.Memory > MaxMemory || f.Memory%(1<<20) != 0:
		return fault("a memory of %d bytes", f.Memory)
	case f.Layout != Raw && f.Layout != Packed:
		return fault("the memory's layout is %.40q, and we know %s and %s only", f.Layout, Raw, Packed)
	case at > uint64(f.size), f.Layout == Raw && (at%PageSize != 0 || f.size-int64(at) < f.Memory):
		return fault("its memory is too short")
	}
	f.memory = int64(at)
	next, pages := uint32(0), uint32(f.Memory/PageSize)
	for _, r := range f.runs {
		if r.Page < next || r.Count == 0 || r.Page > pages || r.Count > pages-r.Page || f.Layout == Packed {
			return fault("%d pages of memory from %d on, of %d", r.Count, r.Page, pages)
		}
		next = r.Page + r.Count
	}
	return nil
}

// place finds out where the sections are.
func (f *File) place(at int64) error {
	if len(f.sections) > maxSections {
		return fault("%d sections", len(f.sections))
	}
	for i, s := range f.sections {
		if s.Name == "" || len(s.Name) > maxName || slices.ContainsFunc([]rune(s.Name), func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fault("a section of the name %.40q", s.Name)
		}
		if slices.ContainsFunc(f.sections[:i], func(o entry) bool { return o.Name == s.Name }) {
			return fault("section %s is there twice", s.Name)
		}
		if s.Size < 0 || s.Size > f.size-at {
			return fault("section %s is too short", s.Name)
		}
		f.at = append(f.at, at)
		at += s.Size
	}
	return nil
}

// Names are those of the sections, in their order.
func (f *File) Names() []string {
	var list []string
	for _, s := range f.sections {
		list = append(list, s.Name)
	}
	return list
}

// Has tells whether there is a section of that name.
func (f *File) Has(name string) bool { return f.index(name) >= 0 }

func (f *File) index(name string) int {
	return slices.IndexFunc(f.sections, func(s entry) bool { return s.Name == name })
}

// Section reads a section.
func (f *File) Section(name string) (Section, error) {
	i := f.index(name)
	if i < 0 {
		return Section{}, fault("there is no section %s", name)
	}
	e := f.sections[i]
	var data []byte
	if f.seen != nil {
		from := f.at[i] - f.seenAt
		data = f.seen[from : from+e.Size : from+e.Size]
	} else {
		data = make([]byte, e.Size)
		if _, err := io.ReadFull(io.NewSectionReader(f.r, f.at[i], e.Size), data); err != nil {
			return Section{}, err
		}
	}
	if sum(data) != e.Sum {
		return Section{}, fault("the checksum of section %s is wrong", name)
	}
	return Section{Name: e.Name, Form: e.Form, data: data}, nil
}

// Decode fills the state that a pointer leads to from the section of that name.
func (f *File) Decode(name string, state any) error {
	s, err := f.Section(name)
	if err != nil {
		return err
	}
	return s.Decode(state)
}

// Mapped tells where raw memory begins; ok is false of packed memory.
func (f *File) Mapped() (offset int64, ok bool) { return f.memory, f.Layout == Raw }

// Load calls put with all of memory that is not zero, on several goroutines at a
// time; what is put counts only if there is no error.
func (f *File) Load(put func(page uint32, data []byte) error) error {
	if f.Layout == Packed {
		_, checked := f.r.(Checked)
		return unpack(io.NewSectionReader(f.r, f.memory, f.size-f.memory), checked, uint32(f.Memory/PageSize), put)
	}
	buffer := make([]byte, blockBytes)
	for _, r := range f.runs {
		check := uint32(0)
		for n := uint32(0); n < r.Count; {
			part := buffer[:min(r.Count-n, blockPages)*PageSize]
			page := r.Page + n
			if _, err := io.ReadFull(io.NewSectionReader(f.r, f.memory+int64(page)*PageSize, int64(len(part))), part); err != nil {
				return err
			}
			check = update(check, part)
			if err := put(page, part); err != nil {
				return err
			}
			n += uint32(len(part) / PageSize)
		}
		if check != r.Sum {
			return fault("the checksum of the memory from page %d on is wrong", r.Page)
		}
	}
	return nil
}

// Stored is how many bytes the file has without the memory that is zero.
func (f *File) Stored() int64 {
	if f.Layout == Packed {
		return f.size
	}
	n := f.size - f.Memory
	for _, r := range f.runs {
		n += int64(r.Count) * PageSize
	}
	return n
}

// Check reads all of the file, and says what is wrong with it.
func (f *File) Check() error {
	buffer := make([]byte, 1<<20)
	for i, s := range f.sections {
		var m meter
		if _, err := io.CopyBuffer(&m, io.NewSectionReader(f.r, f.at[i], s.Size), buffer); err != nil {
			return err
		}
		if m != (meter{s.Size, s.Sum}) {
			return fault("the checksum of section %s is wrong", s.Name)
		}
	}
	return f.Load(func(uint32, []byte) error { return nil })
}

// Viewer is a file that can be looked at in place. What View has given stays as it
// is, and is not to be written to.
type Viewer interface {
	View(off, n int64) ([]byte, error)
}

// Checked is a file of which nothing is read whose digest is not what it is to be.
type Checked interface {
	io.ReaderAt
	Checked()
}

// mostRead is the most bytes of sections that are read where they can be viewed.
const mostRead = 256 << 20

// All reads all sections. In a file that is a Viewer they stay where they are if
// memory is raw, or they are many bytes.
func (f *File) All() ([]Section, error) {
	g := *f
	begin, end := int64(0), int64(0)
	if last := len(f.sections) - 1; last >= 0 {
		begin, end = f.at[0], f.at[last]+f.sections[last].Size
	}
	if v, ok := f.r.(Viewer); ok && end > begin && (f.Layout == Raw || end-begin > mostRead) {
		all, err := v.View(begin, end-begin)
		if err != nil {
			return nil, err
		}
		g.seen, g.seenAt = all, begin
	}
	var list []Section
	for _, name := range f.Names() {
		s, err := g.Section(name)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}
