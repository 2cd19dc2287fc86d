package board

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"alpinevm/internal/baretest"
)

// TestKick posts from many goroutines while the machine runs: all is done, on
// the machine goroutine, in each one's order.
func TestKick(t *testing.T) {
	for name, program := range map[string]string{"busy": baretest.Loop, "idle": baretest.Idle} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Config{}, flat(t, program))
			const posters, each = 8, 500
			var next [posters]int // the machine goroutine's
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			for p := range posters {
				wg.Go(func() {
					for i := range each {
						r.Kick(func() {
							if next[p] != i {
								t.Errorf("poster %d: %d came before %d", p, i, next[p])
							}
							next[p]++
						})
					}
					r.Kick(func() { r.Resize(80, 25); r.PowerButton() })
				})
			}
			go func() {
				wg.Wait()
				r.Kick(func() { r.Kick(cancel) }) // a kick may kick
			}()
			if err := r.Run(ctx); err != context.Canceled {
				t.Fatal(err)
			}
			for p, n := range next {
				if n != each {
					t.Errorf("poster %d: %d of %d done", p, n, each)
				}
			}
		})
	}
}

// TestOneProcessor has a busy machine, where there is one processor, let others
// have it after a step or two, not when the runtime takes it away.
func TestOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := newRig(t, Config{}, flat(t, baretest.Loop))
	const kicks = 100
	var retired uint64 // while there was a kick on its way
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		done := make(chan struct{})
		var from uint64
		for i := range kicks {
			r.Kick(func() {
				if i > 0 {
					retired += r.Instructions() - from
				}
				from = r.Instructions()
				done <- struct{}{}
			})
			<-done
		}
	}()
	if err := r.Run(ctx); err != context.Canceled {
		t.Fatal(err)
	}
	// A step is 100 microseconds, the runtime's patience 10 milliseconds.
	if steps := retired / kicks / uint64(r.clock.budget(never)); steps > 20 {
		t.Errorf("a kick takes as long as %d steps", steps)
	}
}

// pumped runs what is kicked until done.
func pumped(t *testing.T, k *kicks, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); {
		k.bell.wait(10 * time.Millisecond)
		k.drain()
		if time.Now().After(end) {
			t.Fatal("nothing happens")
		}
	}
}

func TestOutlet(t *testing.T) {
	k := newKicks()
	var got, want bytes.Buffer
	o := newOutlet(&got, k.post)
	defer o.close()
	for i := range 1000 {
		p := bytes.Repeat([]byte{byte(i)}, i)
		want.Write(p)
		o.put(p)
		if i%10 == 0 {
			k.drain()
		}
	}
	pumped(t, k, o.empty)
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes written, or others than the %d put", got.Len(), want.Len())
	}
	none := newOutlet(nil, k.post)
	none.put([]byte("x"))
	if !none.empty() || none.full() {
		t.Error("an outlet to nowhere keeps what it gets")
	}
}

// TestOutletError has a writer fail: the rest is dropped, and nothing waits.
func TestOutletError(t *testing.T) {
	k := newKicks()
	r, w := io.Pipe()
	r.CloseWithError(errors.New("gone"))
	o := newOutlet(w, k.post)
	defer o.close()
	o.put([]byte("lost"))
	pumped(t, k, o.empty)
	if o.err == nil {
		t.Error("the error is lost")
	}
	o.put(make([]byte, 2*outletRoom))
	if o.full() || !o.empty() {
		t.Error("an outlet whose writer fails holds the machine up")
	}
}

func TestInlet(t *testing.T) {
	k := newKicks()
	want := make([]byte, 100_000)
	for i := range want {
		want[i] = byte(i * 7)
	}
	var got []byte
	room, ended := 0, error(nil)
	take := func(p []byte) int {
		n := min(len(p), room)
		got = append(got, p[:n]...)
		room -= n
		return n
	}
	in := newInlet(iotest.DataErrReader(bytes.NewReader(want)), k.post, take, func(err error) { ended = err })
	defer in.close()
	pumped(t, k, func() bool {
		room = 777
		in.pump()
		return ended != nil
	})
	if ended != io.EOF || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d came in, or others; %v", len(got), len(want), ended)
	}
}
