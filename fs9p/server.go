package fs9p

import (
	"encoding/binary"
)

// Limits that Config's zero values stand for.
const (
	DefaultMsize = 512000  // the largest that Linux's virtio transport takes
	DefaultFids  = 1 << 20 // v9fs holds a fid for every name in its dentry cache
	minMsize     = 4096    // Linux asks for no less
)

// Config says what a Server serves.
type Config struct {
	FS FS
	// Post runs a function on the machine goroutine, soon; it may be called
	// from any goroutine. It is needed by a Slow FS only, and where it is nil
	// such a one is called on the machine goroutine too.
	Post func(func())
	// Msize is the longest message offered to the client in bytes, MaxFids the
	// most fids that it can have; zero means the defaults.
	Msize   uint32
	MaxFids int
	// ReadOnly answers EROFS to everything that would change a file.
	ReadOnly bool
	// NoDefaultACL answers EOPNOTSUPP to who gives a directory the access control
	// list that new files in it are to have, and shows none: for clients whose
	// kernel crashes where there is one.
	NoDefaultACL bool
	// Trace, where not nil, is told every message, before it is served or
	// sent. It runs on the goroutine that calls the FS or on the machine
	// goroutine; m is valid during the call only. A malformed message is traced
	// as nil.
	Trace func(tag uint16, m Message)
}

// Server is the server's end of one 9P connection. Its methods are called on
// the machine goroutine.
type Server struct {
	cfg     Config
	queue   *queue // nil unless the FS is slow
	session session
	over    sessionsOver
	charged charges
	free    []*call
}

// New makes a Server with no session.
func New(cfg Config) *Server {
	if cfg.Msize == 0 {
		cfg.Msize = DefaultMsize
	}
	cfg.Msize = max(cfg.Msize, minMsize)
	if cfg.MaxFids == 0 {
		cfg.MaxFids = DefaultFids
	}
	s := &Server{cfg: cfg}
	if slow, ok := cfg.FS.(Slow); ok && slow.Slow() && cfg.Post != nil {
		s.queue = newQueue(s)
	}
	s.begin(0)
	return s
}

// A call is one request under way.
type call struct {
	tag    uint16
	typ    MsgType
	in     coder        // over the body of the request
	out    coder        // the reply, its header reserved
	reply  func([]byte) // nil if nobody wants it any more
	cancel func()       // not nil while a Waiter has it
	held   int          // bytes that it holds meanwhile
	queued
}

// errWaiting is what a handler returns when the reply comes later.
const errWaiting Errno = 1 << 31

// Serve answers the request req, a whole message; what lies behind it is not
// looked at. reply is called exactly once, on the machine goroutine, during the
// call of Serve or later, unless Reset comes first. req need be valid during the
// call of Serve only, and resp is during that of reply. A nil resp means that no
// reply will be sent, because of a Tflush or a Tversion or because req is too
// short to have a tag: its buffer goes back to the guest empty. It comes before
// the reply to what caused it.
func (s *Server) Serve(req []byte, reply func(resp []byte)) {
	c := s.newCall()
	c.reply = reply
	var err error
	c.tag, c.typ, c.in, err = header(req)
	if err == nil && headerLen+len(c.in.b) > int(s.cfg.Msize) {
		err = EMSGSIZE
	}
	switch {
	case len(req) < headerLen:
		s.answer(c, nil)
	case err != nil:
		s.trace(c.tag, req)
		s.refuse(c, err)
	case s.queue != nil:
		s.queue.add(c, req[:headerLen+len(c.in.b)])
	default:
		s.trace(c.tag, req)
		s.serve(c)
	}
}

// Full reports that the server has as much to do as it keeps: Serve is not to
// be called before the next reply, which will come.
func (s *Server) Full() bool { return s.queue != nil && s.queue.full() }

// Reset ends the session because the transport was reset: every file is closed
// and every inode let go of. No earlier request is answered, and none is carried
// out but the one that a slow FS is at.
func (s *Server) Reset() {
	if s.queue != nil {
		s.queue.reset()
		return
	}
	for _, c := range s.session.pending {
		c.reply = nil
	}
	s.begin(0)
}

// Close ends the session for good. Requests that wait get a nil reply. The
// channel that it returns is closed once the FS will not be called any more: a
// slow one can be at a request for as long as its host takes.
func (s *Server) Close() <-chan struct{} {
	if s.queue != nil {
		return s.queue.close()
	}
	s.end()
	done := make(chan struct{})
	close(done)
	return done
}

// serve carries out a request, on the goroutine that calls the FS.
func (s *Server) serve(c *call) {
	s.bury(buryStep)
	var err error
	switch handle := handlers[c.typ]; {
	case handle == nil:
		err = EOPNOTSUPP
	case c.typ != MsgTversion && s.session.msize == 0:
		err = EPROTO
	case c.typ != MsgTversion && headerLen+len(c.in.b) > int(s.session.msize):
		err = EMSGSIZE
	case s.session.pending[c.tag] != nil && c.typ != MsgTversion:
		err = EINVAL
	case s.cfg.ReadOnly && writes[c.typ]:
		err = EROFS
	default:
		err = handle(s, c)
	}
	if err != errWaiting {
		s.finish(c, err)
	}
}

// trace tells Config.Trace of a message.
func (s *Server) trace(tag uint16, b []byte) {
	if s.cfg.Trace != nil {
		_, m, _ := Parse(b)
		s.cfg.Trace(tag, m)
	}
}

