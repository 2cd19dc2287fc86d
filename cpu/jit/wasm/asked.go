package wasm

// asked counts how often the processor has found the blocks at arena offsets hot. Blocks
// that share a count are translated the sooner.
type asked [1 << askedBits]uint8

const askedBits = 14

func (a *asked) at(off uint32) *uint8 { return &a[off*0x9e3779b1>>(32-askedBits)] }

// often counts, and says whether that makes as many as are wanted.
func (a *asked) often(off uint32, want uint8) bool {
	n := a.at(off)
	*n += 1 - *n/255
	return *n >= want
}

// before says whether it has counted at all.
func (a *asked) before(off uint32) bool { return *a.at(off) != 0 }

func (a *asked) forget(off uint32) { *a.at(off) = 0 }
