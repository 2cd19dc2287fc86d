package virtq

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// ram is memory from address 0 on. ROM is what may be viewed, not written.
type ram struct {
	b      []byte
	rom    uint64 // first byte of read-only memory, 0 for none
	writes int    // views for writing
}

func (m *ram) View(gpa uint64, n int, write bool) ([]byte, bool) {
	if n < 0 || gpa > uint64(len(m.b)) || uint64(n) > uint64(len(m.b))-gpa {
		return nil, false
	}
	if write {
		if m.rom != 0 && gpa+uint64(n) > m.rom {
			return nil, false
		}
		m.writes++
	}
	return m.b[gpa:][:n:n], true
}

// Where the tests put things.
const (
	descAt  = 0x1000
	availAt = 0x2000
	usedAt  = 0x3000
	tableAt = 0x4000
	bufAt   = 0x8000
	ramSize = 0x10000
	entries = 8
)

type desc struct {
	addr  uint64
	size  uint32
	flags uint16
	next  uint16
}

type driver struct {
	*ram
	q *Queue
}

func newDriver(t testing.TB, size uint16) *driver {
	t.Helper()
	m := &ram{b: make([]byte, ramSize)}
	q := New(&State{Size: size, Desc: descAt, Avail: availAt, Used: usedAt, Indirect: true}, m)
	if err := q.Enable(MaxSize); err != nil {
		t.Fatal(err)
	}
	return &driver{m, q}
}

func (d *driver) put(table uint64, i int, x desc) {
	b := d.b[table+uint64(16*i):]
	binary.LittleEndian.PutUint64(b, x.addr)
	binary.LittleEndian.PutUint32(b[8:], x.size)
	binary.LittleEndian.PutUint16(b[12:], x.flags)
	binary.LittleEndian.PutUint16(b[14:], x.next)
}

func (d *driver) offer(head uint16) {
	idx := binary.LittleEndian.Uint16(d.b[availAt+2:])
	binary.LittleEndian.PutUint16(d.b[availAt+4+2*int(idx%d.q.Size):], head)
	binary.LittleEndian.PutUint16(d.b[availAt+2:], idx+1)
}