// finish sends the reply that stands in c.out, or err in place of it. It is
// called on the goroutine that calls the FS.
func (s *Server) finish(c *call, err error) {
	resp := c.seal(err)
	s.trace(c.tag, resp)
	if s.queue != nil {
		s.queue.deliver(c, resp)
		return
	}
	s.answer(c, resp)
}

// refuse is finish on the machine goroutine, whatever the FS.
func (s *Server) refuse(c *call, err error) {
	resp := c.seal(err)
	s.trace(c.tag, resp)
	s.answer(c, resp)
}

// seal makes what stands in c.out a message, or err in place of it.
func (c *call) seal(err error) []byte {
	typ := c.typ + 1
	if err != nil {
		typ = MsgRlerror
		c.out.b = binary.LittleEndian.AppendUint32(c.out.b[:headerLen], uint32(ErrnoOf(err)))
	}
	b := c.out.b
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	b[4] = byte(typ)
	binary.LittleEndian.PutUint16(b[5:], c.tag)
	return b
}

// maxFree bounds the calls that are kept to be used again.
const maxFree = 4

// answer ends a call with a reply, or with none if resp is nil. It is called on
// the machine goroutine.
func (s *Server) answer(c *call, resp []byte) {
	if c.reply != nil {
		c.reply(resp)
	}
	c.reset()
	if len(s.free) < maxFree {
		s.free = append(s.free, c)
	}
}

// newCall gives an unused call. It is called on the machine goroutine.
func (s *Server) newCall() *call {
	if n := len(s.free); n > 0 {
		c := s.free[n-1]
		s.free = s.free[:n-1]
		return c
	}
	return &call{out: coder{b: make([]byte, headerLen, 256), append: true}}
}

// reset makes c as newCall gives it, with the buffers that it has.
func (c *call) reset() {
	*c = call{out: coder{b: c.out.b[:headerLen], append: true}, queued: queued{req: c.req[:0]}}
}

// payload makes room for n bytes of data behind a count and returns it.
func (c *call) payload(n int) []byte {
	if need := ioHeaderLen + n; cap(c.out.b) < need {
		b := make([]byte, headerLen, need)
		copy(b, c.out.b)
		c.out.b = b
	}
	return c.out.b[ioHeaderLen : ioHeaderLen+n]
}

// sendPayload makes the reply the first n bytes of what payload returned.
func (c *call) sendPayload(n int) {
	c.out.b = c.out.b[:ioHeaderLen+n]
	binary.LittleEndian.PutUint32(c.out.b[headerLen:], uint32(n))
}

// handlers serve the requests, by type. A handler decodes c.in, and appends
// the reply's body to c.out or returns an error. The table is never written to.
var handlers = [256]func(s *Server, c *call) error{
	MsgTversion:     (*Server).version,
	MsgTauth:        (*Server).auth,
	MsgTattach:      (*Server).attach,
	MsgTflush:       (*Server).flush,
	MsgTwalk:        (*Server).walk,
	MsgTclunk:       (*Server).clunk,
	MsgTremove:      (*Server).remove,
	MsgTstatfs:      (*Server).statfs,
	MsgTlopen:       (*Server).lopen,
	MsgTlcreate:     (*Server).lcreate,
	MsgTsymlink:     (*Server).symlink,
	MsgTmknod:       (*Server).mknod,
	MsgTmkdir:       (*Server).mkdir,
	MsgTlink:        (*Server).link,
	MsgTrename:      (*Server).rename,
	MsgTrenameat:    (*Server).renameat,
	MsgTunlinkat:    (*Server).unlinkat,
	MsgTreadlink:    (*Server).readlink,
	MsgTgetattr:     (*Server).getattr,
	MsgTsetattr:     (*Server).setattr,
	MsgTxattrwalk:   (*Server).xattrwalk,
	MsgTxattrcreate: (*Server).xattrcreate,
	MsgTreaddir:     (*Server).readdir,
	MsgTread:        (*Server).read,
	MsgTwrite:       (*Server).write,
	MsgTfsync:       (*Server).fsync,
	MsgTlock:        (*Server).lock,
	MsgTgetlock:     (*Server).getlock,
}

// writes are the requests that a read-only server refuses; Tlopen looks for itself.
var writes = [256]bool{
	MsgTlcreate: true, MsgTsymlink: true, MsgTmknod: true, MsgTmkdir: true,
	MsgTlink: true, MsgTrename: true, MsgTrenameat: true, MsgTunlinkat: true,
	MsgTremove: true, MsgTsetattr: true, MsgTxattrcreate: true,
}

func (s *Server) version(c *call) error {
	var m Tversion
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	if m.Msize < minMsize {
		return EMSGSIZE
	}
	r := Rversion{Msize: min(m.Msize, s.cfg.Msize), Version: "9P2000.L"}
	s.begin(r.Msize)
	if m.Version != r.Version {
		s.session.msize = 0
		r.Version = "unknown"
	}
	r.code(&c.out)
	return nil
}

// auth refuses, which tells a client that it needs none (attach(5)).
func (s *Server) auth(c *call) error { return EOPNOTSUPP }

// flush ends the request with the tag that it names (flush(5)). One that is not
// waiting for a Waiter has had its reply: the queue of a slow FS has its own way.
func (s *Server) flush(c *call) error {
	var m Tflush
	if m.code(&c.in); c.in.bad {
		return EBADMSG
	}
	if old := s.session.pending[m.OldTag]; old != nil {
		old.cancel()
		s.unwait(old)
		s.answer(old, nil)
	}
	return nil
}
