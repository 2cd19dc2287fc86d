package kernel

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// multibootImage makes a flat kernel: 16 bytes, the header, then code. The addresses in it are those of a load to addr.
func multibootImage(flags, addr uint32) []byte {
	le := binary.LittleEndian
	b := make([]byte, 16+32)
	h := b[16:]
	for i, v := range []uint32{multibootMagic, flags, -(multibootMagic + flags), addr + 16, addr, addr + 52, addr + 4096, addr + 48} {
		le.PutUint32(h[4*i:], v)
	}
	return append(b, "codeand more that is not loaded"...)
}

func TestLoadMultiboot(t *testing.T) {
	le := binary.LittleEndian
	im := mustParse(t, multibootImage(multibootAddress|multibootMemory|multibootAlign, 0x100000))
	ram := make(memory, 64<<20)
	for i := range 5000 {
		ram[0x100000+i] = 0xCC
	}
	p := testParams(64 << 20)
	p.Modules = []Module{{Data: []byte("first"), Cmdline: "one 1"}, {Data: []byte("second"), Cmdline: "two"}}
	e, err := im.Load(ram, p)
	if err != nil {
		t.Fatal(err)
	}
	if e != (Entry{EIP: 0x100030, EAX: 0x2BADB002, EBX: testLayout.Params}) {
		t.Errorf("entry %+v", e)
	}
	if string(ram[0x100030:0x100035]) != "code\x00" || ram[0x100FFF] != 0 || ram[0x101010] != 0xCC {
		t.Error("code and cleared memory")
	}
	str := func(at uint32) string { s, _, _ := strings.Cut(string(ram[at:at+64]), "\x00"); return s }
	info := ram[e.EBX:]
	if flags := le.Uint32(info); flags != 1<<0|1<<2|1<<3|1<<6|1<<9 {
		t.Errorf("flags %#x", flags)
	}
	if lo, hi := le.Uint32(info[4:]), le.Uint32(info[8:]); lo != 639 || hi != 63<<10 {
		t.Errorf("mem_lower %d, mem_upper %d", lo, hi)
	}
	if s := str(le.Uint32(info[16:])); s != "quiet" {
		t.Errorf("command line %q", s)
	}
	if s := str(le.Uint32(info[64:])); s != loaderName {
		t.Errorf("loader name %q", s)
	}
	if n := le.Uint32(info[20:]); n != 2 {
		t.Fatalf("%d modules", n)
	}
	for i, mod := range p.Modules {
		m := ram[le.Uint32(info[24:])+uint32(16*i):]
		at, end := le.Uint32(m), le.Uint32(m[4:])
		if string(ram[at:end]) != string(mod.Data) || at%4096 != 0 || at < 0x101000 || str(le.Uint32(m[8:])) != mod.Cmdline {
			t.Errorf("module %d: %#x to %#x, %q", i, at, end, str(le.Uint32(m[8:])))
		}
	}
	if le.Uint32(info[44:]) != 3*24 {
		t.Errorf("map of %d bytes", le.Uint32(info[44:]))
	}
	third := ram[le.Uint32(info[48:])+48:]
	if le.Uint32(third) != 20 || le.Uint64(third[4:]) != 1<<20 || le.Uint64(third[12:]) != 63<<20 || le.Uint32(third[20:]) != 1 {
		t.Error("third entry of the memory map")
	}
}

func TestMultibootELF(t *testing.T) {
	header := multibootImage(0, 0)[16:28]
	im := mustParse(t, elfImage(append([]byte("code"), header...), 0))
	if im.Kind != Multiboot {
		t.Fatal(im.Kind)
	}
	e, err := im.Load(make(memory, 64<<20), testParams(64<<20))
	if err != nil || e.EIP != 0x1000000 || e.EAX != multibootEAX {
		t.Error(e, err)
	}
}

func TestMultibootRefuses(t *testing.T) {
	le := binary.LittleEndian
	flat := func(field int, v uint32) []byte {
		b := multibootImage(multibootAddress, 0x100000)
		le.PutUint32(b[16+4*field:], v)
		return b
	}
	for _, row := range []struct {
		name string
		data []byte
		want error
	}{
		{"unknown required feature", multibootImage(1<<3, 0), ErrFormat},
		{"no addresses and no ELF", multibootImage(0, 0), ErrFormat},
		{"header before the load address", flat(4, 0x200000), ErrFormat},
		{"load address before the file", flat(4, 0x1000), ErrFormat},
		{"load end below the load address", flat(5, 0x1000), ErrFormat},
		{"file too short", flat(5, 0x200000), ErrTruncated},
		{"entry outside", flat(7, 0x5000), ErrFormat},
		{"cut in the header", multibootImage(multibootAddress, 0)[:40], ErrTruncated},
	} {
		if _, err := Parse(row.data); !errors.Is(err, row.want) {
			t.Errorf("%s: error %v, want %v", row.name, err, row.want)
		}
	}
	p := testParams(64 << 20)
	p.Modules = []Module{{Cmdline: strings.Repeat("x", 4096)}}
	if _, err := mustParse(t, multibootImage(multibootAddress, 0x100000)).Load(make(memory, 64<<20), p); err == nil {
		t.Error("lists of more than a page were accepted")
	}
}