func TestChains(t *testing.T) {
	const (
		next     = descNext
		write    = descWrite
		indirect = descIndirect
	)
	for _, row := range []struct {
		name        string
		direct      []desc
		table       []desc // indirect, at tableAt
		noIndirect  bool
		err         error
		read, write int
		segs        int
	}{
		{name: "one readable", direct: []desc{{bufAt, 5, 0, 0}}, read: 5, segs: 1},
		{name: "one writable", direct: []desc{{bufAt, 7, write, 0}}, write: 7, segs: 1},
		{name: "both", direct: []desc{{bufAt, 5, next, 1}, {bufAt + 64, 9, write, 0}}, read: 5, write: 9, segs: 2},
		{name: "out of order in the table", direct: []desc{{bufAt, 1, next, 3}, {}, {bufAt + 8, 4, write, 0}, {bufAt + 2, 2, next, 2}}, read: 3, write: 4, segs: 3},
		{name: "neighbours merge", direct: []desc{{bufAt, 16, next, 1}, {bufAt + 16, 16, next, 2}, {bufAt + 32, 16, write | next, 3}, {bufAt + 48, 16, write, 0}}, read: 32, write: 32, segs: 2},
		{name: "zero length", direct: []desc{{bufAt, 0, next, 1}, {bufAt, 4, 0, 0}}, read: 4, segs: 1},
		{name: "all of the table", direct: []desc{{bufAt, 1, next, 1}, {bufAt, 1, next, 2}, {bufAt, 1, next, 3}, {bufAt, 1, next, 4}, {bufAt, 1, next, 5}, {bufAt, 1, next, 6}, {bufAt, 1, next, 7}, {bufAt, 1, 0, 0}}, read: 8, segs: 8},
		{name: "to the last byte of RAM", direct: []desc{{ramSize - 4, 4, 0, 0}}, read: 4, segs: 1},
		{name: "indirect", direct: []desc{{tableAt, 32, indirect, 0}}, table: []desc{{bufAt, 3, next, 1}, {bufAt + 9, 6, write, 0}}, read: 3, write: 6, segs: 2},
		{name: "indirect with WRITE, which is ignored", direct: []desc{{tableAt, 16, indirect | write, 0}}, table: []desc{{bufAt, 3, 0, 0}}, read: 3, segs: 1},
		{name: "direct, then indirect", direct: []desc{{bufAt, 2, next, 1}, {tableAt, 16, indirect, 0}}, table: []desc{{bufAt + 9, 6, write, 0}}, read: 2, write: 6, segs: 2},

		{name: "self loop", direct: []desc{{bufAt, 1, next, 0}}, err: FaultLoop},
		{name: "loop of two", direct: []desc{{bufAt, 1, next, 1}, {bufAt, 1, next, 0}}, err: FaultLoop},
		{name: "next past the table", direct: []desc{{bufAt, 1, next, entries}}, err: FaultDescriptor},
		{name: "past RAM", direct: []desc{{ramSize - 4, 5, 0, 0}}, err: FaultAddress},
		{name: "writable past RAM", direct: []desc{{ramSize - 4, 5, write, 0}}, err: FaultAddress},
		{name: "length 4 GiB - 1", direct: []desc{{bufAt, 0xffffffff, 0, 0}}, err: FaultAddress},
		{name: "address wraps", direct: []desc{{^uint64(0) - 1, 4, 0, 0}}, err: FaultAddress},
		{name: "address above RAM", direct: []desc{{1 << 40, 4, 0, 0}}, err: FaultAddress},
		{name: "more than 4 GiB", direct: []desc{{0, 0xf0000000, next, 1}, {0, 0xf0000000, 0, 0}}, err: FaultLength},
		{name: "readable after writable", direct: []desc{{bufAt, 1, write | next, 1}, {bufAt, 1, 0, 0}}, err: FaultOrder},
		{name: "indirect not negotiated", direct: []desc{{tableAt, 16, indirect, 0}}, noIndirect: true, err: FaultIndirect},
		{name: "indirect with NEXT", direct: []desc{{tableAt, 16, indirect | next, 1}}, err: FaultIndirectNext},
		{name: "indirect of length 0", direct: []desc{{tableAt, 0, indirect, 0}}, err: FaultIndirectTable},
		{name: "indirect of length 17", direct: []desc{{tableAt, 17, indirect, 0}}, err: FaultIndirectTable},
		{name: "indirect too long", direct: []desc{{0, (MaxIndirect + 1) * 16, indirect, 0}}, err: FaultIndirectTable},
		{name: "indirect past RAM", direct: []desc{{ramSize - 16, 32, indirect, 0}}, err: FaultIndirectTable},
		{name: "nested", direct: []desc{{tableAt, 16, indirect, 0}}, table: []desc{{tableAt, 16, indirect, 0}}, err: FaultNested},
		{name: "loop in a table", direct: []desc{{tableAt, 32, indirect, 0}}, table: []desc{{bufAt, 1, next, 1}, {bufAt, 1, next, 0}}, err: FaultLoop},
		{name: "next past an indirect table", direct: []desc{{tableAt, 16, indirect, 0}}, table: []desc{{bufAt, 1, next, 1}}, err: FaultDescriptor},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDriver(t, entries)
			d.q.Indirect = !row.noIndirect
			for i, x := range row.direct {
				d.put(descAt, i, x)
			}
			for i, x := range row.table {
				d.put(tableAt, i, x)
			}
			d.offer(0)
			var c Chain
			ok, err := d.q.Next(&c)
			if !errors.Is(err, row.err) || ok != (row.err == nil) {
				t.Fatalf("Next = %v, %v, want %v", ok, err, row.err)
			}
			if row.err != nil {
				return
			}
			if c.ReadLen() != row.read || c.WriteLen() != row.write || len(c.segs) != row.segs {
				t.Errorf("read %d, write %d, segments %d, want %d, %d, %d", c.ReadLen(), c.WriteLen(), len(c.segs), row.read, row.write, row.segs)
			}
			if ok, err := d.q.Next(&c); ok || err != nil {
				t.Errorf("second Next = %v, %v", ok, err)
			}
		})
	}
}

func TestHeadPastTable(t *testing.T) {
	d := newDriver(t, entries)
	d.offer(entries)
	var c Chain
	if _, err := d.q.Next(&c); err != FaultDescriptor {
		t.Errorf("Next: %v", err)
	}
}

