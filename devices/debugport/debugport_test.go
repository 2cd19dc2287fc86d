package debugport

import (
	"fmt"
	"testing"

	"alpinevm/devices"
)

func TestPorts(t *testing.T) {
	var bus devices.Bus
	var console []byte
	var codes []uint8
	var exits []uint32
	post := NewPOST(func(code uint8) { codes = append(codes, code) })
	for _, c := range []struct {
		base, n uint16
		d       devices.PortDevice
	}{
		{0xE9, 1, Console(func(b byte) { console = append(console, b) })},
		{0x80, 1, post.Port()},
		{0x190, 1, NewPOST(nil).Port()},
		{0xF4, 4, Exit(func(v uint32) { exits = append(exits, v) })},
	} {
		if err := bus.Claim(c.base, c.n, "debug", c.d); err != nil {
			t.Fatal(err)
		}
	}
	bus.Out(0xE9, 1, 'h')
	bus.Out(0xE9, 1, 'i')
	bus.Out(0x80, 1, 0x12)
	bus.Out(0x80, 2, 0x34FF)
	bus.Out(0x190, 1, 0xFE)
	bus.Out(0xF4, 1, 0x1FF)
	bus.Out(0xF4, 4, 0x12345678)
	if string(console) != "hi" || bus.In(0xE9, 1) != present {
		t.Errorf("console got %q", console)
	}
	if fmt.Sprint(codes) != "[18 255]" || bus.In(0x80, 1) != 0xFF || bus.In(0x190, 1) != 0xFE {
		t.Errorf("codes %v, port 80h %#x, port 190h %#x", codes, bus.In(0x80, 1), bus.In(0x190, 1))
	}
	if fmt.Sprint(exits) != "[255 305419896]" {
		t.Errorf("exits %v", exits)
	}
	other := NewPOST(nil)
	other.Restore(post.Save())
	post.Reset()
	if other.Save().Code != 0xFF || bus.In(0x80, 1) != 0 {
		t.Error("state was not kept or not reset")
	}
}
