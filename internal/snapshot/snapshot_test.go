package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var writeFile = flag.Bool("snapshot.write", false, "write the file of this format version to testdata")

// small is a state of every kind of data.
type small struct {
	On      bool
	A       int8
	B       uint16
	C       int
	D       [3]uint32
	E       float64
	Text    string
	Bytes   []byte
	Rows    []row
	Derived uint64 `snapshot:"-"`
}

type row struct {
	Name string
	At   int64
}

var someState = small{
	On: true, A: -3, B: 40000, C: -1 << 30, D: [3]uint32{1, 2, 1 << 31}, E: 0.1,
	Text: "text", Bytes: []byte{0, 1, 2}, Rows: []row{{"a", 1}, {"b", -1}},
}

var someHeader = Header{Program: "a test", Model: "6-15", Memory: 8 << 20, Devices: []string{"rtc", "9p root"}, Made: 1e9}

// someMemory has pages at both ends, runs of several pages, and random ones,
// which cannot be compressed.
func someMemory() []byte {
	m := make([]byte, someHeader.Memory)
	rnd := rand.NewChaCha8([32]byte{1})
	rnd.Read(m[:PageSize])
	rnd.Read(m[5*PageSize : 9*PageSize])
	for i := 100 * PageSize; i < 1500*PageSize; i++ { // more than a block
		m[i] = byte(i / 100)
	}
	m[len(m)-1] = 1
	return m
}

// memFile is a file in memory.
type memFile struct{ b []byte }

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(f.b) {
		f.b = append(f.b, make([]byte, need-len(f.b))...)
	}
	return copy(f.b[off:], p), nil
}

func (f *memFile) Truncate(n int64) error {
	f.b = append(f.b, make([]byte, max(0, int(n)-len(f.b)))...)[:n]
	return nil
}

