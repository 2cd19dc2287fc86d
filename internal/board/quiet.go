package board

import "time"

// quiet finds out whether a guest does nothing but tick.
//
// A kernel that ticks when it is idle, as Debian's does 250 times a second,
// costs the host more by being woken than by what it does then: the host's
// scheduler, and caches that hold other things by then. So a quiet guest gets
// several ticks in a row, after which it is up to date. The first of them is
// late; what is then due in the guest waits up to tickSlack, once, since a
// guest that does things is not quiet.
type quiet struct {
	unrest  int
	retired uint64 // by the processor when it halted last
}

const (
	// tickApart is the longest time between ticks that cost enough to care.
	tickApart = 10 * time.Millisecond
	// tickWork is more instructions than a tick takes if nothing is due: Linux
	// 6.1 takes 2,700 to 4,500. Something is 5 times a second in an idle guest.
	tickWork = 5000
	// Each time that more is done counts for as many times that less is: one in
	// sixteen is the limit.
	unrestStep = 16
	unrestMax  = 4 * unrestStep
	unrestLow  = 3 * unrestStep
)

func newQuiet() quiet { return quiet{unrest: unrestMax} }

// halted is to be told of every time that the processor halts: how many
// instructions it has retired so far, and how far off the next timer is.
func (q *quiet) halted(retired uint64, d time.Duration) {
	if retired-q.retired > tickWork || d > tickApart {
		q.unrest = min(q.unrest+unrestStep, unrestMax)
	} else {
		q.unrest = max(q.unrest-1, 0)
	}
	q.retired = retired
}

// slack is how late the next timer may be.
func (q *quiet) slack() time.Duration {
	if q.unrest > unrestLow {
		return 0
	}
	return tickSlack
}
