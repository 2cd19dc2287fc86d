package virtio

import (
	"encoding/binary"
	"fmt"

	"alpinevm/devices/virtio/virtq"
)

const (
	consoleID      = 3
	consoleSize    = 1 << 0 // VIRTIO_CONSOLE_F_SIZE
	consoleEntries = 64
	consoleConfig  = 12 // cols, rows; max_nr_ports and emerg_wr belong to other features

	consoleRX = 0
	consoleTX = 1

	consoleInput  = 16 << 10
	consoleOutput = 64 << 10
)

// ConsoleState is all that the console remembers.
type ConsoleState struct {
	Transport TransportState

	Cols, Rows uint16

	// What was typed and not taken by the guest yet, and what was printed and
	// not taken by the host yet.
	Input, Output []byte

	// Sent is how much of the buffer at the head of the transmit queue is in
	// Output already.
	Sent int
	// Printed: the driver has printed something since the last reset.
	Printed bool
}

// Console is the console device with its single port (virtio 1.2, 5.3). The
// size of its window is in its configuration.
//
// What the guest prints collects in a bounded buffer. A driver like Linux's
// hvc spins, with interrupts off, until its buffer comes back. It gets it back
// within the notification as long as there is room; when the console is Full,
// the machine is to stop stepping until ReadOutput has made room.
type Console struct {
	Transport
	cols, rows uint16
	in, out    fifo
	sent       int  // as in ConsoleState
	printed    bool // likewise
	chain      virtq.Chain
}

// NewConsole returns a console of the given size in characters.
func NewConsole(mem virtq.Memory, cols, rows uint16) *Console {
	c := &Console{cols: cols, rows: rows, in: newFIFO(consoleInput), out: newFIFO(consoleOutput)}
	m := model{id: consoleID, class: classSerial, features: consoleSize, queues: []uint16{consoleEntries, consoleEntries}}
	c.init(m, c, mem)
	return c
}

// Save gives a copy of the state.
func (c *Console) Save() ConsoleState {
	return ConsoleState{c.save(), c.cols, c.rows, c.in.bytes(), c.out.bytes(), c.sent, c.printed}
}

// Restore puts back a saved state.
func (c *Console) Restore(s ConsoleState) error {
	if len(s.Input) > consoleInput || len(s.Output) > consoleOutput || s.Sent < 0 {
		return fmt.Errorf("console: %d bytes typed, %d printed, %d of a buffer", len(s.Input), len(s.Output), s.Sent)
	}
	if err := c.check(&s.Transport); err != nil {
		return err
	}
	c.restore(s.Transport)
	c.cols, c.rows, c.sent, c.printed = s.Cols, s.Rows, s.Sent, s.Printed
	c.in.clear()
	c.in.put(s.Input)
	c.out.clear()
	c.out.put(s.Output)
	return nil
}

// Resize gives the window a new size in characters.
func (c *Console) Resize(cols, rows uint16) {
	if cols == c.cols && rows == c.rows {
		return
	}
	c.cols, c.rows = cols, rows
	c.configChanged()
}

// Announce has the driver look at the window's size: Linux's does so only when
// the configuration changes, and only then may it, as it has a port by then
// (drivers/char/virtio_console.c, config_work_handler).
func (c *Console) Announce() { c.configChanged() }

// Input types p and returns how many of its bytes were accepted; the others
// are to be offered again later.
func (c *Console) Input(p []byte) int {
	n := c.in.put(p)
	c.kick(consoleRX)
	return n
}

// InputRoom is the number of bytes that Input would accept.
func (c *Console) InputRoom() int { return consoleInput - c.in.n }

// Buffered is the number of bytes that ReadOutput has ready.
func (c *Console) Buffered() int { return c.out.n }

// Full reports whether output waits in the guest for room in the buffer.
func (c *Console) Full() bool { return c.out.n == consoleOutput }

// ReadOutput moves printed bytes into p and returns how many. The room that it
// makes is used at once by output that waited.
func (c *Console) ReadOutput(p []byte) int {
	waiting := c.Full()
	n := c.out.take(p)
	if waiting && n > 0 {
		c.kick(consoleTX)
	}
	return n
}

func (c *Console) accepts(uint64) bool { return true }

func (c *Console) config() []byte {
	b := make([]byte, consoleConfig)
	binary.LittleEndian.PutUint16(b, c.cols)
	binary.LittleEndian.PutUint16(b[2:], c.rows)
	return b
}

func (c *Console) forget(q int) {
	if q == consoleTX {
		c.sent, c.printed = 0, false
	}
}

func (c *Console) notify(q int) error {
	if q == consoleRX {
		return c.receive()
	}
	return c.transmit()
}

// receive gives the guest what was typed (virtio 1.2, 5.3.6).
func (c *Console) receive() error {
	q, in := c.queues[consoleRX], &c.in
	for range q.Size {
		if in.n == 0 {
			break
		}
		ok, err := q.Next(&c.chain)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		w := c.chain.Writer()
		n := 0
		for in.n > 0 && w.Len() > 0 {
			b, err := w.Next(len(in.data()))
			if err != nil {
				return err
			}
			n += in.take(b)
		}
		if err := q.Push(c.chain.Head, uint32(n)); err != nil {
			return err
		}
	}
	// New buffers matter only while something waits for them.
	if err := q.Ask(in.n > 0); err != nil {
		return err
	}
	return c.signal(consoleRX)
}

// transmit takes what the guest prints, as far as there is room.
func (c *Console) transmit() error {
	q, out := c.queues[consoleTX], &c.out
	for range q.Size {
		ok, err := q.Next(&c.chain)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if !c.printed {
			c.printed = true
			c.Announce()
		}
		r := c.chain.Reader()
		r.Skip(c.sent)
		for r.Len() > 0 && out.n < consoleOutput {
			b, err := r.Next(consoleOutput - out.n)
			if err != nil {
				return err
			}
			c.sent += out.put(b)
		}
		if r.Len() > 0 {
			q.Unpop(1) // goes on when there is room
			break
		}
		c.sent = 0
		if err := q.Push(c.chain.Head, 0); err != nil {
			return err
		}
	}
	if err := q.Ask(true); err != nil {
		return err
	}
	return c.signal(consoleTX)
}
