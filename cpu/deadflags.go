package cpu

// flagUse is what an instruction does to the arithmetic flags, as far as
// dropping dead ones needs to know.
type flagUse uint8

const (
	// flagsSeen: it reads flags, or it may fault, which pushes them, or
	// nothing is known of it.
	flagsSeen flagUse = iota
	// flagsKept: it neither reads nor writes them and cannot fault.
	flagsKept
	// flagsSet: it writes all six, reads none and cannot fault.
	flagsSet
)

// effects are what the selector said of one instruction.
type effects struct {
	use   flagUse
	quiet handler
}

// dropDeadFlags gives the instructions of a block whose flags are overwritten
// before anything can see them their quiet handlers. Behind the block's end
// everything is seen.
func (k *blockCache) dropDeadFlags(n int) (any bool) {
	dead := false
	for i := n - 1; i >= 0; i-- {
		e := &k.effects[i]
		if dead && e.quiet != nil {
			k.building[i].fn = e.quiet
			any = true
		}
		switch e.use {
		case flagsSeen:
			dead = false
		case flagsSet:
			dead = true
		}
	}
	return any
}
