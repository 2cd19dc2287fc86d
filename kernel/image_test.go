package kernel

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// memory is guest RAM for the loader.
type memory []byte

func (m memory) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > int64(len(m)) {
		return 0, fmt.Errorf("write of %d bytes at %#x", len(p), off)
	}
	return copy(m[off:], p), nil
}

// mapCache is a Cache that counts.
type mapCache struct {
	files map[string][]byte
	hits  int
}

func (c *mapCache) Load(key string) ([]byte, bool) {
	data, ok := c.files[key]
	if ok {
		c.hits++
	}
	return data, ok
}

func (c *mapCache) Store(key string, data []byte) { c.files[key] = data }

var testLayout = Layout{Params: 0x10000, Cmdline: 0x20000, SetupData: 0x11000, InitrdTop: 64 << 20}

func testParams(ram uint64) Params {
	return Params{
		Layout:  testLayout,
		Memory:  []MemoryRange{{0, 0x9FC00, 1}, {0x9FC00, 0x60400, 2}, {1 << 20, ram - 1<<20, 1}},
		Cmdline: "quiet",
	}
}

// elfImage makes a vmlinux: one segment of code at 16 MiB, linked at 0xC1000000, with zero bytes after it.
func elfImage(code []byte, bss uint32) []byte {
	le := binary.LittleEndian
	b := make([]byte, elfHeaderSize+elfProgSize)
	copy(b, "\x7fELF\x01\x01\x01")
	le.PutUint16(b[16:], elfTypeExec)
	le.PutUint16(b[18:], elfMachine386)
	le.PutUint32(b[24:], 0x1000000)
	le.PutUint32(b[28:], elfHeaderSize)
	le.PutUint16(b[42:], elfProgSize)
	le.PutUint16(b[44:], 1)
	p := b[elfHeaderSize:]
	for i, v := range []uint32{elfLoad, uint32(len(b)), 0xC1000000, 0x1000000, uint32(len(code)), uint32(len(code)) + bss} {
		le.PutUint32(p[4*i:], v)
	}
	return append(b, code...)
}

// bzImage makes a kernel image of protocol 2.15 around a payload.
func bzImage(payload []byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, 2*sectorSize)
	b[offSetupSects] = 1
	le.PutUint16(b[offBootFlag:], bootFlag)
	b[offJump], b[offJump+1] = 0xEB, 0x6A
	le.PutUint32(b[offMagic:], headerHdrS)
	le.PutUint16(b[offProtocol:], 0x20F)
	le.PutUint16(b[offVersionPtr:], 0x100)
	copy(b[0x300:], "6.6.0-test (me@here) #1\x00")
	b[offLoadflags] = loadedHigh
	le.PutUint32(b[offInitrdMax:], 0x7FFFFFFF)
	le.PutUint32(b[offCmdlineSize:], 2047)
	const head = 0x40
	le.PutUint32(b[offPayload:], head)
	le.PutUint32(b[offPayloadLen:], uint32(len(payload)))
	le.PutUint64(b[offPrefAddress:], 0x1000000)
	le.PutUint32(b[offInitSize:], 0x100000)
	b = append(b, bytes.Repeat([]byte{0xF4}, head)...)
	b = append(b, payload...)
	for len(b)%16 != 0 {
		b = append(b, 0)
	}
	le.PutUint32(b[offCode32:], 0x100000)
	le.PutUint32(b[offSyssize:], uint32(len(b)-2*sectorSize)/16)
	return b
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func TestParseRefuses(t *testing.T) {
	good := bzImage(gzipped(elfImage([]byte("code"), 0)))
	change := func(data []byte, off int, v ...byte) []byte {
		data = bytes.Clone(data)
		copy(data[off:], v)
		return data
	}
	elf := elfImage([]byte("code"), 0)
	for _, row := range []struct {
		name string
		data []byte
		want error
		text string
	}{
		{"empty", nil, ErrFormat, "empty file"},
		{"text", []byte("#!/bin/sh\n"), ErrFormat, "no Linux setup header"},
		{"gzip", gzipped([]byte("x")), ErrFormat, "gzip file"},
		{"bzImage of 64 bits", change(good, offXloadflags, 1), Err64Bit, "64-bit"},
		{"bzImage cut in the header", good[:0x240], ErrTruncated, "header"},
		{"bzImage cut in the kernel", good[:len(good)-16], ErrTruncated, "bytes of"},
		{"bzImage with a payload past its end", change(good, offPayloadLen, 0, 0, 0, 1), ErrTruncated, "payload"},
		{"bzImage of protocol 2.01", change(good, offProtocol, 1, 2), ErrFormat, "2.01"},
		{"zImage", change(good, offLoadflags, 0), ErrFormat, "zImage"},
		{"bzImage with a short header", change(good, offJump+1, 4), ErrFormat, "setup header ends"},
		{"ELF of 64 bits", change(elf, 4, elfClass64), Err64Bit, "64-bit"},
		{"ELF for another machine", change(elf, 18, 8), ErrFormat, "32-bit x86"},
		{"ELF object", change(elf, 16, 1), ErrFormat, "not an executable"},
		{"ELF cut in the header", elf[:20], ErrTruncated, "header"},
		{"ELF cut in the code", elf[:len(elf)-1], ErrTruncated, "segment"},
		{"ELF without program headers", change(elf, 44, 0), ErrFormat, "program headers"},
		{"ELF with an entry outside", change(elf, 24, 0, 0, 0, 9), ErrFormat, "entry point"},
		{"ELF past 4 GiB", change(elf, elfHeaderSize+12, 0xFE, 0xFF, 0xFF, 0xFF), ErrFormat, "4 GiB"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Parse(row.data)
			if !errors.Is(err, row.want) {
				t.Fatalf("error %v, want %v", err, row.want)
			}
			if !strings.Contains(err.Error(), row.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q does not say %q in one line", err, row.text)
			}
		})
	}
}

