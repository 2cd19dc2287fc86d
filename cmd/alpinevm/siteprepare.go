package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"alpinevm"
	"alpinevm/internal/chunked"
	"alpinevm/internal/website"
	"alpinevm/launch"
	"alpinevm/net/usernet"
)

// A site is prepared by booting its machine here.
const (
	// upPatience is how long a guest has to be up.
	upPatience = 5 * time.Minute
	// restPatience is how long a guest that is up has to come to where it waits for
	// somebody to type.
	restPatience = 20 * time.Second
	// silence is how long it is waited for its first output.
	silence = 5 * time.Second
	// restTime is over how long it has to have done next to nothing.
	restTime = 300 * time.Millisecond
	// restShare is what of that it is to have waited, at least, in tenths.
	restShare = 8
	// preparedChunks is how many chunks stay unpacked meanwhile: 16 MiB.
	preparedChunks = 64
)

// firstCommands are what somebody might type first, for what of the root they read.
const firstCommands = "ls -l / /root /etc; cat /etc/os-release; uname -a; ps; id; df; free; apk --version; vi --help; wget --help"

// prepare boots a site's machine to its prompt, and puts its snapshot there, and what
// of the files a start reads. A machine of which none can be made boots in the page.
func prepare(ctx context.Context, to website.Dir, m *website.Machine, note func(format string, args ...any)) error {
	var boot []string
	snapshot, err := website.Keep(to, func(w io.Writer) (err error) {
		boot, err = bootSite(ctx, to, m, w)
		return err
	})
	var unfit *unfitError
	if errors.As(err, &unfit) {
		note("no snapshot is made, and the page boots the machine: %s", unfit.why)
		return nil
	}
	if err != nil {
		return fmt.Errorf("booting the machine to its prompt, for a snapshot: %w; --cold leaves that out", err)
	}
	m.Snapshot, m.Ahead.Boot = &snapshot, boot
	m.Ahead.Snapshot, err = resumeSite(ctx, to, m)
	return err
}

// unfitError is of a machine that cannot be kept at a prompt.
type unfitError struct{ why string }

func (e *unfitError) Error() string { return e.why }

func endsItself(e alpinevm.End) error {
	return &unfitError{fmt.Sprintf("it ends by itself (%s)", e.Cause)}
}

// recorder is a source of a site's chunks that knows which were asked for.
type recorder struct {
	from website.Dir
	mu   sync.Mutex
	list []string
	had  map[string]bool
}

func newRecorder(from website.Dir) *recorder { return &recorder{from: from, had: map[string]bool{}} }

// get is a chunked.Source.
func (r *recorder) get(name string) ([]byte, error) {
	r.mu.Lock()
	if !r.had[name] {
		r.had[name] = true
		r.list = append(r.list, name)
	}
	r.mu.Unlock()
	return r.from.Chunk(name)
}

// names are those that were asked for, in their order.
func (r *recorder) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list
}

// connect gives a site's machine what it has in a page: a terminal, at which nobody
// types until end is called, and a network, by which nobody is reached.
func connect(cfg *alpinevm.Config, screen io.Writer) (end func() error) {
	keys, typing := io.Pipe()
	cfg.Consoles.Terminal = &alpinevm.Terminal{In: keys, Out: screen, Cols: 80, Rows: 24}
	cfg.Network = &alpinevm.Network{Dialer: nobody{}, DNS: usernet.DNSConfig{Lookup: nobody{}.lookup}}
	return typing.Close
}

// nobody is a usernet.Dialer that reaches nobody.
type nobody struct{}

var errNobody = errors.New("the machine is being prepared for a page, and reaches nobody")

func (nobody) DialContext(context.Context, string, string) (net.Conn, error) { return nil, errNobody }

func (nobody) lookup(context.Context, string) ([]netip.Addr, error) { return nil, errNobody }

// bootSite boots a site's machine, writes its snapshot and gives the names of the
// chunks that it has read.
func bootSite(ctx context.Context, to website.Dir, m *website.Machine, w io.Writer) (read []string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, upPatience, fmt.Errorf("it has not come to its prompt within %v", upPatience))
	defer cancel()
	r, screen := newRecorder(to), &website.Screen{}
	chunks, err := chunked.NewCache(r.get, preparedChunks)
	if err != nil {
		return nil, err
	}
	cfg, err := m.Open(website.Opening{Chunks: chunks, Terminal: true, Network: true, Screen: screen.Bytes})
	if err != nil {
		return nil, err
	}
	defer connect(&cfg, screen)()
	if err := website.PutNetworkFiles(&cfg); err != nil {
		return nil, err
	}
	cfg.Boot.Cache = launch.KernelCache()
	kept := launch.KeepWarm(&cfg)
	vm, err := alpinevm.Start(ctx, cfg)
	var early *alpinevm.StartError
	if errors.As(err, &early) && early.End.Cause == alpinevm.Exited {
		err = endsItself(early.End) // before Start has looked
	}
	if err == nil {
		err = atRest(ctx, vm, screen)
	}
	var s *alpinevm.Snapshot
	if err == nil {
		s, err = vm.Snapshot(ctx)
	}
	if vm != nil {
		err = errors.Join(err, vm.Close())
	}
	err = errors.Join(err, kept.Close())
	if s != nil {
		err = errors.Join(err, s.Write(w), s.Close())
	}
	return r.names(), err
}

// atRest waits until a guest has said something and does nothing, or for restPatience.
func atRest(ctx context.Context, vm *alpinevm.VM, screen *website.Screen) error {
	before, _ := vm.Waited(ctx) // of one that has ended Done tells
	for begun := time.Now(); time.Since(begun) < restPatience; {
		from := time.Now()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-vm.Done():
			e, _ := vm.Wait()
			return endsItself(e)
		case <-time.After(restTime):
		}
		waited, err := vm.Waited(ctx)
		if err != nil {
			continue
		}
		rests := waited-before >= time.Since(from)*restShare/10
		if rests && (screen.Len() > 0 || time.Since(begun) > silence) {
			return nil
		}
		before = waited
	}
	return nil
}

// resumeSite has a site's machine go on from its snapshot as a page does, and gives the
// names of the chunks that it has read behind some commands.
func resumeSite(ctx context.Context, to website.Dir, m *website.Machine) ([]string, error) {
	r := newRecorder(to)
	chunks, err := chunked.NewCache(r.get, preparedChunks)
	if err != nil {
		return nil, err
	}
	file, err := chunks.Open(*m.Snapshot)
	if err != nil {
		return nil, err
	}
	s, err := alpinevm.StreamSnapshot(file, file.Size())
	if err != nil {
		return nil, err
	}
	defer s.Close()
	cfg, err := m.Open(website.Opening{Chunks: chunks, From: s})
	if err != nil {
		return nil, err
	}
	defer connect(&cfg, io.Discard)()
	machine, err := s.Clone(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, restPatience)
	defer cancel()
	vm := machine.Go(ctx)
	// What a root has not got it does not read.
	_ = vm.CommandContext(ctx, "sh", "-c", firstCommands).Run()
	return r.names(), vm.Close()
}
