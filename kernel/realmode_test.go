package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// realImage is a bzImage whose setup code does everything.
func realImage(edit func(b []byte)) []byte {
	b := bzImage([]byte("for the setup code"))
	binary.LittleEndian.PutUint32(b[offCode32:], 0)
	if edit != nil {
		edit(b)
	}
	return b
}

// unsized has an image say that it has nothing but setup code.
func unsized(b []byte) {
	for _, off := range []int{offSyssize, offPayload, offPayloadLen} {
		binary.LittleEndian.PutUint32(b[off:], 0)
	}
}

func TestNeedsBIOS(t *testing.T) {
	le := binary.LittleEndian
	for name, tt := range map[string]struct {
		image []byte
		want  bool
	}{
		"a Linux kernel":         {bzImage(gzipped(elfImage([]byte("code"), 0))), false},
		"no 32-bit entry":        {realImage(nil), true},
		"no size":                {realImage(func(b []byte) { le.PutUint32(b[offCode32:], 0x100000); unsized(b) }), true},
		"no size, protocol 2.03": {realImage(func(b []byte) { le.PutUint16(b[offProtocol:], 0x203); unsized(b) }), true},
		"vmlinux":                {elfImage([]byte("code"), 0), false},
	} {
		im, err := Parse(tt.image)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if im.NeedsBIOS() != tt.want {
			t.Errorf("%s: %v", name, im.NeedsBIOS())
		}
		if _, err := im.Load(make(memory, 64<<20), testParams(64<<20)); errors.Is(err, ErrBIOS) != tt.want {
			t.Errorf("%s: load: %v", name, err)
		}
	}
}

func TestCmdlineMax(t *testing.T) {
	le := binary.LittleEndian
	for _, tt := range []struct {
		protocol uint16
		size     uint32
		want     int
	}{{0x202, 2047, 255}, {0x205, 2047, 255}, {0x206, 255, 255}, {0x20C, 2047, 2047}, {0x20F, 1 << 20, CmdlineMax}} {
		b := bzImage(nil)
		le.PutUint16(b[offProtocol:], tt.protocol)
		le.PutUint32(b[offCmdlineSize:], tt.size)
		im, err := Parse(b)
		if err != nil || im.CmdlineMax() != tt.want {
			t.Errorf("protocol %#x: %d, %v", tt.protocol, im.CmdlineMax(), err)
		}
	}
}

func TestLoadReal(t *testing.T) {
	le := binary.LittleEndian
	b := realImage(nil)
	im, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	m, p := make(memory, 64<<20), testParams(64<<20)
	p.Cmdline, p.Initrd, p.Layout.InitrdTop = "what to do", []byte("a disk"), 48<<20
	r, err := im.LoadReal(m, p)
	if err != nil {
		t.Fatal(err)
	}
	initrd := uint32(48<<20-len(p.Initrd)) &^ 4095
	at := func(off uint32, n int) []byte { return m[off:][:n] }
	if !bytes.Equal(at(1<<20, len(b)-2*sectorSize), b[2*sectorSize:]) || string(at(initrd, 6)) != "a disk" {
		t.Error("what lies above 1 MiB is not in its place")
	}
	line := le.Uint32(r.Data[offCmdlinePtr:]) - uint32(r.Segment)<<4
	for name, ok := range map[string]bool{
		"the setup code":   bytes.Equal(r.Data[offMagic:offMagic+6], b[offMagic:offMagic+6]) && bytes.Equal(r.Data[0x300:0x310], b[0x300:0x310]),
		"the command line": string(r.Data[line:]) == "what to do\x00",
		"the initrd":       le.Uint32(r.Data[offRamdisk:]) == initrd && le.Uint32(r.Data[offRamdiskSize:]) == 6,
		"the loader":       r.Data[offLoader] == loaderUndefined && r.Data[offLoadflags] == loadedHigh|canUseHeap && le.Uint16(r.Data[offVidMode:]) == videoNormal,
		"the heap":         uint32(le.Uint16(r.Data[offHeapEnd:]))+0x200 == line && uint32(r.Stack) == line,
		"the entry":        le.Uint32(r.Data[offCode32:]) == 0,
	} {
		if !ok {
			t.Errorf("%s is wrong", name)
		}
	}
	if !bytes.Equal(b, realImage(nil)) {
		t.Error("the image was changed")
	}
	if !bytes.Equal(at(uint32(r.Segment)<<4, 16), make([]byte, 16)) {
		t.Error("what firmware overwrites was written")
	}
}

func TestLoadRealRefuses(t *testing.T) {
	le := binary.LittleEndian
	for name, tt := range map[string]struct {
		image []byte
		edit  func(p *Params)
		want  string
	}{
		"vmlinux":            {elfImage([]byte("code"), 0), nil, "a vmlinux has no entry in real mode"},
		"a long setup code":  {realImage(func(b []byte) { b[offSetupSects] = 100 }), nil, "truncated"},
		"a long line":        {realImage(func(b []byte) { le.PutUint32(b[offCmdlineSize:], 10) }), func(p *Params) { p.Cmdline = strings.Repeat("x", 11) }, "11 bytes, this kernel takes 10"},
		"a zero byte":        {realImage(nil), func(p *Params) { p.Cmdline = "\x00" }, "zero byte"},
		"a large disk":       {realImage(nil), func(p *Params) { p.Initrd = make([]byte, 63<<20) }, "not enough memory"},
		"little memory":      {realImage(nil), func(p *Params) { p.Memory = p.Memory[:1] }, "does not have"},
		"a disk of a kernel": {realImage(func(b []byte) { le.PutUint32(b[offInitrdMax:], 1<<20) }), func(p *Params) { p.Initrd = make([]byte, 1<<20) }, "not enough memory"},
	} {
		p := testParams(64 << 20)
		if tt.edit != nil {
			tt.edit(&p)
		}
		im, err := Parse(tt.image)
		if err == nil {
			_, err = im.LoadReal(make(memory, 64<<20), p)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := append(make([]byte, 0), realImage(nil)[:2*sectorSize]...)
	long[offSetupSects] = 80
	long = append(long, make([]byte, 100*sectorSize)...)
	unsized(long)
	im, err := Parse(long)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := im.LoadReal(make(memory, 64<<20), testParams(64<<20)); err == nil || !strings.Contains(err.Error(), "a setup code of 41472 bytes, at most 36864 fit") {
		t.Error(err)
	}
}
