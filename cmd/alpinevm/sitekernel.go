package main

import (
	"context"
	"errors"
	"io"
	"sync"

	"alpinevm"
	"alpinevm/internal/chunked"
	"alpinevm/internal/website"
	"alpinevm/launch"
)

// bootSite boots the kernel of a site's machine as far as machines come alike, puts it
// there, and gives the names of the chunks that it has read.
func bootSite(ctx context.Context, to website.Dir, m *website.Machine, write snapshotWriter) ([]string, error) {
	r := newRecorder(to)
	chunks, err := chunked.NewCache(r.get, preparedChunks)
	if err != nil {
		return nil, err
	}
	cfg, err := m.Open(website.Opening{Chunks: chunks})
	if err != nil {
		return nil, err
	}
	defer connect(&cfg, io.Discard)()
	cfg.Boot.Cache = launch.KernelCache()
	kept := launch.KeepWarm(&cfg)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &bootedKernel{host: cfg.Boot.Warm, to: to, write: write, done: cancel}
	cfg.Boot.Warm = w
	machine, err := alpinevm.New(cfg)
	var end alpinevm.End
	if err == nil {
		end, err = machine.Run(ctx)
		err = errors.Join(err, machine.Close())
	}
	w.work.Wait()
	if m.Booted = w.file; m.Booted != nil {
		err = nil // of the context, which ends when the kernel is there
	} else if err == nil {
		err = ended(end)
	}
	return r.names(), errors.Join(err, w.err, kept.Close())
}

// bootedKernel puts the booted kernel of a machine into a site, be it that machine's or
// one that the host has kept. It is an alpinevm.Warm.
type bootedKernel struct {
	host  alpinevm.Warm // nil: none
	to    website.Dir
	write snapshotWriter
	done  func()

	work sync.WaitGroup // what follows is there behind it
	file *chunked.File
	err  error
}

func (b *bootedKernel) put(s *alpinevm.Snapshot) {
	f, err := website.Keep(b.to, func(w io.Writer) error { return b.write(s, w) })
	if b.err = err; err == nil {
		b.file = &f
	}
}

// Load is part of alpinevm.Warm.
func (b *bootedKernel) Load(key string) *alpinevm.Snapshot {
	if b.host == nil {
		return nil
	}
	s := b.host.Load(key)
	if s != nil {
		b.put(s)
		b.done()
	}
	return s
}

// Drop is part of alpinevm.Warm.
func (b *bootedKernel) Drop(key string) {
	b.host.Drop(key)
	b.file, b.err = nil, errors.New("the booted kernel that this host had kept was of no use, and is removed: try again")
}

// Store is part of alpinevm.Warm.
func (b *bootedKernel) Store(key string, s *alpinevm.Snapshot) {
	b.done()
	b.work.Go(func() {
		b.put(s)
		if b.host != nil {
			b.host.Store(key, s)
			return
		}
		s.Close()
	})
}
