package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"alpinevm"
	"alpinevm/internal/chunked"
	"alpinevm/internal/website"
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

// snapshotWriter writes a snapshot into a file of a site's.
type snapshotWriter func(*alpinevm.Snapshot, io.Writer) error

// prepare boots a site's machine: as far as its kernel comes, which is put there, and from
// that to its prompt, of which a snapshot is put there, with what of the files each start
// reads. A machine that does not stay at a prompt goes on from its kernel in the page.
func prepare(ctx context.Context, to website.Dir, m *website.Machine, write snapshotWriter, note func(format string, args ...any)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, upPatience, fmt.Errorf("it has not come to its prompt within %v", upPatience))
	defer cancel()
	wrong := func(err error) error {
		return fmt.Errorf("booting the machine to its prompt, for a snapshot: %w; --cold leaves that out", err)
	}
	kernel, err := bootSite(ctx, to, m, write)
	if err != nil {
		return wrong(err)
	}
	var begun []string
	snapshot, err := website.Keep(to, func(w io.Writer) (err error) {
		begun, err = beginSite(ctx, to, m, func(s *alpinevm.Snapshot) error { return write(s, w) })
		return err
	})
	m.Ahead.Booted, m.Ahead.Boot = begun, without(append(kernel, begun...), m.Booted.Chunks)
	var unfit *unfitError
	if errors.As(err, &unfit) {
		note("no snapshot of the machine at its prompt is made: %s", unfit.why)
		return nil
	}
	if err != nil {
		return wrong(err)
	}
	m.Snapshot = &snapshot
	m.Ahead.Snapshot, m.Ahead.Commands, err = resumeSite(ctx, to, m)
	return err
}

// without is a list of names, each once, without others.
func without(list, others []string) (kept []string) {
	had := map[string]bool{}
	for _, name := range others {
		had[name] = true
	}
	for _, name := range list {
		if !had[name] {
			had[name] = true
			kept = append(kept, name)
		}
	}
	return kept
}

// unfitError is of a machine that cannot be kept at a prompt.
type unfitError struct{ why string }

func (e *unfitError) Error() string { return e.why }

// ended is what the end of a machine means that was to come to its prompt.
func ended(e alpinevm.End) error {
	if e.Cause == alpinevm.Exited || e.Cause == alpinevm.PowerOff {
		return &unfitError{fmt.Sprintf("it ends by itself (%s)", e.Cause)}
	}
	return &alpinevm.StartError{End: e}
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

// siteFrom is a snapshot of a site's.
func siteFrom(chunks *chunked.Cache, f chunked.File) (*alpinevm.Snapshot, error) {
	file, err := chunks.Open(f)
	if err != nil {
		return nil, err
	}
	return alpinevm.StreamSnapshot(file, file.Size())
}

// beginSite has a site's machine go on from its kernel to its prompt, has its snapshot
// there written, and gives the names of the chunks that it has read.
func beginSite(ctx context.Context, to website.Dir, m *website.Machine, write func(*alpinevm.Snapshot) error) ([]string, error) {
	r, screen := newRecorder(to), &website.Screen{}
	chunks, err := chunked.NewCache(r.get, preparedChunks)
	if err != nil {
		return nil, err
	}
	kernel, err := siteFrom(chunks, *m.Booted)
	if err != nil {
		return nil, err
	}
	defer kernel.Close()
	cfg, err := m.Open(website.Opening{Chunks: chunks, Booted: true, Terminal: true, Network: true, Screen: screen.Bytes})
	if err != nil {
		return nil, err
	}
	defer connect(&cfg, screen)()
	if err := website.PutNetworkFiles(&cfg); err != nil {
		return nil, err
	}
	machine, err := kernel.Begin(cfg)
	if err != nil {
		return nil, err
	}
	vm := machine.Go(ctx)
	err = atRest(ctx, vm, screen)
	var s *alpinevm.Snapshot
	if err == nil {
		s, err = vm.Snapshot(ctx)
	}
	err = errors.Join(err, vm.Close())
	if s != nil {
		err = errors.Join(err, write(s), s.Close())
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
			return ended(e)
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
// names of the chunks that it has read until it goes on, and of those that some commands
// have read then.
func resumeSite(ctx context.Context, to website.Dir, m *website.Machine) (begun, commands []string, err error) {
	r := newRecorder(to)
	chunks, err := chunked.NewCache(r.get, preparedChunks)
	if err != nil {
		return nil, nil, err
	}
	s, err := siteFrom(chunks, *m.Snapshot)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	cfg, err := m.Open(website.Opening{Chunks: chunks, From: s})
	if err != nil {
		return nil, nil, err
	}
	defer connect(&cfg, io.Discard)()
	machine, err := s.Clone(cfg)
	if err != nil {
		return nil, nil, err
	}
	begun = slices.Clone(r.names())
	ctx, cancel := context.WithTimeout(ctx, restPatience)
	defer cancel()
	vm := machine.Go(ctx)
	// What a root has not got it does not read.
	_ = vm.CommandContext(ctx, "sh", "-c", firstCommands).Run()
	return begun, without(r.names(), begun), vm.Close()
}
