package board

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestBell wakes a goroutine that waits, on as many processors as there are and
// on one, which waits in another way.
func TestBell(t *testing.T) {
	for _, procs := range []int{max(2, runtime.NumCPU()), 1} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		b := newBell()
		if b.heard() {
			t.Error("a new bell was rung")
		}
		from := time.Now()
		b.wait(20 * time.Millisecond)
		if d := time.Since(from); d < 15*time.Millisecond {
			t.Errorf("nobody rang, but the wait took %v", d)
		}
		b.ring()
		b.ring()
		from = time.Now()
		b.wait(time.Hour)
		if !b.heard() || b.heard() {
			t.Error("two rings before the wait are not heard as one")
		}
		// Each ring is heard, whenever it comes.
		const rings = 2000
		var wg sync.WaitGroup
		next := make(chan struct{})
		wg.Go(func() {
			for range rings {
				b.ring()
				<-next
			}
		})
		for n := 0; n < rings; {
			b.wait(time.Hour)
			if b.heard() {
				n++
				next <- struct{}{}
			}
		}
		wg.Wait()
		if d := time.Since(from); d > time.Minute {
			t.Errorf("%d rings took %v", rings, d)
		}
	}
}
