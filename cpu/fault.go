package cpu

// Exception vectors (SDM vol. 3A table 6-1).
const (
	vecDE uint8 = 0
	vecDB uint8 = 1
	vecBP uint8 = 3
	vecOF uint8 = 4
	vecBR uint8 = 5
	vecUD uint8 = 6
	vecNM uint8 = 7
	vecDF uint8 = 8
	vecTS uint8 = 10
	vecNP uint8 = 11
	vecSS uint8 = 12
	vecGP uint8 = 13
	vecPF uint8 = 14
	vecMF uint8 = 16
	vecAC uint8 = 17
	vecXM uint8 = 19
)

// raise records an exception without error code.
func (c *CPU) raise(vector uint8) status {
	c.Fault = Fault{Vector: vector}
	return faulted
}

// raiseCode records an exception with an error code.
func (c *CPU) raiseCode(vector uint8, code uint32) status {
	c.Fault = Fault{Vector: vector, Code: code, HasCode: true}
	return faulted
}

// raiseSel records an exception whose error code is a selector (SDM vol. 3A
// 6.13). ext is the EXT bit.
func (c *CPU) raiseSel(vector uint8, sel uint16, ext uint32) status {
	return c.raiseCode(vector, uint32(sel&^3)|ext)
}

// pageFault records #PF at lin.
func (c *CPU) pageFault(lin, code uint32) {
	c.CR2 = lin
	c.raiseCode(vecPF, code)
}

// retry asks for the instruction to be executed again, alone, so that
// State.Retired is exact when a device or a counter looks at the time. It
// stands in a path that has changed nothing yet. The handler returns faulted.
func (c *CPU) retry() { c.retrying = true }

// exact says whether State.Retired is exact; where it is not, the handler must
// return at once what exact returns.
func (c *CPU) exact() (status, bool) {
	if c.precise {
		return next, true
	}
	c.retry()
	return faulted, false
}
