package cpu

// source tells where an event comes from (SDM vol. 3A 6.12.1.2 and 6.13).
type source uint8

const (
	exception source = iota // a fault or trap of the processor
	external                // INTR or NMI
	software                // INT n, INT3, INTO
	icebp                   // INT1
)

// deliver delivers c.Fault for the instruction at c.EIP.
func (c *CPU) deliver() { panic("BUG: deliver") }

// interrupt delivers an interrupt of the given vector; c.EIP is where execution goes on afterwards.
func (c *CPU) interrupt(vector uint8, src source) { panic("BUG: interrupt") }
