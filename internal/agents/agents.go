// Package agents serves machines to a program that asks for them by the Model
// Context Protocol (modelcontextprotocol.io), such as an agent that is to try
// things where they do no harm.
//
// What the program can get is bounded by a Config, which is whose who has started
// the server: it can ask for less, never for more. Its machines end with the
// connection.
package agents

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"alpinevm/launch"
)

// Limits are what a server gives at most.
type Limits struct {
	Machines  int           // at a time
	Snapshots int           // at a time; each holds the memory of its machine
	Memory    int64         // of one machine, in bytes
	Time      time.Duration // that one request may take
	Life      time.Duration // of one machine
	Output    int           // bytes of each of a command's outputs, and of a file, in one answer
}

// Config is what a server has to give.
type Config struct {
	Limits
	// Images are the names of what machines can be made of, the first one unless
	// another one is asked for; AnyImage allows all. Without both, Spec has a root.
	Images   []string
	AnyImage bool
	// Shares are files and folders of the host that machines can have.
	Shares []launch.Volume
	// Network tells whether Spec has a network.
	Network bool
	// Spec makes what all machines have alike, another one each time; Explain says
	// more of an error of a machine that is made of it.
	Spec    func() (*launch.Spec, error)
	Explain func(error) error
	// Version is our own, which clients are told.
	Version string
}

// Server is what one program has. It is used once.
type Server struct {
	Config
	life context.Context // of the server
	stop context.CancelCauseFunc

	mu        sync.Mutex
	made      int // machines and snapshots, for their names
	machines  map[string]*machine
	snapshots map[string]*snapshot
	gone      []departure // the last ones, the newest at the end
	work      sync.WaitGroup
}

// errServerEnds is why machines end with the server.
var errServerEnds = errors.New("the server ends")

// New makes a server.
func New(c Config) *Server {
	s := &Server{Config: c, machines: map[string]*machine{}, snapshots: map[string]*snapshot{}}
	s.life, s.stop = context.WithCancelCause(context.Background())
	return s
}

// maxRequest bounds a request, in bytes.
const maxRequest = 16 << 20

// Serve answers what is asked on in, until that or ctx ends, and then ends all
// machines. The error is that of the connection.
func (s *Server) Serve(ctx context.Context, in io.ReadCloser, out io.WriteCloser) error {
	defer s.close()
	defer context.AfterFunc(ctx, func() { s.stop(context.Cause(ctx)) })()
	server := mcp.NewServer(&mcp.Implementation{Name: "alpinevm", Version: s.Version}, &mcp.ServerOptions{
		Instructions: s.instructions(), Capabilities: &mcp.ServerCapabilities{},
	})
	s.addTools(server)
	return server.Run(ctx, &mcp.IOTransport{Reader: &watched{in, s.stop}, Writer: out, MaxLineLength: maxRequest})
}

// watched has what is being done end when nobody asks any more: the connection waits
// for it.
type watched struct {
	io.ReadCloser
	ended context.CancelCauseFunc
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil {
		w.ended(errServerEnds)
	}
	return n, err
}

// close ends all machines.
func (s *Server) close() {
	s.mu.Lock()
	s.stop(errServerEnds) // from here on no place is taken
	s.mu.Unlock()
	s.work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, snap := range s.snapshots {
		snap.close()
		delete(s.snapshots, name)
	}
}

// request bounds what a request may take, which the server's end ends too. asked, in
// seconds, may be less than the limit; 0 is the limit.
func (s *Server) request(ctx context.Context, asked float64) (context.Context, context.CancelFunc, error) {
	limit := s.Time
	if asked != 0 {
		if asked < 0 || asked > limit.Seconds() {
			return nil, nil, refusef("timeout_seconds %g: want more than 0 and at most %g, the limit of this server", asked, limit.Seconds())
		}
		limit = time.Duration(asked * float64(time.Second))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
	ctx, end := context.WithTimeoutCause(ctx, limit, errTime)
	return ctx, func() {
		stop()
		end()
		cancel(nil)
	}, nil
}

// seconds is a time as answers have it.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// errTime is why what has taken too long was ended.
var errTime = errors.New("its time is over")