func TestLoadBzImage(t *testing.T) {
	code := []byte("the kernel's code")
	cache := &mapCache{files: map[string][]byte{}}
	for _, row := range []struct {
		name    string
		payload []byte
		packed  bool
		eip     uint32
	}{
		{"gzip", gzipped(elfImage(code, 8192)), false, 0x1000000},
		{"lzo", []byte("\x89LZO\x00\r\n\x1A\n1234"), true, protectedStart},
		{"gzip of something else", gzipped([]byte("no ELF file")), true, protectedStart},
		{"damaged gzip", []byte("\x1F\x8B\x08\x00 damaged\x10\x00\x00\x00"), true, protectedStart},
		{"none", nil, true, protectedStart},
	} {
		t.Run(row.name, func(t *testing.T) {
			im, err := Parse(bzImage(row.payload))
			if err != nil {
				t.Fatal(err)
			}
			if im.Release != "6.6.0-test" || im.Version != "6.6.0-test (me@here) #1" || im.Kind != BzImage {
				t.Errorf("%v %q %q", im.Kind, im.Release, im.Version)
			}
			ram := make(memory, 64<<20)
			for i := range 9000 {
				ram[0x1000000+i] = 0xCC // left over from an earlier boot
			}
			p := testParams(64 << 20)
			p.Initrd = []byte("initramfs")
			p.Seed = bytes.Repeat([]byte{7}, 32)
			p.RSDP = 0xE0000
			p.Cache = cache
			e, err := im.Load(ram, p)
			if err != nil {
				t.Fatal(err)
			}
			if e.EIP != row.eip || e.ESI != testLayout.Params || e.EAX != 0 || e.EBX != 0 || e.SelfUnpacking != row.packed {
				t.Errorf("entry %+v", e)
			}
			if row.packed {
				if !bytes.Equal(ram[protectedStart:protectedStart+len(im.setup.protected)], im.setup.protected) {
					t.Error("the packed kernel is not at 1 MiB")
				}
			} else if at := ram[0x1000000:]; !bytes.HasPrefix(at, append(bytes.Clone(code), make([]byte, 8192)...)) {
				t.Error("the kernel is not in memory with zeros after it")
			}
			checkBootParams(t, ram, p)
		})
	}
	if _, err := mustParse(t, bzImage(gzipped(elfImage(code, 8192)))).Load(make(memory, 64<<20), func() Params {
		p := testParams(64 << 20)
		p.Cache = cache
		return p
	}()); err != nil || cache.hits != 1 {
		t.Errorf("second load: %v, %d cache hits", err, cache.hits)
	}
}