func TestAvailIndex(t *testing.T) {
	for _, row := range []struct {
		name            string
		nextUsed, taken uint16 // NextAvail = nextUsed + taken
		ahead           uint16 // the driver's index is ahead of NextAvail
		err             error
	}{
		{"full ring", 0, 0, entries, nil},
		{"one too many", 0, 0, entries + 1, FaultAvailIndex},
		{"full, some taken", 0, 3, entries - 3, nil},
		{"one too many, some taken", 0, 3, entries - 2, FaultAvailIndex},
		{"backwards", 10, 0, 0xffff, FaultAvailIndex},
		{"across the wrap", 0xfffe, 1, entries - 1, nil},
		{"one too many across the wrap", 0xfffe, 1, entries, FaultAvailIndex},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDriver(t, entries)
			d.put(descAt, 0, desc{bufAt, 1, 0, 0})
			d.q.NextUsed = row.nextUsed
			d.q.NextAvail = row.nextUsed + row.taken
			binary.LittleEndian.PutUint16(d.b[availAt+2:], d.q.NextAvail+row.ahead)
			var c Chain
			if _, err := d.q.Next(&c); err != row.err && !errors.Is(err, row.err) {
				t.Errorf("Next: %v, want %v", err, row.err)
			}
		})
	}
}

func TestEnable(t *testing.T) {
	for _, row := range []struct {
		name              string
		size              uint16
		desc, avail, used uint64
		err               error
	}{
		{"good", 256, descAt, availAt, usedAt, nil},
		{"of one", 1, descAt, availAt, usedAt, nil},
		{"zero", 0, descAt, availAt, usedAt, FaultQueueSize},
		{"no power of two", 3, descAt, availAt, usedAt, FaultQueueSize},
		{"too large", 512, descAt, availAt, usedAt, FaultQueueSize},
		{"descriptors misaligned", 8, descAt + 8, availAt, usedAt, FaultQueueAddress},
		{"available misaligned", 8, descAt, availAt + 1, usedAt, FaultQueueAddress},
		{"used misaligned", 8, descAt, availAt, usedAt + 2, FaultQueueAddress},
		{"descriptors past RAM", 8, ramSize - 16, availAt, usedAt, FaultQueueAddress},
		{"available past RAM", 8, descAt, ramSize - 16, usedAt, FaultQueueAddress},
		{"used past RAM", 8, descAt, availAt, ramSize - 16, FaultQueueAddress},
		{"above 4 GiB", 8, 1 << 32, availAt, usedAt, FaultQueueAddress},
		{"wraps", 8, ^uint64(15), availAt, usedAt, FaultQueueAddress},
	} {
		t.Run(row.name, func(t *testing.T) {
			q := New(&State{Size: row.size, Desc: row.desc, Avail: row.avail, Used: row.used}, &ram{b: make([]byte, ramSize)})
			err := q.Enable(256)
			if err != row.err && !errors.Is(err, row.err) {
				t.Errorf("Enable: %v, want %v", err, row.err)
			}
			if q.Enabled != (row.err == nil) {
				t.Errorf("Enabled = %v", q.Enabled)
			}
		})
	}
}

func TestPushAndUnpop(t *testing.T) {
	d := newDriver(t, entries)
	for i := range 3 {
		d.put(descAt, i, desc{bufAt + 64*uint64(i), 8, descWrite, 0})
		d.offer(uint16(i))
	}
	var c Chain
	var heads []uint16
	for range 3 {
		if ok, err := d.q.Next(&c); !ok || err != nil {
			t.Fatal(ok, err)
		}
		heads = append(heads, c.Head)
	}
	d.q.Unpop(2)
	if ok, _ := d.q.Next(&c); !ok || c.Head != 1 {
		t.Fatalf("after Unpop: head %d, want 1", c.Head)
	}
	for i, h := range []uint16{1, 0} { // in any order (virtio 1.2, 2.7)
		if err := d.q.Push(h, uint32(100+i)); err != nil {
			t.Fatal(err)
		}
	}
	want := []byte{0, 0, 2, 0, 1, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 101, 0, 0, 0}
	if got := d.b[usedAt:][:len(want)]; !bytes.Equal(got, want) {
		t.Errorf("used ring % x, want % x", got, want)
	}
	if heads[2] != 2 {
		t.Errorf("heads %v", heads)
	}
}

