package board

import (
	"context"
	"runtime"
	"testing"
	"time"

	"alpinevm/internal/baretest"
)

// TestTicksTakeTime holds the host's clock to its word: 20 interrupts at 100 Hz
// take 200 ms, and waiting for them is no work.
func TestTicksTakeTime(t *testing.T) {
	r := newRig(t, Config{}, flat(t, baretest.Ticks))
	from := time.Now()
	if err := r.Run(context.Background()); err != nil || r.end != "debug exit 20" {
		t.Fatal(r.end, err)
	}
	if d := time.Since(from); d < 189*time.Millisecond {
		t.Errorf("20 ticks took %v", d)
	}
	if n := r.Instructions(); n > 1000 {
		t.Errorf("%d instructions", n)
	}
}

// TestCancel ends runs that would go on for ever.
func TestCancel(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	for _, tt := range []struct {
		name, program string
		cfg           Config
	}{
		{"busy", baretest.Loop, Config{}},
		{"idle", baretest.Idle, Config{}},
		{"blocked", baretest.Flood, Config{Serial: stuck(never)}},
		{"deterministic", baretest.Loop, Config{Deterministic: true}},
		{"deterministic idle", baretest.Idle, Config{Deterministic: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.cfg, flat(t, tt.program))
			late := time.Hour
			for tries := 0; tries < 100 && late > 100*time.Millisecond; tries++ { // the host may be busy with something else at times
				ctx, cancel := context.WithCancel(context.Background())
				var at time.Time
				time.AfterFunc(20*time.Millisecond, func() { at = time.Now(); cancel() })
				if err := r.Run(ctx); err != context.Canceled {
					t.Fatal(r.end, err)
				}
				late = min(late, time.Since(at))
			}
			if late > 100*time.Millisecond {
				t.Errorf("the end came %v after the cancellation", late)
			}
			// It goes on where it was. On a busy host the time can be over before it has begun.
			before := r.Instructions()
			for tries := 0; tries < 100 && r.Instructions() == before; tries++ {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
				defer cancel()
				if err := r.Run(ctx); err != context.DeadlineExceeded {
					t.Error(err)
				}
				if tt.name != "busy" {
					return
				}
			}
			if r.Instructions() == before {
				t.Error("a run after a cancellation does nothing")
			}
		})
	}
}

// stuck is a writer that never writes.
type stuck chan struct{}

func (s stuck) Write(p []byte) (int, error) { <-s; return len(p), nil }

// TestBlocked has a guest that prints more than its host takes: the machine
// waits, loses nothing and goes on.
func TestBlocked(t *testing.T) {
	let := make(chan struct{})
	w := &slow{let: let}
	r := newRig(t, Config{Serial: w}, flat(t, baretest.Flood))
	defer close(let)
	printed := func() int64 { return r.log.N }
	for s := Running; s != Blocked; s, _ = r.Step() {
		if printed() > 10*outletRoom {
			t.Fatal("output that nobody takes does not stop the machine")
		}
	}
	n := printed()
	for range 10 {
		if s, _ := r.Step(); s != Blocked {
			t.Fatalf("status %d", s)
		}
	}
	if printed() != n {
		t.Error("a blocked machine prints")
	}
	let <- struct{}{}
	for s := Blocked; s == Blocked; s, _ = r.Step() {
		runtime.Gosched()
	}
	for printed() == n {
		r.Step()
	}
}

// slow writes when it is let.
type slow struct{ let chan struct{} }

func (s *slow) Write(p []byte) (int, error) { <-s.let; return len(p), nil }
