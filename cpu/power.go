package cpu

import (
	"errors"

	"alpinevm/cpu/x86"
)

// New makes a CPU in its power-on state.
func New(cfg Config) (*CPU, error) {
	if cfg.Mem == nil {
		return nil, errors.New("cpu: Config.Mem is nil")
	}
	c := &new(apart).cpu
	c.mem, c.ram = cfg.Mem, cfg.Mem.Attach(c)
	if c.Core = cfg.Core; c.Core == nil {
		c.Core = new(Core)
	}
	c.ports, c.ack, c.tsc, c.overdue = cfg.Ports, cfg.AckIRQ, cfg.TSC, cfg.Overdue
	c.random, c.model = cfg.Random, cfg.Model
	if c.ack == nil {
		c.ack = func() uint8 { return 0xff } // as an empty bus reads
	}
	if c.ports == nil {
		c.ports = noPorts{}
	}
	c.features = c.shown()
	c.blocks.init(cfg.Mem)
	c.Reset()
	return c, nil
}

type noPorts struct{}

func (noPorts) In(_ uint16, size int) uint32 { return uint32(1<<(8*size) - 1) }
func (noPorts) Out(uint16, int, uint32)      {}

// Reload derives what the CPU caches from State after someone else has changed
// it: a loader, a test, a snapshot.
func (c *CPU) Reload() {
	for i := range c.Seg {
		c.Seg[i].refresh()
	}
	c.flushTLB(true)
	c.modeChanged()
	c.updateEvents()
}

// Reset is the RESET pin: the power-on state, effective before the next
// instruction. The count of retired instructions goes on.
func (c *CPU) Reset() {
	if c.running {
		c.ResetPin = true
		c.post(pendReset)
		return
	}
	c.reset()
}

func (c *CPU) reset() {
	intr := c.IntrPin
	c.State.power(c.model)
	c.IntrPin = intr
	c.Reload()
}

// power sets the power-on state (SDM vol. 3A 9.1.1).
func (s *State) power(model Model) {
	retired := s.Retired
	*s = State{Retired: retired, Paused: ^uint64(0), A20: true, Flags: 2, EIP: 0xfff0, CR0: 0x60000010}
	for i := range s.Seg {
		s.Seg[i] = Seg{Limit: 0xffff, Attr: AttrP | AttrS | AttrWritable | AttrAccessed}
	}
	cs := &s.Seg[x86.CS]
	cs.Sel, cs.Base, cs.Attr = 0xf000, 0xffff0000, cs.Attr|AttrCode
	s.Seg[segLDTR].Attr = AttrP | 2
	s.Seg[segTR].Attr = AttrP | 0xb
	s.GDTR.Limit, s.IDTR.Limit = 0xffff, 0xffff
	s.R[x86.EDX] = model.signature()
	s.DR[6], s.DR[7] = 0xffff0ff0, 0x400
	s.Res = 1
	s.SetArith(0)
	s.PAT = 0x0007040600070406
	s.MiscEnable = 1
	s.FPU.CW, s.FPU.MXCSR, s.FPU.Used = 0x40, 0x1f80, 0xff
	s.clearTLB()
}

// apart keeps a CPU from lying at the same place in its page as a Core does: a
// processor takes a load for one of what was just stored where the low 12 bits
// of their addresses agree, and waits.
type apart struct {
	_   [2048]byte
	cpu CPU
}
