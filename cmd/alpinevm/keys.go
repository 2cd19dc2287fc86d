package main

import (
	"cmp"
	"io"
	"sync"
)

// typedRoom is how much is kept of what was typed, or pasted, and not taken by
// the guest yet, in bytes. What is typed beyond that is lost, as at any terminal,
// and the bell rings.
const typedRoom = 1 << 20

const bell = "\a"

// keys is what is typed for the guest. It is taken from the terminal as it comes,
// whether the guest takes it or not, so that the escapes are seen whatever the
// guest does: nothing that listen calls waits for it.
type keys struct {
	escapes
	say chan string // to the terminal, which may be stopped; what comes too fast is left out

	mu    sync.Mutex
	typed []byte
	err   error // what ended the terminal
	more  chan struct{}
}

// newKeys takes keys from r and prints help and bells to w, each on a goroutine
// of its own, until r ends.
func newKeys(r io.Reader, w io.Writer, e escapes) *keys {
	k := &keys{escapes: e, say: make(chan string, 1), more: make(chan struct{}, 1)}
	k.help = func() { k.print(escapeHelp(cmp.Or(k.key, escapeKey))) }
	go func() {
		for s := range k.say {
			io.WriteString(w, s)
		}
	}()
	go k.listen(r)
	return k
}

// print never waits.
func (k *keys) print(s string) {
	select {
	case k.say <- s:
	default:
	}
}

func (k *keys) listen(r io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		lost := k.put(k.filter(buf[:n]), err)
		if lost {
			k.print(bell)
		}
		if err != nil {
			close(k.say)
			return
		}
	}
}

// put lays up what is for the guest, and tells whether some of it is lost.
func (k *keys) put(p []byte, err error) (lost bool) {
	k.mu.Lock()
	n := min(len(p), typedRoom-len(k.typed))
	k.typed, k.err = append(k.typed, p[:n]...), err
	k.mu.Unlock()
	select {
	case k.more <- struct{}{}:
	default:
	}
	return n < len(p)
}

// Read waits for what is for the guest.
func (k *keys) Read(p []byte) (int, error) {
	for {
		k.mu.Lock()
		n := copy(p, k.typed)
		k.typed = k.typed[n:]
		err := k.err
		k.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case err != nil:
			return 0, err
		}
		<-k.more
	}
}