func TestSignal(t *testing.T) {
	for _, row := range []struct {
		name   string
		event  bool
		flags  uint16
		want   uint16 // used_event
		pushed int
		signal bool
	}{
		{"flag clear", false, 0, 0, 1, true},
		{"flag set", false, availNoInterrupt, 0, 1, false},
		{"nothing pushed", false, 0, 0, 0, false},
		{"event: the first", true, 0, 0, 1, true},
		{"event: flag is ignored", true, availNoInterrupt, 0, 1, true},
		{"event: not yet", true, 0, 3, 3, false},
		{"event: passed in a batch", true, 0, 3, 5, true},
		{"event: behind", true, 0, 0xffff, 5, false},
		{"event: nothing pushed", true, 0, 0, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDriver(t, entries)
			d.q.EventIdx = row.event
			binary.LittleEndian.PutUint16(d.b[availAt:], row.flags)
			binary.LittleEndian.PutUint16(d.b[availAt+4+2*entries:], row.want)
			for range row.pushed {
				if err := d.q.Push(0, 0); err != nil {
					t.Fatal(err)
				}
			}
			got, err := d.q.Signal()
			if err != nil || got != row.signal {
				t.Errorf("Signal = %v, %v, want %v", got, err, row.signal)
			}
			if again, _ := d.q.Signal(); again {
				t.Error("signals twice")
			}
		})
	}
}

func TestAsk(t *testing.T) {
	d := newDriver(t, entries)
	flags := func() uint16 { return binary.LittleEndian.Uint16(d.b[usedAt:]) }
	d.q.Ask(false)
	if flags() != usedNoNotify {
		t.Errorf("flags %d after Ask(false)", flags())
	}
	before := d.writes
	d.q.Ask(false)
	if d.writes != before {
		t.Error("Ask stores what is there")
	}
	d.q.Ask(true)
	if flags() != 0 {
		t.Errorf("flags %d after Ask(true)", flags())
	}
	d.q.EventIdx = true
	binary.LittleEndian.PutUint16(d.b[availAt+2:], 77)
	d.q.Ask(true)
	if got := binary.LittleEndian.Uint16(d.b[usedAt+4+8*entries:]); got != 77 {
		t.Errorf("avail_event %d, want 77", got)
	}
	binary.LittleEndian.PutUint16(d.b[availAt+2:], 78)
	d.q.Ask(false)
	if got := binary.LittleEndian.Uint16(d.b[usedAt+4+8*entries:]); got != 77 {
		t.Errorf("avail_event %d after Ask(false), want 77", got)
	}
}

func TestCursors(t *testing.T) {
	d := newDriver(t, entries)
	copy(d.b[bufAt:], "hello, ")
	copy(d.b[bufAt+0x100:], "world")
	d.put(descAt, 0, desc{bufAt, 7, descNext, 1})
	d.put(descAt, 1, desc{bufAt + 0x100, 5, descNext, 2})
	d.put(descAt, 2, desc{bufAt + 0x200, 2, descNext | descWrite, 3})
	d.put(descAt, 3, desc{bufAt + 0x300, 2, descWrite, 0})
	d.offer(0)
	var c Chain
	if ok, err := d.q.Next(&c); !ok || err != nil {
		t.Fatal(ok, err)
	}
	r := c.Reader()
	all, err := io.ReadAll(&r)
	if err != nil || string(all) != "hello, world" {
		t.Errorf("read %q, %v", all, err)
	}
	var scratch []byte
	r = c.Reader()
	if b, err := r.Bytes(5, &scratch); string(b) != "hello" || err != nil || scratch != nil {
		t.Errorf("Bytes(5) = %q, %v; scratch used: %v", b, err, scratch != nil)
	}
	if b, err := r.Bytes(4, &scratch); string(b) != ", wo" || err != nil || cap(scratch) == 0 {
		t.Errorf("Bytes(4) = %q, %v", b, err)
	}
	if r.Len() != 3 {
		t.Errorf("Len %d, want 3", r.Len())
	}
	r.Skip(2)
	if b, err := r.Next(9); string(b) != "d" || err != nil {
		t.Errorf("Next = %q, %v", b, err)
	}
	if _, err := r.Next(1); err != io.EOF {
		t.Errorf("Next at the end: %v", err)
	}
	w := c.Writer()
	if n, err := w.Write([]byte("abc")); n != 3 || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	if n, err := w.Write([]byte("de")); n != 1 || err != io.ErrShortBuffer {
		t.Errorf("Write past the end = %d, %v", n, err)
	}
	if got := string(d.b[bufAt+0x200:][:2]) + string(d.b[bufAt+0x300:][:2]); got != "abcd" {
		t.Errorf("wrote %q", got)
	}
}

