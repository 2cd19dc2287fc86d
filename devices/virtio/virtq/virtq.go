// Package virtq is the split virtqueue of virtio 1.2 (2.6 and 2.7) seen from
// the device: descriptor chains, indirect tables, the available and the used
// ring, and notification suppression by flag and by event index. It knows no
// device and no transport. It does not model packed rings.
//
// The ring lies in memory that the guest owns and is not to be trusted. Every
// rule that a driver can break is reported as a Fault; the work done for one
// entry is bounded by the size of its descriptor table, and that for one
// notification by the size of the ring. Nothing is allocated once a Chain has
// grown to the longest chain that it has met.
//
// All methods are called on the machine goroutine.
package virtq

import (
	"encoding/binary"
	"math"
)

// MaxSize is the largest number of entries that a queue may have (virtio 1.2,
// 2.7).
const MaxSize = 32768

// MaxIndirect is the largest number of descriptors in an indirect table.
//
// Deviation: virtio 1.2, 2.7.5.3.1 limits a chain to the queue size. Linux
// exceeds it with indirect tables, and no device here needs the rule.
const MaxIndirect = 1024

// Memory is the guest's memory as a device sees it.
type Memory interface {
	// View returns the n bytes at guest-physical address gpa, or false where
	// not all of them are RAM. The slice is valid until the device returns to
	// its caller. write tells that the device will store into it, so that code
	// translated from those bytes is dropped first.
	View(gpa uint64, n int, write bool) ([]byte, bool)
}

// Fault is a rule that the driver broke. The device is to stop and say
// DEVICE_NEEDS_RESET.
type Fault string

func (f Fault) Error() string { return "virtqueue: " + string(f) }

// The faults.
const (
	FaultQueueSize     Fault = "size is not a power of two up to the maximum"
	FaultQueueAddress  Fault = "a ring is misaligned or not in RAM"
	FaultAvailIndex    Fault = "available index runs ahead of the ring"
	FaultDescriptor    Fault = "descriptor index past the table"
	FaultLoop          Fault = "descriptor chain loops"
	FaultOrder         Fault = "device-readable buffer after a device-writable one"
	FaultAddress       Fault = "buffer not in RAM"
	FaultLength        Fault = "chain is longer than 4 GiB"
	FaultIndirect      Fault = "indirect descriptor without VIRTIO_F_INDIRECT_DESC"
	FaultIndirectNext  Fault = "indirect descriptor with NEXT"
	FaultIndirectTable Fault = "indirect table of an illegal size or not in RAM"
	FaultNested        Fault = "indirect descriptor in an indirect table"
)

// Descriptor flags (virtio 1.2, 2.7.5).
const (
	descNext     = 1
	descWrite    = 2
	descIndirect = 4
)

const (
	availNoInterrupt = 1 // VIRTQ_AVAIL_F_NO_INTERRUPT (virtio 1.2, 2.7.6)
	usedNoNotify     = 1 // VIRTQ_USED_F_NO_NOTIFY (virtio 1.2, 2.7.8)
)

const descSize = 16

// State is all that a queue remembers.
type State struct {
	Size    uint16 // entries, a power of two
	Enabled bool

	Desc, Avail, Used uint64 // guest-physical addresses of the three parts

	Indirect bool // VIRTIO_F_INDIRECT_DESC was negotiated
	EventIdx bool // VIRTIO_F_EVENT_IDX was negotiated

	NextAvail uint16 // index of the next entry to take from the available ring
	NextUsed  uint16 // the used ring's index
	Signalled uint16 // NextUsed when Signal was last asked
	Quiet     bool   // USED_F_NO_NOTIFY is set in the ring
}

// Queue is one split virtqueue.
type Queue struct {
	*State
	mem Memory
}

// New returns a queue over mem that keeps its state in s.
func New(s *State, mem Memory) *Queue { return &Queue{State: s, mem: mem} }

// Reset disables the queue and gives it size entries.
func (q *Queue) Reset(size uint16) { *q.State = State{Size: size} }

// Enable starts the queue with the size and addresses of its State. max is
// the largest size allowed.
func (q *Queue) Enable(max uint16) error {
	if err := q.check(q.State, max); err != nil {
		return err
	}
	q.NextAvail, q.NextUsed, q.Signalled, q.Quiet = 0, 0, 0, false
	q.Enabled = true
	return nil
}

// Check says why the queue could not go on with another State.
func (q *Queue) Check(s State, max uint16) error {
	if n := s.Size; !s.Enabled {
		if n == 0 || n&(n-1) != 0 || n > max {
			return FaultQueueSize
		}
		return nil
	}
	return q.check(&s, max)
}

// check looks at size and addresses.
func (q *Queue) check(s *State, max uint16) error {
	n := uint64(s.Size)
	if n == 0 || n&(n-1) != 0 || s.Size > max || max > MaxSize {
		return FaultQueueSize
	}
	// virtio 1.2, 2.7: alignment and size of each part.
	parts := [3]struct{ addr, align, size uint64 }{
		{s.Desc, 16, descSize * n},
		{s.Avail, 2, 6 + 2*n},
		{s.Used, 4, 6 + 8*n},
	}
	for _, p := range parts {
		if p.addr%p.align != 0 {
			return FaultQueueAddress
		}
		if _, ok := q.mem.View(p.addr, int(p.size), false); !ok {
			return FaultQueueAddress
		}
	}
	return nil
}

