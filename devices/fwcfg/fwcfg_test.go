package fwcfg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"alpinevm/devices"
	"alpinevm/internal/statetest"
)

const base = 0x510

// pc is a bus with the device.
type pc struct {
	*Device
	bus devices.Bus
}

func newPC(tb testing.TB, files ...File) *pc {
	tb.Helper()
	d, err := New(files)
	if err != nil {
		tb.Fatal(err)
	}
	p := &pc{Device: d}
	if err := p.bus.Claim(base, Count, "fwcfg", d.Ports()); err != nil {
		tb.Fatal(err)
	}
	return p
}

// read selects an item and reads n bytes.
func (p *pc) read(item uint16, n int) []byte {
	p.bus.Out(base, 2, uint32(item))
	b := make([]byte, n)
	for i := range b {
		b[i] = uint8(p.bus.In(base+1, 1))
	}
	return b
}

func TestItems(t *testing.T) {
	p := newPC(t, File{"etc/sercon-port", []byte{0xF8, 3}}, File{"genroms/kernel", []byte("rom")})
	for _, tt := range []struct {
		item uint16
		want string
	}{
		{0, "QEMU\x00\x00"}, {1, "\x01\x00\x00\x00\x00"}, {0x20, "\xF8\x03\x00"}, {0x21, "rom\x00\x00"}, {0x22, "\x00\x00"}, {0xFFFF, "\x00"}, {0, "QE"},
	} {
		if got := p.read(tt.item, len(tt.want)); string(got) != tt.want {
			t.Errorf("item %#x: %q, want %q", tt.item, got, tt.want)
		}
	}
	var want bytes.Buffer
	binary.Write(&want, binary.BigEndian, uint32(2))
	for i, f := range []struct {
		name string
		size uint32
	}{{"etc/sercon-port", 2}, {"genroms/kernel", 3}} {
		binary.Write(&want, binary.BigEndian, f.size)
		binary.Write(&want, binary.BigEndian, uint16(0x20+i))
		binary.Write(&want, binary.BigEndian, uint16(0))
		want.WriteString(f.name + strings.Repeat("\x00", 56-len(f.name)))
	}
	if got := p.read(0x19, want.Len()+1); !bytes.Equal(got, append(want.Bytes(), 0)) {
		t.Errorf("the directory is\n%q, want\n%q", got, want.Bytes())
	}

	// Wider reads of the data port take more bytes; what is no 16-bit write to
	// the selector changes nothing.
	p.bus.Out(base, 2, 0)
	p.bus.Out(base, 1, 0x20)
	p.bus.Out(base+1, 1, 0x20)
	if v := p.bus.In(base+1, 1); v != 'Q' {
		t.Errorf("%#x", v)
	}
	p.bus.In(base, 1)
	if v := p.bus.In(base+1, 1); v != 'E' {
		t.Errorf("%#x", v)
	}
	p.Reset()
	if v := p.bus.In(base+1, 1); v != 'Q' {
		t.Errorf("after a reset: %#x", v)
	}
	for _, name := range []string{"", strings.Repeat("n", 56)} {
		if _, err := New([]File{{name, nil}}); err == nil {
			t.Errorf("a file of the name %q", name)
		}
	}
}

// Step is part of statetest.Rig.
func (p *pc) Step(rnd *rand.Rand) string {
	size := 1 << rnd.Intn(3)
	if rnd.Intn(4) == 0 {
		p.bus.Out(base, size, uint32(rnd.Intn(0x24)))
		return fmt.Sprint("select ", size)
	}
	return fmt.Sprintf("%d bytes: %#x", size, p.bus.In(base+uint16(rnd.Intn(2)), size))
}

// Fork is part of statetest.Rig.
func (p *pc) Fork(tb testing.TB) statetest.Rig {
	q := newPC(tb, File{"a", []byte("content")}, File{"b", nil})
	statetest.Move(tb, q.Device, p.Device)
	return q
}

func TestState(t *testing.T) {
	rig := func(tb testing.TB) *pc { return newPC(tb, File{"a", []byte("content")}, File{"b", nil}) }
	statetest.GoOn(t, func(tb testing.TB) statetest.Rig { return rig(tb) })
	statetest.Hostile(t, func(tb testing.TB) (statetest.Rig, statetest.Saver[State]) {
		p := rig(tb)
		return p, p.Device
	})
}
