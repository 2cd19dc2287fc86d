package board

import "sync"

// kicks is the queue of closures that other goroutines post to the machine.
type kicks struct {
	mu    sync.Mutex
	queue []func()
	bell  *bell
}

func newKicks() *kicks { return &kicks{bell: newBell()} }

func (k *kicks) post(f func()) {
	k.mu.Lock()
	k.queue = append(k.queue, f)
	k.mu.Unlock()
	k.bell.ring()
}

// drain runs what was posted, and says whether there was any. The bell tells that
// cheaply.
func (k *kicks) drain() bool {
	if !k.bell.heard() {
		return false
	}
	k.mu.Lock()
	q := k.queue
	k.queue = nil
	k.mu.Unlock()
	for _, f := range q {
		f()
	}
	return len(q) > 0
}

// Kick has f run on the machine goroutine, between two steps, in the order of
// the calls. It may be called from any goroutine and never blocks.
func (b *Board) Kick(f func()) { b.kicks.post(f) }
