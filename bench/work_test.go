package bench

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/internal/guesttest"
)

// rootMachine is a guest with Alpine's root file system and a network that
// reaches the host.
func rootMachine(t *testing.T) func() (alpinevm.Config, func(), error) {
	t.Helper()
	image, cache := guesttest.Kernel(t, "686-pae"), guesttest.Cache(t)
	var modules fs9p.FS = guesttest.Modules(t, "686-pae", "virtio_net")
	return func() (alpinevm.Config, func(), error) {
		return alpinevm.Config{
			Memory: 256 << 20, Boot: alpinevm.Boot{Kernel: image, Cache: cache, Modules: modules}, Session: &alpinevm.Session{Root: guesttest.Root(t, nil)},
			Network: &alpinevm.Network{Dialer: &net.Dialer{}, Listener: &net.ListenConfig{}, HostLoopback: true},
		}, func() {}, nil
	}
}

// natives is --vs native where it can be had.
func natives() []string {
	if CheckPeers([]string{Native}, Native) != nil {
		return nil
	}
	return []string{Native}
}

// checkSteps wants the named steps, in order, in each place.
func checkSteps(t *testing.T, r *Result, places []string, want ...string) {
	t.Helper()
	for _, where := range places {
		var names []string
		for _, s := range r.Steps {
			if s.Where == where {
				names = append(names, s.Name)
				if s.Time <= 0 {
					t.Errorf("%+v", s)
				}
			}
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s measured %v, want %v", where, names, want)
		}
	}
}

// TestNetwork measures the network, every byte checked.
func TestNetwork(t *testing.T) {
	b := Network{Program: guestProgram(t), Machine: rootMachine(t), Vs: natives(), Report: func(s string) { t.Log(s) }}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	r, err := b.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	checkSteps(t, r, append(b.Vs, Guest), "connect", "round-trip", "send", "receive")
}

// TestFiles measures the root file system, on a small scale.
func TestFiles(t *testing.T) {
	b := Files{Program: guestProgram(t), Machine: rootMachine(t), Work: WorkRoot, Vs: natives(), part: 50, Report: func(s string) { t.Log(s) }}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	r, err := b.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	checkSteps(t, r, append(b.Vs, Guest), fileSteps()...)
}

// fileSteps are the names of what Files measures.
func fileSteps() []string {
	return []string{"write-small", "cat-small", "write-large", "read-large", "create-rename-unlink"}
}

// TestServer has the host's end see through a guest that sends other bytes than
// it should, and bear one that leaves.
func TestServer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		send   []byte
		honest bool
	}{
		{"leaves", nil, true},
		{"leaves early", []byte{askSink, 0, 0}, true},
		{"wrong bytes", append([]byte{askSink, 77}, make([]byte, netChunk)...), false},
		{"asks for nothing known", []byte("GET /"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var s server
			done := make(chan struct{})
			go func() {
				s.serve(l)
				close(done)
			}()
			c, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(tt.send); err != nil {
				t.Error(err)
			}
			c.(*net.TCPConn).CloseWrite()
			c.Read(make([]byte, 1)) // until the server is through with it
			c.Close()
			l.Close()
			<-done
			if err := s.problem(); (err == nil) != tt.honest {
				t.Errorf("problem %v", err)
			}
		})
	}
}