func mustParse(t *testing.T, data []byte) *Image {
	t.Helper()
	im, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// checkBootParams reads the zero page as the kernel does.
func checkBootParams(t *testing.T, ram memory, p Params) {
	t.Helper()
	le := binary.LittleEndian
	b := ram[p.Layout.Params:]
	if b[0x1EF] != 0 {
		t.Error("the sentinel is not zero: the kernel would clear fields")
	}
	if le.Uint32(b[0x202:]) != headerHdrS || b[0x210] != 0xFF || b[0x211]&1 == 0 || le.Uint16(b[0x1FE:]) != 0xAA55 {
		t.Error("setup header")
	}
	if n := b[0x1E8]; n != 3 || le.Uint64(b[0x2D0+40:]) != 1<<20 || le.Uint64(b[0x2D0+48:]) != 63<<20 || le.Uint32(b[0x2D0+56:]) != 1 {
		t.Errorf("E820 with %d entries", n)
	}
	if le.Uint32(b[0x1E0:]) != 63<<10 {
		t.Errorf("alt_mem_k %d", le.Uint32(b[0x1E0:]))
	}
	if le.Uint64(b[0x70:]) != uint64(p.RSDP) {
		t.Error("acpi_rsdp_addr")
	}
	if at := le.Uint32(b[0x228:]); string(ram[at:at+6]) != "quiet\x00" {
		t.Error("command line")
	}
	at, n := le.Uint32(b[0x218:]), le.Uint32(b[0x21C:])
	if string(ram[at:at+n]) != string(p.Initrd) || at%4096 != 0 {
		t.Errorf("initramfs at %#x, %d bytes", at, n)
	}
	sd := ram[le.Uint64(b[0x250:]):]
	if le.Uint64(sd) != 0 || le.Uint32(sd[8:]) != 9 || le.Uint32(sd[12:]) != 32 || !bytes.Equal(sd[16:48], p.Seed) {
		t.Error("setup_data")
	}
}

func TestLoadVmlinux(t *testing.T) {
	data := append(elfImage([]byte("Linux version 5.10.1 (x@y) #2\n"), 0), 0)
	im := mustParse(t, data)
	if im.Kind != Vmlinux || im.Release != "5.10.1" {
		t.Errorf("%v %q", im.Kind, im.Release)
	}
	ram := make(memory, 64<<20)
	p := testParams(64 << 20)
	p.Initrd, p.Seed, p.RSDP = []byte("x"), bytes.Repeat([]byte{1}, 32), 0xF0000
	e, err := im.Load(ram, p)
	if err != nil || e.EIP != 0x1000000 {
		t.Fatal(e, err)
	}
	checkBootParams(t, ram, p)

	binary.LittleEndian.PutUint32(data[24:], 0xC1000004) // a virtual entry point
	if e, err := mustParse(t, data).Load(ram, p); err != nil || e.EIP != 0x1000004 {
		t.Error(e, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := bzImage(gzipped(elfImage([]byte("code"), 1<<20)))
	elf64 := elfImage([]byte("code"), 0)
	elf64[4] = elfClass64
	for _, row := range []struct {
		name, text string
		data       []byte
		change     func(*Params)
	}{
		{"little memory", "does not have", good, func(p *Params) { p.Memory[2].Size = 15<<20 + 100 }},
		{"no memory for the parameters", "no usable memory", good, func(p *Params) { p.Layout.Params = 0xA0000 }},
		{"long command line", "2048 bytes", good, func(p *Params) { p.Cmdline = strings.Repeat("x", 2048) }},
		{"zero byte in the command line", "zero byte", good, func(p *Params) { p.Cmdline = "a\x00b" }},
		{"large initramfs", "not enough memory", good, func(p *Params) { p.Initrd = make([]byte, 60<<20) }},
		{"initramfs larger than memory", "does not fit", good, func(p *Params) { p.Initrd = make([]byte, 65<<20) }},
		{"many memory ranges", "129 memory ranges", good, func(p *Params) {
			for len(p.Memory) < 129 {
				p.Memory = append(p.Memory, MemoryRange{1 << 40, 1, 2})
			}
		}},
		{"64-bit payload", "64-bit", bzImage(gzipped(elf64)), func(*Params) {}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := testParams(64 << 20)
			row.change(&p)
			_, err := mustParse(t, row.data).Load(make(memory, 64<<20), p)
			if err == nil || !strings.Contains(err.Error(), row.text) {
				t.Errorf("error %v, want %q", err, row.text)
			}
		})
	}
}

// TestDebianKernels unpacks real kernels: xz with the x86 filter.
func TestDebianKernels(t *testing.T) {
	for _, flavour := range []string{"686-pae", "686"} {
		t.Run(flavour, func(t *testing.T) {
			im := mustParse(t, guestKernel(t, flavour))
			if !strings.HasSuffix(im.Release, "-"+flavour) {
				t.Errorf("release %q", im.Release)
			}
			ram := make(memory, 64<<20)
			p := testParams(64 << 20)
			e, err := im.Load(ram, p)
			if err != nil || e.EIP != 0x1000000 || e.SelfUnpacking {
				t.Fatal(e, err)
			}
			// The banner proves the order of bytes, and the x86 filter is proven by the CRC32 that the xz stream carries.
			if !bytes.Contains(ram[0x1000000:], []byte("Linux version "+im.Release)) {
				t.Error("no banner in memory")
			}
			data, _ := im.setup.unpackPayload(nil)
			if v := mustParse(t, data); v.Kind != Vmlinux || v.Release != im.Release {
				t.Errorf("payload %v %q", v.Kind, v.Release)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	code := elfImage([]byte("code"), 16)
	f.Add(bzImage(gzipped(code)))
	f.Add(code)
	f.Add(multibootImage(multibootAddress|multibootMemory, 0x100000))
	f.Add([]byte("\x7fELF\x02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := Parse(data)
		if err != nil {
			return
		}
		p := testParams(20 << 20)
		if im.Kind != Multiboot {
			p.Initrd = []byte("x")
		}
		ram := make(memory, 20<<20)
		e, err := im.Load(ram, p)
		if err == nil && e.EIP < protectedStart && im.Kind != Multiboot && im.Kind != Vmlinux {
			t.Errorf("entry %#x", e.EIP)
		}
	})
}