// Next takes the next chain that the driver has made available into c. It
// reports false if there is none. The chain stays the device's until Push.
func (q *Queue) Next(c *Chain) (bool, error) {
	avail, ok := q.mem.View(q.Avail, 4+2*int(q.Size), false)
	if !ok {
		return false, FaultQueueAddress
	}
	idx := binary.LittleEndian.Uint16(avail[2:])
	if idx == q.NextAvail {
		return false, nil
	}
	// The driver may have no more entries outstanding than the ring has.
	if idx-q.NextUsed > q.Size {
		return false, FaultAvailIndex
	}
	head := binary.LittleEndian.Uint16(avail[4+2*int(q.NextAvail&(q.Size-1)):])
	if err := q.Again(head, c); err != nil {
		return false, err
	}
	q.NextAvail++
	return true, nil
}

// Again finds the chain that starts at head, which has been taken and is still
// the device's, once more.
func (q *Queue) Again(head uint16, c *Chain) error {
	c.Head, c.mem = head, q.mem
	return q.walk(c)
}

// Unpop puts the last n chains taken, none of which has been pushed, back into
// the available ring.
func (q *Queue) Unpop(n int) { q.NextAvail -= uint16(n) }

// walk collects the buffers of the chain that starts at c.Head.
func (q *Queue) walk(c *Chain) error {
	c.segs, c.readable = c.segs[:0], 0
	c.readLen, c.writeLen = 0, 0
	n := uint32(q.Size)
	table, ok := q.mem.View(q.Desc, descSize*int(n), false)
	if !ok {
		return FaultQueueAddress
	}
	indirect := false
	i := uint32(c.Head)
	for left := n; ; left-- {
		if i >= n {
			return FaultDescriptor
		}
		if left == 0 {
			return FaultLoop
		}
		d := table[descSize*i:][:descSize]
		addr := binary.LittleEndian.Uint64(d)
		size := binary.LittleEndian.Uint32(d[8:])
		flags := binary.LittleEndian.Uint16(d[12:])
		if flags&descIndirect != 0 {
			// virtio 1.2, 2.7.5.3.1 and 2.7.5.3.2. The WRITE flag of a
			// descriptor that refers to a table is ignored.
			switch {
			case indirect:
				return FaultNested
			case !q.Indirect:
				return FaultIndirect
			case flags&descNext != 0:
				return FaultIndirectNext
			case size == 0 || size%descSize != 0 || size > MaxIndirect*descSize:
				return FaultIndirectTable
			}
			if table, ok = q.mem.View(addr, int(size), false); !ok {
				return FaultIndirectTable
			}
			indirect = true
			i, n = 0, size/descSize
			left = n + 1
			continue
		}
		if err := c.add(addr, size, flags&descWrite != 0); err != nil {
			return err
		}
		if flags&descNext == 0 {
			return c.check()
		}
		i = uint32(binary.LittleEndian.Uint16(d[14:]))
	}
}

// Push gives the chain that starts at head back to the driver, with n bytes
// written into its device-writable part.
func (q *Queue) Push(head uint16, n uint32) error {
	elem, ok := q.mem.View(q.Used+4+8*uint64(q.NextUsed&(q.Size-1)), 8, true)
	if !ok {
		return FaultQueueAddress
	}
	binary.LittleEndian.PutUint32(elem, uint32(head))
	binary.LittleEndian.PutUint32(elem[4:], n)
	idx, ok := q.mem.View(q.Used+2, 2, true)
	if !ok {
		return FaultQueueAddress
	}
	q.NextUsed++
	binary.LittleEndian.PutUint16(idx, q.NextUsed)
	return nil
}

// Signal reports whether the driver wants to be interrupted for what was
// pushed since the last call (virtio 1.2, 2.7.7).
func (q *Queue) Signal() (bool, error) {
	old := q.Signalled
	q.Signalled = q.NextUsed
	if old == q.NextUsed {
		return false, nil
	}
	if !q.EventIdx {
		flags, ok := q.mem.View(q.Avail, 2, false)
		if !ok {
			return false, FaultQueueAddress
		}
		return binary.LittleEndian.Uint16(flags)&availNoInterrupt == 0, nil
	}
	event, ok := q.mem.View(q.Avail+4+2*uint64(q.Size), 2, false)
	if !ok {
		return false, FaultQueueAddress
	}
	return passed(binary.LittleEndian.Uint16(event), q.NextUsed, old), nil
}

// passed reports whether an index that moved from old to now went past event
// (virtio 1.2, 2.7.10: vring_need_event).
func passed(event, now, old uint16) bool { return now-event-1 < now-old }

// Ask tells the driver whether a notification is wanted for the next chain
// that it makes available, whether or not those before it were taken. It is a
// hint: the driver may notify in any case.
func (q *Queue) Ask(want bool) error {
	if q.EventIdx {
		if !want {
			return nil // the index it has is behind and will not be passed
		}
		idx, ok := q.mem.View(q.Avail+2, 2, false)
		if !ok {
			return FaultQueueAddress
		}
		event, ok := q.mem.View(q.Used+4+8*uint64(q.Size), 2, true)
		if !ok {
			return FaultQueueAddress
		}
		copy(event, idx)
		return nil
	}
	if q.Quiet == !want {
		return nil
	}
	flags, ok := q.mem.View(q.Used, 2, true)
	if !ok {
		return FaultQueueAddress
	}
	v := uint16(0)
	if !want {
		v = usedNoNotify
	}
	binary.LittleEndian.PutUint16(flags, v)
	q.Quiet = !want
	return nil
}

// maxChain is the number of bytes that a chain may span (virtio 1.2, 2.7.5),
// and no more than an int counts.
const maxChain = min(1<<32, math.MaxInt)