func someFile(t testing.TB, layout string, h Header, memory []byte) []byte {
	t.Helper()
	one, err := Encode("small", someState)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Encode("another", struct{ X uint8 }{7})
	if err != nil {
		t.Fatal(err)
	}
	sections := []Section{one, two}
	if layout == Raw {
		f := &memFile{}
		if err := WriteRaw(f, h, sections, NotZero(memory, 64)); err != nil {
			t.Fatal(err)
		}
		return f.b
	}
	var b bytes.Buffer
	if err := WritePacked(&b, Quick, h, sections, NotZero(memory, 1<<20)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(b []byte) (*File, error) { return Open(bytes.NewReader(b), int64(len(b))) }

// TestFile: what is written is read, in both layouts.
func TestFile(t *testing.T) {
	memory := someMemory()
	for _, layout := range []string{Raw, Packed} {
		b := someFile(t, layout, someHeader, memory)
		f, err := open(b)
		if err != nil {
			t.Fatal(layout, err)
		}
		want := someHeader
		want.Layout = layout
		if !reflect.DeepEqual(f.Header, want) {
			t.Errorf("%s: the header is %+v", layout, f.Header)
		}
		var s small
		if err := f.Decode("small", &s); err != nil || !reflect.DeepEqual(s, someState) {
			t.Errorf("%s: %+v, %v", layout, s, err)
		}
		got := make([]byte, f.Memory)
		if err := f.Load(func(page uint32, data []byte) error {
			copy(got[int(page)*PageSize:], data)
			return nil
		}); err != nil || !bytes.Equal(got, memory) {
			t.Errorf("%s: memory differs: %v", layout, err)
		}
		if at, ok := f.Mapped(); ok != (layout == Raw) || ok && !bytes.Equal(b[at:at+f.Memory], memory) {
			t.Errorf("%s: mapped %v from %d on, and it differs", layout, ok, at)
		}
		if err := f.Check(); err != nil {
			t.Error(layout, err)
		}
	}
}

// TestThorough: with more effort a snapshot is smaller, and the same.
func TestThorough(t *testing.T) {
	memory, random := make([]byte, 0, 4<<20), rand.New(rand.NewPCG(1, 2))
	words := make([][]byte, 2000)
	for i := range words {
		words[i] = binary.LittleEndian.AppendUint64(nil, random.Uint64())[:2+random.IntN(6)]
	}
	for len(memory) < cap(memory)-8 {
		memory = append(memory, words[min(random.IntN(len(words)), random.IntN(len(words)))]...)
	}
	memory = memory[:cap(memory)]
	h := someHeader
	h.Memory = int64(len(memory))
	var quick, thorough bytes.Buffer
	for effort, b := range map[Effort]*bytes.Buffer{Quick: &quick, Thorough: &thorough} {
		if err := WritePacked(b, effort, h, nil, NotZero(memory, 64)); err != nil {
			t.Fatal(err)
		}
		f, err := open(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(memory))
		if err := f.Load(func(page uint32, data []byte) error {
			copy(got[int(page)*PageSize:], data)
			return nil
		}); err != nil || !bytes.Equal(got, memory) {
			t.Errorf("effort %d: memory differs: %v", effort, err)
		}
	}
	t.Logf("%d bytes with little effort, %d with more", quick.Len(), thorough.Len())
	if thorough.Len() >= quick.Len()*9/10 {
		t.Errorf("%d bytes with little effort, %d with more", quick.Len(), thorough.Len())
	}
}

// TestDecodeRefuses: a section is decoded only into what it was encoded from.
func TestDecodeRefuses(t *testing.T) {
	s, err := Encode("small", someState)
	if err != nil {
		t.Fatal(err)
	}
	type less struct {
		On bool
		A  int8
	}
	for _, tt := range []struct {
		name  string
		into  any
		data  []byte
		names string
	}{
		{"fewer fields", &less{}, s.data, "B uint16"},
		{"another type", &struct{ On uint8 }{}, s.data, "On bool"},
		{"cut", &small{}, s.data[:len(s.data)-1], "too early"},
		{"longer", &small{}, append(bytes.Clone(s.data), 0), "more in it"},
		{"a flag of 2", &small{}, append([]byte{2}, s.data[1:]...), "range"},
		{"a text of 4 GiB", &small{}, bytes.Replace(s.data, []byte("\x04\x00\x00\x00text"), []byte("\xff\xff\xff\xfftext"), 1), "too early"},
		{"2 billion rows", &small{}, bytes.Replace(s.data, []byte("\x02\x00\x00\x00\x01\x00\x00\x00a"), []byte("\xff\xff\xff\x7f\x01\x00\x00\x00a"), 1), "too early"},
	} {
		bad := Section{Name: s.Name, Form: s.Form, data: tt.data}
		err := bad.Decode(tt.into)
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tt.names) || !strings.Contains(err.Error(), "small") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// rewrite changes a file's header, with right checksums.
func rewrite(t testing.TB, b []byte, change func(*table)) []byte {
	t.Helper()
	b = bytes.Clone(b)
	at, n := le.Uint64(b[24:]), le.Uint32(b[32:])
	var tab table
	if _, err := (decoder{}).decode(b[at:at+uint64(n)], reflect.ValueOf(&tab).Elem()); err != nil {
		t.Fatal(err)
	}
	change(&tab)
	header, err := encode(nil, reflect.ValueOf(tab))
	if err != nil {
		t.Fatal(err)
	}
	tail := bytes.Clone(b[at+uint64(n):])
	b = append(append(b[:at], header...), tail...)
	copy(b, prelude(header, int64(at), int64(le.Uint64(b[40:]))+int64(len(header))-int64(n)))
	return b
}

// TestHostileHeaders: what cannot be is refused in one line that names it, though
// its checksums are right.
func TestHostileHeaders(t *testing.T) {
	packed := someFile(t, Packed, someHeader, someMemory())
	raw := someFile(t, Raw, someHeader, someMemory())
	for _, tt := range []struct {
		names  string
		file   []byte
		change func(*table)
	}{
		{"4503599627370496 bytes", packed, func(h *table) { h.Header.Memory = 1 << 52 }},
		{"memory of -1048576 bytes", packed, func(h *table) { h.Header.Memory = -1 << 20 }},
		{"memory of 8388609 bytes", packed, func(h *table) { h.Header.Memory++ }},
		{`"folded"`, packed, func(h *table) { h.Header.Layout = "folded" }},
		{"memory is too short", raw, func(h *table) { h.Header.Memory = 1 << 30 }},
		{"section another is there twice", packed, func(h *table) { h.Sections[0].Name = "another" }},
		{`of the name "\x1b[2J"`, packed, func(h *table) { h.Sections[0].Name = "\x1b[2J" }},
		{"section small is too short", packed, func(h *table) { h.Sections[0].Size = 1 << 60 }},
		{"section small is too short", packed, func(h *table) { h.Sections[0].Size = -1 }},
		{"5000 sections", packed, func(h *table) { h.Sections = append(h.Sections, make([]entry, 4998)...) }},
		{"pages of memory", raw, func(h *table) { h.Runs[0].Count = 1 << 31 }},
		{"pages of memory", raw, func(h *table) { h.Runs[1].Page = 0 }},
	} {
		if err := read(rewrite(t, tt.file, tt.change)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tt.names) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q: %v", tt.names, err)
		}
	}
}

// read reads all of a file.
func read(b []byte) error {
	f, err := open(b)
	if err != nil {
		return err
	}
	if err := f.Check(); err != nil {
		return err
	}
	return f.Decode("small", new(small))
}

// TestDamage: a file that was cut or changed anywhere is refused.
func TestDamage(t *testing.T) {
	memory := make([]byte, someHeader.Memory)
	copy(memory[3*PageSize:], "a page")
	for _, layout := range []string{Raw, Packed} {
		good := someFile(t, layout, someHeader, memory)
		if err := read(good); err != nil {
			t.Fatal(err)
		}
		step := max(1, len(good)/2000)
		for i := 0; i < len(good); i += step {
			if err := read(good[:i]); err == nil {
				t.Fatalf("%s: %d of %d bytes are enough", layout, i, len(good))
			}
		}
		if layout == Raw {
			continue // what is zero in it has no checksum
		}
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			if err := read(bad); err == nil {
				t.Fatalf("%s: byte %d was changed, and nobody says so", layout, i)
			}
		}
	}
}

// checkedFile is a Checked.
type checkedFile struct{ *bytes.Reader }

func (checkedFile) Checked() {}

// TestChecked: of a file that is checked while it is read the digest is not computed once
// more; that its memory is cut, or is no memory, is found all the same.
func TestChecked(t *testing.T) {
	memory := make([]byte, someHeader.Memory)
	copy(memory[3*PageSize:], "a page")
	good := someFile(t, Packed, someHeader, memory)
	load := func(data []byte, checked bool) error {
		r := io.ReaderAt(bytes.NewReader(data))
		if checked {
			r = checkedFile{bytes.NewReader(data)}
		}
		f, err := Open(r, int64(len(data)))
		if err != nil {
			return err
		}
		return f.Load(func(page uint32, data []byte) error {
			if !bytes.Equal(data, memory[page*PageSize:][:len(data)]) {
				t.Errorf("page %d has changed", page)
			}
			return nil
		})
	}
	digest := bytes.Clone(good)
	digest[len(digest)-1] ^= 1
	block := bytes.Clone(good)
	block[len(block)-sha256.Size-9] ^= 1
	for _, tt := range []struct {
		what           string
		data           []byte
		plain, checked bool // whether it is refused
	}{
		{"as it was", good, false, false},
		{"another digest", digest, true, false},
		{"another block", block, true, true},
		{"cut", good[:len(good)-1], true, true},
		{"longer", append(bytes.Clone(good), 0), true, true},
	} {
		if err := load(tt.data, false); (err != nil) != tt.plain {
			t.Errorf("%s: %v", tt.what, err)
		}
		if err := load(tt.data, true); (err != nil) != tt.checked {
			t.Errorf("%s, checked: %v", tt.what, err)
		}
	}
}

// TestVersions reads the file of every format version that there was, and refuses
// one that there is not.
func TestVersions(t *testing.T) {
	name := filepath.Join("testdata", "version1.snapshot")
	h := someHeader
	h.Memory = 1 << 20
	memory := make([]byte, h.Memory)
	copy(memory[7*PageSize:], "a page that is kept")
	if *writeFile {
		if err := os.WriteFile(name, someFile(t, Packed, h, memory), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	var s small
	if err := f.Decode("small", &s); err != nil || !reflect.DeepEqual(s, someState) {
		t.Errorf("%+v, %v", s, err)
	}
	got := make([]byte, f.Memory)
	if err := f.Load(func(page uint32, data []byte) error {
		copy(got[int(page)*PageSize:], data)
		return nil
	}); err != nil || !bytes.Equal(got, memory) {
		t.Errorf("the memory differs: %v", err)
	}
	binary.LittleEndian.PutUint32(b[16:], Version+1)
	if _, err := open(b); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "format is 2") {
		t.Error(err)
	}
}

// FuzzOpen: whatever a file says, reading it ends, and takes no more memory than
// there is of it.
func FuzzOpen(f *testing.F) {
	h := someHeader
	h.Memory = 1 << 20
	memory := make([]byte, h.Memory)
	copy(memory[PageSize:], "a page")
	f.Add(someFile(f, Packed, h, memory))
	f.Add(rewrite(f, someFile(f, Packed, h, memory), func(t *table) { t.Sections[1].Size = 1 }))
	memory = memory[:0]
	f.Add(someFile(f, Packed, h, memory))
	f.Add([]byte(mark))
	f.Fuzz(func(t *testing.T, b []byte) {
		// A fuzzer does not find checksums: make them right.
		if len(b) >= preludeSize {
			b = bytes.Clone(b)
			at, n := le.Uint64(b[24:]), uint64(le.Uint32(b[32:]))
			if at <= uint64(len(b)) && n <= uint64(len(b))-at {
				copy(b, prelude(b[at:at+n], int64(at), int64(le.Uint64(b[40:]))))
			}
		}
		file, err := open(b)
		if err != nil {
			return
		}
		file.Check()
		for _, name := range file.Names() {
			if s, err := file.Section(name); err == nil {
				s.Form = form(reflect.TypeFor[small]())
				s.Decode(new(small))
			}
		}
	})
}

// FuzzUnpack: packed memory of right checksums puts nothing outside the guest's,
// and ends.
func FuzzUnpack(f *testing.F) {
	var b bytes.Buffer
	memory := make([]byte, 1<<20)
	copy(memory[PageSize:], "a page")
	memory[len(memory)-1] = 1
	if err := pack(&b, Quick, NotZero(memory, 16)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0}, make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < blockHead {
			return
		}
		b = bytes.Clone(b)
		if n := blockHead + 8*uint64(le.Uint32(b)) + uint64(le.Uint32(b[4:])); n <= uint64(len(b)) {
			le.PutUint32(b[8:], blockSum(b[:n]))
		}
		unpack(bytes.NewReader(b), false, 256, func(page uint32, data []byte) error {
			if n := len(data); page >= 256 || n == 0 || n%PageSize != 0 || n/PageSize > 256-int(page) {
				t.Errorf("%d bytes at page %d", n, page)
			}
			return nil
		})
	})
}

