package devices

import (
	"fmt"
	"strings"
	"testing"
)

// logPorts answers each read with its offset and size, and notes every access.
type logPorts struct{ log []string }

func (l *logPorts) In(off uint16, size int) uint32 {
	l.log = append(l.log, fmt.Sprintf("in %d/%d", off, size))
	return 0xA0A0A0A0 + uint32(off)
}

func (l *logPorts) Out(off uint16, size int, v uint32) {
	l.log = append(l.log, fmt.Sprintf("out %d/%d %x", off, size, v))
}

func TestBusSplitsAccesses(t *testing.T) {
	for _, c := range []struct {
		port uint16
		size int
		want uint32
		log  string
	}{
		{0x100, 1, 0xA0, "in 0/1"},
		{0x100, 2, 0xA0A0, "in 0/2"},
		{0x100, 4, 0xA0A0A0A0, "in 0/4"},
		{0x101, 2, 0xA0A1, "in 1/2"},
		{0x103, 2, 0xA4A3, "in 3/1 in 4/1"},                        // crosses a doubleword
		{0x104, 4, 0xFFFFA5A4, "in 4/1 in 5/1"},                    // the device ends at 105h
		{0xFF, 2, 0xA0FF, "in 0/1"},                                // begins before it
		{0xFC, 4, 0xFFFFFFFF, ""},                                  // nobody
		{0xFFFF, 4, 0xFFFFFFA0, "in 0/1"},                          // past the end of the space
		{0xFFFE, 2, 0xA0FF, "in 0/1"},                              // its last port
		{0x1F0, 4, 0xA0FFA0FF, "in 0/1 in 0/1"},                    // claims inside an unclaimed doubleword
		{0x102, 4, 0xA5A4A3A2, "in 2/1 in 3/1 in 4/1 in 5/1"},      // crosses inside a device
		{0x200, 2, 0xFFA0, "in 0/1"}, {0x1FF, 2, 0xA0FF, "in 0/1"}, // a device of one port
	} {
		var b Bus
		var d logPorts
		for _, r := range [][2]uint16{{0x100, 6}, {0xFFFF, 1}, {0x1F1, 1}, {0x1F3, 1}, {0x200, 1}} {
			if err := b.Claim(r[0], r[1], "dev", &d); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.In(c.port, c.size); got != c.want || strings.Join(d.log, " ") != c.log {
			t.Errorf("In(%#x, %d) = %#x by %q, want %#x by %q", c.port, c.size, got, d.log, c.want, c.log)
		}
		d.log = nil
		b.Out(c.port, c.size, 0x44332211)
		if len(strings.Fields(c.log))/2 != len(d.log) {
			t.Errorf("Out(%#x, %d) made %q", c.port, c.size, d.log)
		}
	}
}

func TestBusWriteValues(t *testing.T) {
	var b Bus
	var d logPorts
	if err := b.Claim(0x10, 5, "dev", &d); err != nil {
		t.Fatal(err)
	}
	b.Out(0x10, 4, 0x44332211)
	b.Out(0x13, 2, 0x6655)
	b.Out(0x10, 1, 0xFFFFFF77)
	if got, want := strings.Join(d.log, ","), "out 0/4 44332211,out 3/1 55,out 4/1 66,out 0/1 77"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBusRefuses(t *testing.T) {
	var b Bus
	var d logPorts
	if err := b.Claim(0x20, 2, "pic", &d); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		base, n uint16
		want    string
	}{
		{0x21, 4, "overlaps pic"}, {0x1F, 2, "overlaps pic"}, {0x10, 0x20, "overlaps pic"},
		{0x30, 0, "bad range"}, {0xFFFF, 2, "bad range"},
	} {
		err := b.Claim(c.base, c.n, "new", &d)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "new") {
			t.Errorf("Claim(%#x, %d): %v, want %q", c.base, c.n, err, c.want)
		}
	}
	if b.Owner(0x22) != "" || b.Owner(0x21) != "pic" {
		t.Error("a refused claim left traces")
	}
	b.Release(0x21) // not its base
	if b.Owner(0x21) != "pic" {
		t.Error("Release took a device by its middle")
	}
	b.Release(0x20)
	if b.In(0x20, 1) != 0xFF {
		t.Error("a released port answers")
	}
	if err := b.Claim(0x21, 4, "new", &d); err != nil || b.Owner(0x24) != "new" {
		t.Errorf("after Release: %v, owner %q", err, b.Owner(0x24))
	}
}

func TestBusTrace(t *testing.T) {
	var b Bus
	var got []Access
	b.Trace = func(a Access) { got = append(got, a) }
	if err := b.Claim(0x80, 1, "post", &logPorts{}); err != nil {
		t.Fatal(err)
	}
	b.Out(0x80, 1, 0x1AA)
	b.In(0x81, 2)
	want := []Access{{true, 0x80, 1, 0xAA, "post"}, {false, 0x81, 2, 0xFFFF, ""}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBytePorts(t *testing.T) {
	var log []string
	d := BytePorts{
		Read:  func(off uint16) uint8 { return uint8(0x10 + off) },
		Write: func(off uint16, v uint8) { log = append(log, fmt.Sprintf("%d=%x", off, v)) },
	}
	if got := d.In(1, 2); got != 0x1211 {
		t.Errorf("In = %#x", got)
	}
	d.Out(0, 4, 0x44332211)
	if got := strings.Join(log, " "); got != "0=11 1=22 2=33 3=44" {
		t.Errorf("Out made %s", got)
	}
}

func BenchmarkBusIn(b *testing.B) {
	var bus Bus
	d := BytePorts{Read: func(uint16) uint8 { return 1 }, Write: func(uint16, uint8) {}}
	if err := bus.Claim(0x3F8, 8, "com1", d); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		bus.In(0x3FD, 1)
	}
}