func TestWriteToROM(t *testing.T) {
	d := newDriver(t, entries)
	d.rom = 0xf000
	d.put(descAt, 0, desc{0xf000, 2, descWrite, 0})
	d.offer(0)
	var c Chain
	if ok, err := d.q.Next(&c); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w := c.Writer()
	if _, err := w.Write([]byte("x")); err != FaultAddress {
		t.Errorf("Write: %v, want %v", err, FaultAddress)
	}
}

func TestNoAllocation(t *testing.T) {
	d := newDriver(t, entries)
	d.put(descAt, 0, desc{bufAt, 64, descNext, 1})
	d.put(descAt, 1, desc{bufAt + 0x100, 64, descNext, 2})
	d.put(descAt, 2, desc{bufAt + 0x200, 64, descWrite, 0})
	var c Chain
	scratch := make([]byte, 128)
	step := func() {
		d.offer(0)
		if ok, err := d.q.Next(&c); !ok || err != nil {
			t.Fatal(ok, err)
		}
		r, w := c.Reader(), c.Writer()
		b, err := r.Bytes(128, &scratch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b[:64]); err != nil {
			t.Fatal(err)
		}
		if err := d.q.Push(c.Head, 64); err != nil {
			t.Fatal(err)
		}
		if _, err := d.q.Signal(); err != nil {
			t.Fatal(err)
		}
	}
	step()
	if n := testing.AllocsPerRun(100, step); n != 0 {
		t.Errorf("%v allocations a chain", n)
	}
}

// FuzzRing lets the guest write anything anywhere in its memory, rings
// included, between the device's steps.
func FuzzRing(f *testing.F) {
	// Descriptors at 0, the available ring at 40h, the used ring at 50h.
	seed := make([]byte, 0xa0)
	copy(seed[0x00:], []byte{0x00, 0x02, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0}) // readable, next 1
	copy(seed[0x10:], []byte{0x80, 0x00, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 4, 0, 0, 0}) // indirect at 80h
	copy(seed[0x20:], []byte{0x00, 0x03, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 2, 0, 0, 0}) // writable
	copy(seed[0x40:], []byte{0, 0, 2, 0, 0, 0, 2, 0})
	copy(seed[0x80:], []byte{0x10, 0x02, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0})
	copy(seed[0x90:], []byte{0x40, 0x03, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 2, 0, 0, 0})
	f.Add(seed, uint8(2), true, true)
	f.Add(seed, uint8(1), false, false)
	f.Add(seed[:0x48], uint8(0), true, false)
	f.Fuzz(func(t *testing.T, data []byte, order uint8, indirect, event bool) {
		const size = 0x400
		m := &ram{b: make([]byte, size)}
		copy(m.b, data)
		q := New(&State{
			Size: 1 << (order % 3), Desc: 0, Avail: 0x40, Used: 0x50,
			Indirect: indirect, EventIdx: event,
		}, m)
		if err := q.Enable(16); err != nil {
			t.Fatalf("Enable: %v", err)
		}
		var c Chain
		var scratch []byte
		for range 64 {
			ok, err := q.Next(&c)
			if err != nil || !ok {
				break
			}
			if len(c.segs) > int(q.Size)+MaxIndirect {
				t.Fatalf("%d segments", len(c.segs))
			}
			// RAM is small, so that the parts are at most RAM times segments.
			r, w := c.Reader(), c.Writer()
			if _, err := r.Bytes(min(r.Len(), 4096), &scratch); err != nil {
				t.Fatalf("Bytes: %v", err)
			}
			n, err := w.Write(scratch)
			if err != nil && err != io.ErrShortBuffer {
				t.Fatalf("Write: %v", err)
			}
			if err := q.Push(c.Head, uint32(n)); err != nil {
				t.Fatalf("Push: %v", err)
			}
			if _, err := q.Signal(); err != nil {
				t.Fatalf("Signal: %v", err)
			}
			if err := q.Ask(true); err != nil {
				t.Fatalf("Ask: %v", err)
			}
		}
	})
}
