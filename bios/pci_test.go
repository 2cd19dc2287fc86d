package bios

import (
	"fmt"
	"strings"
	"testing"
)

// fakePCI answers configuration mechanism 1 for slots made of BAR masks, and
// remembers every other port that is written.
type fakePCI struct {
	address uint32
	slots   map[int]*[64]uint32 // by doubleword
	masks   map[int][6]uint32   // writable bits of the BARs
	flags   map[int][6]uint32   // their read-only bits
	outs    []string
}

func (f *fakePCI) slot() (int, *[64]uint32) {
	n := int(f.address >> 11 & 31)
	return n, f.slots[n]
}

func (f *fakePCI) In(port uint16, size int) uint32 {
	_, s := f.slot()
	if s == nil || port < configData || port > configData+3 {
		return 0xFFFFFFFF >> (32 - 8*size)
	}
	return s[f.address>>2&63] >> (8 * (port & 3)) & (0xFFFFFFFF >> (32 - 8*size))
}

func (f *fakePCI) Out(port uint16, size int, v uint32) {
	n, s := f.slot()
	switch {
	case port == configAddress:
		f.address = v
	case port < configData || port > configData+3:
		f.outs = append(f.outs, fmt.Sprintf("%x=%x", port, v))
	case s != nil:
		reg := f.address >> 2 & 63
		if reg >= 4 && reg < 10 {
			s[reg] = v&f.masks[n][reg-4] | f.flags[n][reg-4]
			return
		}
		mask := uint32(0xFFFFFFFF) >> (32 - 8*size) << (8 * (port & 3))
		s[reg] = s[reg]&^mask | v<<(8*(port&3))&mask
	}
}

func TestAssignPCI(t *testing.T) {
	f := &fakePCI{
		slots: map[int]*[64]uint32{0: {0: 0x12378086}, 1: {0: 1, 15: 0x0100}, 2: {0: 2, 15: 0x0100}, 3: {0: 3, 15: 0x0200}},
		masks: map[int][6]uint32{1: {0: 0xFFFFC000}, 2: {0: 0x0000FFE0, 1: 0xFFF00000, 2: 0xFFFFFFFF}, 3: {3: 0xFFFFFFFC, 5: 0xFFFFF000}},
		flags: map[int][6]uint32{2: {0: 1, 1: 4 | 8}, 3: {3: 1}},
	}
	cfg := testConfig()
	cfg.Interrupts = []Interrupt{{1, 1, 10}, {1, 2, 7}, {2, 1, 11}, {3, 2, 5}}
	if err := AssignPCI(f, cfg); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		slot, dword int
		want        uint32
	}{
		{1, 4, 0xC0100000}, {1, 1, 2}, {1, 15, 0x010A},
		{2, 4, 0xC001}, {2, 5, 0xC000000C}, {2, 6, 0}, {2, 1, 3}, {2, 15, 0x010B},
		{3, 7, 0xC021}, {3, 9, 0xC0104000}, {3, 1, 3}, {3, 15, 0x0205},
		{0, 1, 0}, {0, 15, 0},
	} {
		if got := f.slots[c.slot][c.dword]; got != c.want {
			t.Errorf("slot %d, register %#x is %#x, want %#x", c.slot, 4*c.dword, got, c.want)
		}
	}
}

func TestAssignPCITooSmall(t *testing.T) {
	for _, c := range []struct{ mask, flags uint32 }{{0x80000000, 0}, {0xFFFF8000, 1}} {
		f := &fakePCI{
			slots: map[int]*[64]uint32{4: {0: 1}},
			masks: map[int][6]uint32{4: {c.mask}}, flags: map[int][6]uint32{4: {c.flags}},
		}
		cfg := testConfig()
		err := AssignPCI(f, cfg)
		if err == nil || !strings.Contains(err.Error(), "slot 4") {
			t.Errorf("mask %#x: %v", c.mask, err)
		}
	}
}

func TestSetUpChips(t *testing.T) {
	var f fakePCI
	SetUpChips(&f, 9, 10, 5)
	want := "20=11 21=8 21=4 21=1 21=ff a0=11 a1=70 a1=2 a1=1 a1=ff 4d0=20 4d1=6 43=34 40=0 40=0"
	if got := strings.Join(f.outs, " "); got != want {
		t.Errorf("wrote %s\nwant  %s", got, want)
	}
}
