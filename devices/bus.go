package devices

import "fmt"

// Bus is the 64 KiB I/O port space: a table from port to device. Its zero
// value is an empty space, in which every read floats to all ones and every
// write is lost. It satisfies the CPU's view of the ports.
type Bus struct {
	// Trace, if not nil, is told of every access after it was made.
	Trace func(Access)

	owner  [1 << 16]uint16 // index into claims, 0 where nobody answers
	claims []claim         // claims[0] is a placeholder
	free   []uint16        // released entries of claims
}

// Access is one port access as the CPU made it, before any split.
type Access struct {
	Write bool
	Port  uint16
	Size  int    // 1, 2 or 4 bytes
	Value uint32 // in the low Size bytes
	Name  string // owner of the first port, "" for none
}

type claim struct {
	base, n uint16
	name    string
	dev     PortDevice
}

// Claim gives the n ports from base on to d. It refuses a range that is
// empty, goes past FFFFh or overlaps another device; name is used in such
// errors and in traces.
func (b *Bus) Claim(base, n uint16, name string, d PortDevice) error {
	if n == 0 || uint32(base)+uint32(n) > 1<<16 {
		return fmt.Errorf("ports: %s: bad range of %d ports from %#x on", name, n, base)
	}
	for p := uint32(base); p < uint32(base)+uint32(n); p++ {
		if i := b.owner[p]; i != 0 {
			c := &b.claims[i]
			return fmt.Errorf("ports: %s (%#x to %#x) overlaps %s (%#x to %#x)",
				name, base, base+n-1, c.name, c.base, c.base+c.n-1)
		}
	}
	if len(b.claims) == 0 {
		b.claims = append(b.claims, claim{})
	}
	i := uint16(len(b.claims))
	if k := len(b.free); k > 0 {
		i = b.free[k-1]
		b.free = b.free[:k-1]
	} else {
		b.claims = append(b.claims, claim{})
	}
	b.claims[i] = claim{base, n, name, d}
	b.mark(base, n, i)
	return nil
}

// Release takes back the range that was claimed at base, and does nothing if
// there is none.
func (b *Bus) Release(base uint16) {
	i := b.owner[base]
	if i == 0 || b.claims[i].base != base {
		return
	}
	b.mark(base, b.claims[i].n, 0)
	b.claims[i] = claim{}
	b.free = append(b.free, i)
}

// mark makes entry i the owner of n ports from base on.
func (b *Bus) mark(base, n, i uint16) {
	for p := uint32(base); p < uint32(base)+uint32(n); p++ {
		b.owner[p] = i
	}
}

// In reads size bytes (1, 2 or 4) from port on. An access that crosses a
// doubleword boundary or the edge of a device is made byte by byte, low byte
// first, as a bus does; ports that nobody owns read as all ones.
func (b *Bus) In(port uint16, size int) uint32 {
	v := b.in(port, size)
	if b.Trace != nil {
		b.Trace(Access{false, port, size, v, b.Owner(port)})
	}
	return v
}

func (b *Bus) in(port uint16, size int) uint32 {
	i := b.owner[port]
	if i != 0 && int(port&3)+size <= 4 && b.owner[port+uint16(size)-1] == i {
		c := &b.claims[i]
		return c.dev.In(port-c.base, size) & ones(size)
	}
	if size == 1 {
		return 0xFF
	}
	var v uint32
	for k := range size {
		x := uint32(0xFF)
		// Past FFFFh is the 65,537th port, which no device decodes.
		if p := uint32(port) + uint32(k); p < 1<<16 {
			x = b.in(uint16(p), 1)
		}
		v |= x << (8 * k)
	}
	return v
}

// Out writes the low size bytes (1, 2 or 4) of v from port on, split as In
// splits.
func (b *Bus) Out(port uint16, size int, v uint32) {
	v &= ones(size)
	b.out(port, size, v)
	if b.Trace != nil {
		b.Trace(Access{true, port, size, v, b.Owner(port)})
	}
}

func (b *Bus) out(port uint16, size int, v uint32) {
	i := b.owner[port]
	if i != 0 && int(port&3)+size <= 4 && b.owner[port+uint16(size)-1] == i {
		c := &b.claims[i]
		c.dev.Out(port-c.base, size, v)
		return
	}
	if size == 1 {
		return
	}
	for k := range size {
		if p := uint32(port) + uint32(k); p < 1<<16 {
			b.out(uint16(p), 1, v>>(8*k)&0xFF)
		}
	}
}

// Owner names the device that answers at port, "" if none does.
func (b *Bus) Owner(port uint16) string {
	if i := b.owner[port]; i != 0 {
		return b.claims[i].name
	}
	return ""
}

func ones(size int) uint32 { return uint32(1<<(8*size) - 1) }

// BytePorts is a PortDevice made of an 8-bit chip: a wider access reaches it
// as bytes, low byte first, as the byte steering of the ISA bus does.
type BytePorts struct {
	Read  func(off uint16) uint8
	Write func(off uint16, v uint8)
}

// In implements PortDevice.
func (b BytePorts) In(off uint16, size int) uint32 {
	var v uint32
	for k := range size {
		v |= uint32(b.Read(off+uint16(k))) << (8 * k)
	}
	return v
}

// Out implements PortDevice.
func (b BytePorts) Out(off uint16, size int, v uint32) {
	for k := range size {
		b.Write(off+uint16(k), uint8(v>>(8*k)))
	}
}
