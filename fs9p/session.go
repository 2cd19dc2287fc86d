package fs9p

import "math"

// session is what Tversion begins anew. It belongs to the goroutine that calls
// the FS.
type session struct {
	msize   uint32 // 0 before Tversion
	fids    Table[uint32, *fid]
	locks   lockTable
	pending map[uint16]*call // waiting for a Waiter
	held    int              // bytes that these hold
}

// Bounds of what a guest can have waiting for a Waiter.
const (
	maxPending      = 1024 // requests; a ring holds fewer
	maxPendingBytes = 4 << 20
)

// charges are what the fids of all sessions hold in bytes, besides a few words
// each.
type charges struct {
	names  int // that fids were walked to
	xattrs int // names and values
}

// Bounds of the charges. Linux has a fid for every name in its dentry cache:
// there is room for a million of 64 bytes.
const (
	maxNameBytes  = 64 << 20
	maxXattrBytes = 16 << 20
)

// sessionsOver are the fids of sessions that have ended. A guest can have a
// million of them. They are let go of one step after the other, so that no
// message takes long for their number.
type sessionsOver struct {
	fids   []Table[uint32, *fid]
	count  int
	posted bool // the next step
}

// buryStep is how many fids go in a step.
const buryStep = 1024

// begin drops the session and starts one with the given msize.
func (s *Server) begin(msize uint32) {
	for _, c := range s.session.pending {
		c.cancel()
		s.answer(c, nil)
	}
	if n := s.session.fids.Len(); n > 0 {
		s.over.fids = append(s.over.fids, s.session.fids)
		s.over.count += n
	}
	s.session = session{
		msize:   msize,
		locks:   lockTable{files: map[uint64][]lock{}},
		pending: map[uint16]*call{},
	}
	s.bury(buryStep)
}

// end drops the session and all that is left of earlier ones.
func (s *Server) end() {
	s.begin(0)
	s.bury(math.MaxInt)
}

// bury lets go of at most n fids of sessions that are over, and sees to the
// others: the queue of a slow FS does so when it has nothing else to do.
func (s *Server) bury(n int) {
	o := &s.over
	for len(o.fids) > 0 {
		for num, f := range o.fids[0].All() {
			if n == 0 {
				s.buryLater()
				return
			}
			n--
			o.count--
			o.fids[0].Delete(num)
			s.letGo(f)
		}
		o.fids = o.fids[1:]
	}
	o.fids = nil
}

// buryLater has the machine goroutine go on. Without a Post the next message does.
func (s *Server) buryLater() {
	if s.queue != nil || s.cfg.Post == nil || s.over.posted {
		return
	}
	s.over.posted = true
	s.cfg.Post(func() {
		s.over.posted = false
		s.bury(buryStep)
	})
}

// wait leaves c, which holds so many bytes, unanswered until cancel is called by
// a flush or s.done by a Waiter.
func (s *Server) wait(c *call, held int, cancel func()) error {
	if s.queue != nil {
		panic("BUG: fs9p: a Waiter in a slow FS")
	}
	if len(s.session.pending) >= maxPending || s.session.held+held > maxPendingBytes {
		cancel()
		return EAGAIN
	}
	c.cancel, c.held = cancel, held
	s.session.pending[c.tag] = c
	s.session.held += held
	return errWaiting
}

// done takes c off the list of waiting requests; it is then answered.
func (s *Server) done(c *call) {
	if s.session.pending[c.tag] != c {
		panic("BUG: fs9p: a Waiter was done twice or after its cancel")
	}
	s.unwait(c)
}

func (s *Server) unwait(c *call) {
	delete(s.session.pending, c.tag)
	s.session.held -= c.held
	c.cancel = nil
}
