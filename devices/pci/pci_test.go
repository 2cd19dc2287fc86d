package pci

import (
	"fmt"
	"strings"
	"testing"

	"alpinevm/devices"
)

// card is a function with a BAR of each kind that remembers what it was asked.
type card struct {
	hdr    devices.PCIHeader
	irq    devices.IRQ
	master func() bool
	log    []string
	resets int
}

func newCard() *card {
	return &card{hdr: devices.PCIHeader{
		Vendor: 0x1AF4, Device: 0x1042, SubVendor: 0x1AF4, Subsystem: 0x1100,
		Class: 0x010000, Revision: 1, InterruptPin: 1, Capabilities: 0x40,
		BARs: [6]devices.PCIBAR{{Size: 0x4000}, {Size: 32, IO: true}, {}, {Size: 1 << 16, Prefetchable: true}},
	}}
}

func (c *card) note(format string, args ...any) {
	c.log = append(c.log, fmt.Sprintf(format, args...))
}

func (c *card) Header() devices.PCIHeader                      { return c.hdr }
func (c *card) Connect(irq devices.IRQ, busMaster func() bool) { c.irq, c.master = irq, busMaster }
func (c *card) Reset()                                         { c.resets++ }

func (c *card) ConfigRead(off uint8, size int) uint32 {
	c.note("cr%x/%d", off, size)
	return 0x03020100 + uint32(off)*0x01010101
}

func (c *card) ConfigWrite(off uint8, size int, v uint32) { c.note("cw%x/%d=%x", off, size, v) }

func (c *card) BARRead(bar int, off uint32, size int) uint32 {
	c.note("r%d:%x/%d", bar, off, size)
	return 0x5A5A5A00 | uint32(bar)
}

func (c *card) BARWrite(bar int, off uint32, size int, v uint32) {
	c.note("w%d:%x/%d=%x", bar, off, size, v)
}

// memory is guest-physical memory made of devices only.
type memory struct{ maps []mapped }

type mapped struct {
	base, n uint64
	d       devices.MMIODevice
}

func (m *memory) Map(base, n uint64, d devices.MMIODevice) error {
	for _, o := range m.maps {
		if base < o.base+o.n && o.base < base+n {
			return fmt.Errorf("overlap at %#x", base)
		}
	}
	m.maps = append(m.maps, mapped{base, n, d})
	return nil
}

func (m *memory) Unmap(base uint64) {
	for i, o := range m.maps {
		if o.base == base {
			m.maps = append(m.maps[:i], m.maps[i+1:]...)
			return
		}
	}
	panic(fmt.Sprintf("nothing is mapped at %#x", base))
}

func (m *memory) read(at uint64) uint32 {
	for _, o := range m.maps {
		if at >= o.base && at < o.base+o.n {
			return o.d.Read(uint32(at-o.base), 4)
		}
	}
	return 0xFFFFFFFF
}

// pc is a bus with the ports of a serial port beside it.
type pc struct {
	*Host
	bus    devices.Bus
	mem    memory
	lines  map[int]int // how many sources assert it
	resets int
	cards  map[int]*card
}

// line is one source on an interrupt line.
type line struct {
	p     *pc
	n     int
	level bool
}

// Set implements devices.IRQ.
func (l *line) Set(level bool) {
	if level != l.level {
		l.level = level
		l.p.lines[l.n] += map[bool]int{true: 1, false: -1}[level]
	}
}

