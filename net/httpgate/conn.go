package httpgate

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"
)

// end is one end of a connection in memory. Nothing is on its way in it: who writes waits
// for who reads.
type end struct {
	r      *io.PipeReader
	w      *io.PipeWriter
	at     net.Addr
	closed func() // may be nil
}

// pipe makes a connection to an address. closed is called when the guest's end is closed.
func pipe(at netip.AddrPort, closed func()) (guest, ours *end) {
	r1, w1 := io.Pipe()
	r2, w2 := io.Pipe()
	addr := net.TCPAddrFromAddrPort(at)
	return &end{r1, w2, addr, closed}, &end{r2, w1, addr, nil}
}

var errReset = errors.New("the connection was reset")

func (e *end) Read(p []byte) (int, error)  { return e.r.Read(p) }
func (e *end) Write(p []byte) (int, error) { return e.w.Write(p) }

// CloseWrite ends what this end sends.
func (e *end) CloseWrite() error { return e.w.Close() }

// Close ends both directions. Where this end has not ended what it sends the other end
// takes that for a reset.
func (e *end) Close() error {
	e.r.CloseWithError(errReset)
	e.w.CloseWithError(errReset) // no effect behind CloseWrite
	if e.closed != nil {
		e.closed()
	}
	return nil
}

func (e *end) LocalAddr() net.Addr  { return e.at }
func (e *end) RemoteAddr() net.Addr { return e.at }

// Deadlines nobody sets: those of usernet are its own.
func (e *end) SetDeadline(time.Time) error      { return nil }
func (e *end) SetReadDeadline(time.Time) error  { return nil }
func (e *end) SetWriteDeadline(time.Time) error { return nil }

// lingers is how long who closes first still takes what comes.
const lingers = 10 * time.Second

// finish ends what we send and takes what still comes, so that the guest reads our last
// answer before it hears of a reset.
func (e *end) finish(ctx context.Context) {
	e.CloseWrite()
	late := time.AfterFunc(lingers, func() { e.Close() })
	defer late.Stop()
	defer context.AfterFunc(ctx, func() { e.Close() })()
	io.Copy(io.Discard, io.LimitReader(e, maxBody))
	e.Close()
}