// TestLate: bytes that are read when they are written come to the same as those
// that are there, in both layouts; what has changed meanwhile is told.
func TestLate(t *testing.T) {
	type there struct {
		A     uint16
		Parts [][]byte
		B     string
	}
	type late struct {
		A     uint16
		Parts []Late
		B     string
	}
	want, lazy := there{A: 7, B: "end"}, late{A: 7, B: "end"}
	for i := range 5 {
		p := bytes.Repeat([]byte{byte(i)}, i*much/2+1)
		want.Parts = append(want.Parts, p)
		lazy.Parts = append(lazy.Parts, func() ([]byte, error) { return p, nil })
	}
	s, err := EncodeLate("late", lazy)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Encode("late", want)
	if err != nil {
		t.Fatal(err)
	}
	if s.entry() != plain.entry() {
		t.Errorf("%v, want %v", s.entry(), plain.entry())
	}
	var got there
	if err := s.Decode(&got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("it is not the same, %v", err)
	}
	memory := NotZero(someMemory(), blockPages)
	raw, packed := &memFile{}, &bytes.Buffer{}
	if err := WriteRaw(raw, someHeader, []Section{plain, {Name: "x", late: s.late, Form: s.Form}}, memory); err != nil {
		t.Fatal(err)
	}
	if err := WritePacked(packed, Quick, someHeader, []Section{plain, {Name: "x", late: s.late, Form: s.Form}}, memory); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{raw.b, packed.Bytes()} {
		f, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Check(); err != nil {
			t.Error(err)
		}
		var got there
		if err := f.Decode("x", &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("it is not the same, %v", err)
		}
	}
	lazy.Parts[1] = func() ([]byte, error) { return []byte("other"), nil }
	if err := WriteRaw(&memFile{}, someHeader, []Section{s}, memory); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("what has changed: %v", err)
	}
	failed := errors.New("failed")
	lazy.Parts[1] = func() ([]byte, error) { return nil, failed }
	if err := WritePacked(&bytes.Buffer{}, Quick, someHeader, []Section{s}, memory); !errors.Is(err, failed) {
		t.Errorf("what cannot be read: %v", err)
	}
}

// viewed is a file that can be looked at in place.
type viewed struct {
	*bytes.Reader
	b []byte
}

// View implements Viewer.
func (v viewed) View(off, n int64) ([]byte, error) { return v.b[off : off+n], nil }

// TestView: what is in a file with raw memory stays there, but for what is damaged.
func TestView(t *testing.T) {
	for _, tt := range []struct {
		layout string
		stays  bool
	}{{Raw, true}, {Packed, false}} {
		b := someFile(t, tt.layout, someHeader, someMemory())
		f, err := Open(viewed{bytes.NewReader(b), b}, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		list, err := f.All()
		if err != nil {
			t.Fatal(err)
		}
		want, err := f.Section(list[0].Name)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(list[0], want) {
			t.Errorf("%s: another section than one that is read", tt.layout)
		}
		b[f.at[0]]++
		if stays := list[0].data[0] == b[f.at[0]]; stays != tt.stays {
			t.Errorf("%s: stays in the file: %v", tt.layout, stays)
		}
		if _, err := f.All(); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: damaged: %v", tt.layout, err)
		}
	}
}
