package cpu

import "alpinevm/cpu/x86"

// The protocol of leaving a block. An op says by its status how execution goes
// on: next runs the op behind it, the others end the block. Whoever changes what
// the rest of the block, or a link out of it, was made under (code, translations,
// mode), or brings up an event, calls stop: the current op is the last one of
// its block, and what follows it is looked for anew. An op that cannot do its
// work without an exact count asks for retry and is executed again, alone.

// stop makes the current block end behind the current op. It may be called at
// any time.
func (c *CPU) stop() { c.n = 0 }

// stopped says whether stop was called since the current block was entered.
func (c *CPU) stopped() bool { return c.n == 0 }

// status is what a handler returns.
type status uint8

const (
	// next: the instruction has retired; the one behind it follows. EIP
	// is not touched by the handler.
	next status = iota
	// jump: retired, and EIP holds the target of a direct near branch.
	jump
	// elsewhere: retired, and EIP holds the address of the instruction
	// that follows, found by other means: an indirect or far branch, or a
	// change of mode.
	elsewhere
	// faulted: not retired, nothing the guest can see has changed, and
	// Fault says which exception to deliver, or a retry was asked for.
	faulted
)

// handler executes one instruction. While it runs, c.EIP is the address of the
// block's first instruction: o.eip and o.nextEIP give the instruction's own.
type handler func(c *CPU, o *op) status

// op is one decoded instruction, 32 bytes.
type op struct {
	fn    handler
	imm   uint32 // immediate; for a direct branch the distance from the block's start to the target
	disp  uint32 // displacement; for a far pointer or ENTER the second immediate
	reg   uint8  // ModRM.reg or the register in the opcode; for the byte forms its number and 3
	rm    uint8  // ModRM.rm likewise, where it is a register
	regSh uint8  // byte forms: 8 for AH CH DH BH, else 0
	rmSh  uint8
	base  uint8
	index uint8
	scale uint8
	seg   uint8
	start uint16 // offset of the instruction in its block
	len   uint8
	size  uint8 // operand size in bytes
	flags opFlags
	cond  uint8
	form  x86.Form
}

type opFlags uint8

const (
	opMem    opFlags = 1 << iota // the ModRM operand is memory
	opAddr16                     // 16-bit address size
	opRep                        // F3
	opRepne                      // F2
	opLock                       // F0
)

// eip is the instruction's own address.
func (o *op) eip(c *CPU) uint32 { return c.EIP + uint32(o.start) }

// nextEIP is the address of the instruction behind it.
func (o *op) nextEIP(c *CPU) uint32 { return c.EIP + uint32(o.start) + uint32(o.len) }
