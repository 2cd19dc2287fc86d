package fs9p

// A Purpose says what a change is for. A back end that is full keeps something
// back, in memory or on a disk, for what makes room again.
type Purpose uint8

const (
	ForChange  Purpose = iota // for whatever: it takes nothing of what is kept back
	ForRemoval                // something is no longer to be seen: half of it
	ForRoom                   // something goes that takes room: all of it
)

// IsFull tells whether something was refused for want of room: ENOSPC or EDQUOT.
func IsFull(err error) bool {
	e := ErrnoOf(err)
	return e == ENOSPC || e == EDQUOT
}
