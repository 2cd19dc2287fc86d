//go:build !js

package board

import (
	"runtime"
	"time"
)

// stepTime is about how long a step is at most, on either clock.
const stepTime = 100 * time.Microsecond

// tickSlack is five ticks of Debian's kernels.
const tickSlack = 20 * time.Millisecond

// turns lets others have the processor where there is no other one: who has something
// for the guest, or takes what it prints, would wait for the runtime to take this one
// away, ten milliseconds. Where there is one, yielding would wake it for nothing.
type turns struct{ alone bool }

func newTurns() *turns { return &turns{runtime.GOMAXPROCS(0) == 1} }

func (*turns) kicked() {}

func (*turns) given() {}

func (t *turns) take() {
	if t.alone {
		runtime.Gosched()
	}
}
