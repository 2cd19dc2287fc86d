package bios

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestBootROM(t *testing.T) {
	le := binary.LittleEndian
	for _, n := range []int{1, 2, 383, 384, 385, 5000, romLimit - romPayload - 2} {
		data := bytes.Repeat([]byte{0xA5}, n)
		if n > 1 {
			data[n-1] = 0x5A
		}
		b, err := BootROM(RealMode{Segment: 0x1000, Stack: 0xE000, Data: data})
		if err != nil {
			t.Errorf("%d bytes: %v", n, err)
			continue
		}
		pnp := b[le.Uint16(b[0x1A:]):]
		for name, ok := range map[string]bool{
			"the signature":          b[0] == 0x55 && b[1] == 0xAA,
			"the size":               len(b)%512 == 0 && int(b[2])*512 == len(b)&0x1FFFF,
			"the checksum":           total(b) == 0,
			"the initialisation":     bytes.Equal(b[3:6], []byte{0x31, 0xC0, 0xCB}),
			"the expansion header":   string(pnp[:4]) == "$PnP" && total(pnp[:32]) == 0,
			"the boot entry vector":  le.Uint16(pnp[0x1A:]) == romCode && b[romCode] == 0xFA,
			"what is to be started":  bytes.Equal(b[romPayload:romPayload+n], data),
			"the jump to its code":   bytes.Contains(b[romCode:romPayload], []byte{0xEA, 0, 0, 0x20, 0x10}),
			"the stack":              bytes.Contains(b[romCode:romPayload], []byte{0xBC, 0, 0xE0}),
			"the count of the copy":  bytes.Contains(b[romCode:romPayload], []byte{0xB9, byte((n + 1) / 2), byte((n + 1) / 2 >> 8)}),
			"its own segment's room": len(b) <= 1<<16,
		} {
			if !ok {
				t.Errorf("%d bytes: %s is wrong", n, name)
			}
		}
	}
	if _, err := BootROM(RealMode{Data: make([]byte, romLimit-romPayload)}); err == nil {
		t.Error("more than a segment was taken")
	}
}

// TestVectors follows each entry of the table.
func TestVectors(t *testing.T) {
	m := memory{}
	if _, err := Write(m, testConfig()); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	table := m.read(0, 1024)
	for n := range 256 {
		ip, cs := le.Uint16(table[4*n:]), le.Uint16(table[4*n+2:])
		at := uint64(cs)<<4 + uint64(ip)
		if op := m.read(at, 1)[0]; op != 0xF4 {
			t.Fatalf("interrupt %02Xh leads to %04X:%04X, where %#x is", n, cs, ip, op)
		}
		if got, ok := CalledBIOS(cs, ip+1); !ok || int(got) != n {
			t.Errorf("interrupt %02Xh is known as %02Xh, %v", n, got, ok)
		}
	}
	for _, at := range [][2]uint16{{0xF000, 0xF000}, {0xF000, 0xF002}, {0xF001, 0xEFF1}, {0xEF00, 1}, {0, 1}, {0x10, 0xF001}} {
		if n, ok := CalledBIOS(at[0], at[1]); ok {
			t.Errorf("%04X:%04X is interrupt %02Xh", at[0], at[1], n)
		}
	}
}
