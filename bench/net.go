package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"sync"

	"alpinevm"
	"alpinevm/net/usernet"
)

// Network measures TCP between a program in the guest and one on the host: bytes
// each way, round trips, and connections.
type Network struct {
	// Machine makes the configuration of the guest: kernel, root, and a
	// network that reaches the host's loopback.
	Machine func() (alpinevm.Config, func(), error)
	Program string // the guest's program: its file
	Vs      []string
	Runs    int
	Report  func(string)
}

// Run measures. What was measured before an error or the end of ctx is in the
// Result all the same.
func (b *Network) Run(ctx context.Context) (*Result, error) {
	r := &Result{Workload: "Network"}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return r, err
	}
	var s server
	var done sync.WaitGroup
	done.Go(func() { s.serve(l) })
	defer func() {
		l.Close()
		done.Wait()
	}()
	port := l.Addr().(*net.TCPAddr).Port
	work := []string{"net", fmt.Sprintf("%s:%d", usernet.GatewayIP, port)}
	qemu := slices.Contains(b.Vs, QEMU)
	if qemu {
		r.Notes = append(r.Notes, "guests boot from one initial root file system", qemuNote(ctx))
	}
	err = inTurn(b.Runs, b.Vs, b.Report, func(where string) error {
		switch {
		case where == Native:
			return runNative(ctx, exec.CommandContext(ctx, b.Program, "net", l.Addr().String()), r, b.Report)
		case qemu:
			return b.bare(work).run(ctx, where, r, b.Report)
		}
		return session(ctx, where, b.Machine, b.Program, WorkRoot, work, r, b.Report)
	})
	return r, errors.Join(err, s.problem())
}

// bare is the work in a machine without a root. Both guests have the same
// address, and the host's loopback at the same one (QEMU's manual, -netdev
// user).
func (b *Network) bare(work []string) *bare {
	address := netip.PrefixFrom(usernet.GuestIP, usernet.Subnet.Bits()).String()
	return &bare{
		machine: b.Machine, program: b.Program, network: true, drivers: []string{"virtio_pci", "virtio_net"},
		args: append([]string{"address", address}, work...),
	}
}

// What a connection asks for by its first byte, and how much it moves; as
// bench/guest has it.
const (
	askSink   = 's'
	askSource = 'r'
	askEcho   = 'e'
	netBytes  = 64 << 20
	netChunk  = 64 << 10
)

// server is the host's end.
type server struct {
	mu  sync.Mutex
	err error // the first that a guest's mistake does not explain
}

func (s *server) problem() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// serve answers connections until l is closed and all have ended.
func (s *server) serve(l net.Listener) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			defer c.Close()
			if err := answer(c.(*net.TCPConn)); err != nil {
				s.mu.Lock()
				if s.err == nil {
					s.err = err
				}
				s.mu.Unlock()
			}
		})
	}
}

// answer serves a connection. An end that comes early is the other side's to
// report.
func answer(c *net.TCPConn) error {
	var ask [1]byte
	if _, err := io.ReadFull(c, ask[:]); err != nil {
		return nil
	}
	p := make([]byte, netChunk)
	switch ask[0] {
	case askEcho:
		io.Copy(c, c)
	case askSource:
		for i := range netBytes / netChunk {
			p[0], p[netChunk-1] = byte(i), byte(i+1)
			if _, err := c.Write(p); err != nil {
				return nil
			}
		}
	case askSink:
		for i := range netBytes / netChunk {
			if _, err := io.ReadFull(c, p); err != nil {
				return nil
			}
			if p[0] != byte(i) || p[netChunk-1] != byte(i+1) {
				return fmt.Errorf("the guest sent %d and %d at the ends of piece %d", p[0], p[netChunk-1], i)
			}
		}
		if n, _ := c.Read(p); n > 0 {
			return errors.New("the guest sent more than it was to send")
		}
		c.Write([]byte{1})
	default:
		return fmt.Errorf("the guest asked for %q", ask)
	}
	return nil
}