func newPC(t testing.TB, slots ...int) *pc {
	p := &pc{lines: map[int]int{}, cards: map[int]*card{}}
	p.Host = New(Config{
		Ports: &p.bus, Memory: &p.mem, MemoryBase: 0xC0000000, MemoryEnd: 0xFEC00000,
		Routing: Routing{10, 11, 5, 9},
		IRQ:     func(n int) devices.IRQ { return &line{p: p, n: n} },
		Reset:   func() { p.resets++ },
	})
	if err := p.bus.Claim(0xCF8, 8, "pci", p.Ports()); err != nil {
		t.Fatal(err)
	}
	if err := p.bus.Claim(0x3F8, 8, "com1", devices.BytePorts{
		Read: func(uint16) uint8 { return 0x60 }, Write: func(uint16, uint8) {},
	}); err != nil {
		t.Fatal(err)
	}
	for _, n := range slots {
		p.cards[n] = newCard()
		if err := p.Plug(n, p.cards[n]); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// run executes a script and reports its first step that fails. A register is
// given as slot.register, sizes by the letters b, w and d:
//
//	d3.10=ffffffff  write BAR 0 of slot 3   d3.0?10421af4  read its IDs
//	dcf8=80000000   write a port            dcfc?ffffffff  read one
//	m0xc0000000?x   read memory             +3 -3  slot 3 asserts, deasserts INTx
//	i10 j10         IRQ 10 is high, low     log3[cr40/1,w0:4/4=5]  what slot 3 was asked
func (p *pc) run(script string) error {
	for k, step := range strings.Fields(script) {
		var letter rune
		var n int
		var reg, port uint16
		var v uint32
		sizes := map[rune]int{'b': 1, 'w': 2, 'd': 4}
		bad := func(got any) error { return fmt.Errorf("step %d %q: %v", k, step, got) }
		address := func() uint16 {
			p.bus.Out(0xCF8, 4, 1<<31|uint32(n)<<11|uint32(reg&0xFC))
			return 0xCFC + reg&3
		}
		var at uint64
		switch {
		case scan(step, "%c%d.%x=%x", &letter, &n, &reg, &v):
			p.bus.Out(address(), sizes[letter], v)
		case scan(step, "%c%d.%x?%x", &letter, &n, &reg, &v):
			if got := p.bus.In(address(), sizes[letter]); got != v {
				return bad(fmt.Sprintf("read %#x", got))
			}
		case scan(step, "m0x%x?%x", &at, &v):
			if got := p.mem.read(at); got != v {
				return bad(fmt.Sprintf("read %#x", got))
			}
		case scan(step, "log%d[", &n):
			got := strings.Join(p.cards[n].log, ",")
			if want := step[strings.Index(step, "[")+1 : len(step)-1]; got != want {
				return bad(got)
			}
			p.cards[n].log = nil
		case scan(step, "+%d", &n), scan(step, "-%d", &n):
			p.cards[abs(n)].irq.Set(step[0] == '+')
		case scan(step, "i%d", &n), scan(step, "j%d", &n):
			if p.lines[n] != 0 != (step[0] == 'i') {
				return bad(p.lines[n])
			}
		case scan(step, "reset%d", &n):
			if p.resets != n {
				return bad(p.resets)
			}
		case scan(step, "%c%x=%x", &letter, &port, &v):
			p.bus.Out(port, sizes[letter], v)
		case scan(step, "%c%x?%x", &letter, &port, &v):
			if got := p.bus.In(port, sizes[letter]); got != v {
				return bad(fmt.Sprintf("read %#x", got))
			}
		default:
			return bad("no such step")
		}
	}
	return nil
}

func abs(n int) int { return max(n, -n) }

func scan(s, format string, args ...any) bool {
	n, err := fmt.Sscanf(s, format, args...)
	return err == nil && n == len(args)
}

func TestPCI(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"address register", "dcf8=ffffffff dcf8?80fffffc dcf8=0 dcf8?0"},
		{"only doublewords reach it", "dcf8=80000000 bcfb=1 wcf8=ffff bcf8=ff dcf8?80000000 bcf8?ff wcfa?ffff"},
		{"host bridge", "d0.0?12378086 d0.8?6000002 b0.e?0 d0.34?0 d0.3c?0"},
		{"bytes and words", "b3.0?f4 b3.1?1a w3.2?1042 b3.3?10 w3.1?421a"},
		{"a doubleword from an odd port", "dcf8=80001800 dcfd?ff10421a"},
		{"absent slot", "d6.0?ffffffff d6.4=7 w6.4?ffff"},
		{"absent function, bus, enable bit", "dcf8=80001900 dcfc?ffffffff dcf8=80011800 dcfc?ffffffff dcf8=1800 dcfc?ffffffff dcf8=80001800 dcfc?10421af4"},
		{"identity", "d3.8?1000001 d3.2c?11001af4 b3.e?0 b3.34?40 b3.3d?1 d3.30?0 d3.28?0 w3.3e?0"},
		{"identity is read only", "d3.0=0 d3.0?10421af4 d3.8=0 d3.8?1000001 d3.2c=0 d3.2c?11001af4 d3.34=0 b3.34?40 b3.3d=2 b3.3d?1 d3.30=ffffffff d3.30?0"},
		{"command bits", "d3.4?100000 w3.4=ffff d3.4?100547 w3.6=ffff d3.4?100547 b3.5=0 w3.4?47"},
		{"command bits of the bridge", "w0.4=ffff w0.4?144"},
		{"cache line, latency and interrupt line", "d3.c=ffffffff d3.c?ffff b3.3c=a b3.3c?a b0.3c=a b0.3c?0"},
		{"BAR sizes", "d3.10=ffffffff d3.10?ffffc000 d3.14=ffffffff d3.14?ffffffe1 d3.18=ffffffff d3.18?0 d3.1c=ffffffff d3.1c?ffff0008"},
		{"BARs after reset", "d3.10?0 d3.14?1 d3.1c?8"},
		{"BAR by bytes", "b3.13=c0 b3.12=12 w3.10=7fff d3.10?c0124000"},
		{"I/O region", "d3.14=c000 wc004?ffff b3.4=1 wc004?5a01 dc01c=1 log3[r1:4/2,w1:1c/4=1] b3.4=0 wc004?ffff"},
		{"memory region", "d3.10=c0000000 m0xc0000010?ffffffff b3.4=2 m0xc0000010?5a5a5a00 log3[r0:10/4] b3.4=0 m0xc0000010?ffffffff"},
		{"two memory regions", "d3.10=c0000000 d3.1c=c0010000 b3.4=2 m0xc0000000?5a5a5a00 m0xc0010000?5a5a5a03 m0xc0004000?ffffffff"},
		{"a memory region moves", "d3.10=c0000000 b3.4=2 d3.10=d0000000 m0xc0000000?ffffffff m0xd0000000?5a5a5a00"},
		{"an I/O region moves", "d3.14=c000 b3.4=1 d3.14=c020 bc000?ff bc020?1"},
		{"address 0 is no place", "d3.10=0 d3.14=0 b3.4=3 m0x0?ffffffff b0?ff"},
		{"outside the window", "d3.10=bfffc000 b3.4=2 m0xbfffc000?ffffffff d3.10=fec00000 m0xfec00000?ffffffff d3.10=febfc000 m0xfebfc000?5a5a5a00"},
		{"I/O above 64 KiB", "d3.14=1c000 b3.4=1 bc000?ff d3.14=ffe0 bffff?1"},
		{"I/O over another device", "d3.14=3e0 b3.4=1 b3f8?60 b3e0?ff d3.14=c000 b3f8?60 bc000?1"},
		{"regions change places", "d3.10=c0000000 d4.10=d0000000 b3.4=2 b4.4=2 d3.10=d0000000 m0xd0000000?5a5a5a00 log4[r0:0/4] d4.10=c0000000 m0xd0000000?5a5a5a00 log3[r0:0/4] m0xc0000000?5a5a5a00 log4[r0:0/4]"},
		{"configuration above the header", "d3.40?43424140 b3.41?41 w3.42?4342 b3.41=5 w3.fe=1234 log3[cr40/4,cr41/1,cr42/2,cw41/1=5,cwfe/2=1234]"},
		{"what is not aligned comes in bytes", "w3.41?4241 w3.41=bbaa log3[cr41/1,cr42/1,cw41/1=aa,cw42/1=bb]"},
		{"interrupt", "+3 i5 w3.6?18 -3 j5 w3.6?10"},
		{"interrupt disable", "+3 w3.4=400 j5 w3.6?18 w3.4=0 i5 w3.4=400 -3 w3.4=0 j5"},
		{"interrupt routing", "+1 i10 +2 i11 +4 i9 +5 -1 i10 -5 j10"},
		{"PAM registers", "d0.58=33333333 d0.58?33333300 b0.72=4a b0.72?4a b0.73=1 b0.73?0"},
		{"reset control", "bcf9?0 bcf9=2 reset0 bcf9=6 reset1 bcf9?6 bcf9=e reset1 bcf9=0 bcf9=4 reset2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPC(t, 1, 2, 3, 4, 5)
			if err := p.run(c.script); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBusMaster(t *testing.T) {
	p := newPC(t, 3)
	if p.cards[3].master() {
		t.Error("bus master after reset")
	}
	if err := p.run("w3.4=4"); err != nil {
		t.Fatal(err)
	}
	if !p.cards[3].master() {
		t.Error("not bus master")
	}
}

func TestRouting(t *testing.T) {
	r := Routing{10, 11, 5, 9}
	for _, c := range []struct {
		slot int
		pin  uint8
		want uint8
	}{{1, 1, 10}, {2, 1, 11}, {3, 1, 5}, {4, 1, 9}, {5, 1, 10}, {1, 2, 11}, {1, 4, 9}, {4, 2, 10}, {31, 1, 5}, {0, 1, 9}} {
		if got := r.Line(c.slot, c.pin); got != c.want {
			t.Errorf("slot %d pin %d: line %d, want %d", c.slot, c.pin, got, c.want)
		}
	}
	p := newPC(t, 2)
	if pins := p.Pins(); pins[2] != 1 || pins[0] != 0 || pins[3] != 0 {
		t.Errorf("pins %v", pins)
	}
}

func TestPlugRefuses(t *testing.T) {
	for _, c := range []struct {
		slot int
		edit func(*card)
		want string
	}{
		{3, func(*card) {}, "taken"},
		{0, func(*card) {}, "taken"},
		{32, func(*card) {}, "no slot"},
		{-1, func(*card) {}, "no slot"},
		{4, func(c *card) { c.hdr.InterruptPin = 5 }, "pin"},
		{4, func(c *card) { c.hdr.BARs[0].Size = 0x3000 }, "power of two"},
		{4, func(c *card) { c.hdr.BARs[0].Size = 0x800 }, "from 4096"},
		{4, func(c *card) { c.hdr.BARs[1].Size = 512 }, "to 256"},
		{4, func(c *card) { c.hdr.BARs[1].Size = 2 }, "from 4"},
	} {
		card := newCard()
		c.edit(card)
		if err := newPC(t, 3).Plug(c.slot, card); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("slot %d: %v, want %q", c.slot, err, c.want)
		}
	}
}

func TestReset(t *testing.T) {
	p := newPC(t, 3)
	if err := p.run("d3.10=c0000000 d3.14=c000 w3.4=7 b3.3c=5 b0.59=33 +3 i5"); err != nil {
		t.Fatal(err)
	}
	p.Reset()
	if p.cards[3].resets != 1 {
		t.Errorf("the card was reset %d times", p.cards[3].resets)
	}
	if err := p.run("dcf8?0 j5 m0xc0000000?ffffffff bc000?ff d3.4?100000 d3.10?0 b3.3c?0 b0.59?0"); err != nil {
		t.Error(err)
	}
}

func TestSaveRestore(t *testing.T) {
	a, b := newPC(t, 3), newPC(t, 3)
	if err := a.run("d3.10=c0000000 d3.14=c000 w3.4=7 b0.59=33 +3 dcf8=80001810"); err != nil {
		t.Fatal(err)
	}
	if err := b.run("d3.10=d0000000 w3.4=2"); err != nil {
		t.Fatal(err)
	}
	b.Restore(a.Save())
	if err := b.run("dcf8?80001810 i5 m0xc0000000?5a5a5a00 m0xd0000000?ffffffff bc000?1 b0.59?33 w3.6?18"); err != nil {
		t.Error(err)
	}
}

// FuzzConfig plays bytes as accesses to CF8h to CFFh, and holds that what is
// read only stays, that regions are decoded where the registers say, and that
// no two answer in one place.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("\x08\x10\x18\x00\x80\x0c\x00\x00\x00\xc0\x08\x04\x18\x00\x80\x0c\x07\x00\x00\x00"))
	f.Add([]byte("\x08\x14\x18\x00\x80\x0c\xff\xff\xff\xff\x08\x04\x18\x00\x80\x0c\x01\x00\x00\x00"))
	f.Add([]byte("\x08\x10\x20\x00\x80\x0c\x00\x00\x00\xc0\x09\x06\x00\x00\x00\x4d\xff\xff\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p := newPC(t, 3, 4)
		for ; len(in) >= 5; in = in[5:] {
			port := 0xCF8 + uint16(in[0]&7)
			size := [4]int{4, 1, 2, 4}[in[0]>>6]
			v := uint32(in[1]) | uint32(in[2])<<8 | uint32(in[3])<<16 | uint32(in[4])<<24
			if in[0]&0x20 != 0 {
				p.bus.In(port, size)
			} else {
				p.bus.Out(port, size, v)
			}
			for n, c := range p.cards {
				c.log = nil
				s := p.slots[n]
				for i, m := range s.mapped {
					if w := s.wanted(i); m.n != 0 && m != w {
						t.Fatalf("slot %d BAR %d is decoded at %+v, wanted at %+v", n, i, m, w)
					}
				}
			}
		}
		for i, a := range p.mem.maps {
			if a.base < p.cfg.MemoryBase || a.base+a.n > p.cfg.MemoryEnd {
				t.Fatalf("decoded outside the window at %#x", a.base)
			}
			for _, b := range p.mem.maps[:i] {
				if a.base < b.base+b.n && b.base < a.base+a.n {
					t.Fatalf("two regions at %#x", a.base)
				}
			}
		}
		if err := p.run("d0.0?12378086 d3.0?10421af4 d4.8?1000001 d3.2c?11001af4 b3f8?60"); err != nil {
			t.Fatal(err)
		}
	})
}
