package agents

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"alpinevm"
)

// snapshot is a machine at rest.
type snapshot struct {
	name string
	of   machine // what it was of, without the machine itself
	made time.Time

	mu    sync.RWMutex // is held for reading while a machine is made of it
	state *alpinevm.Snapshot
}

// snapshots is what is told of one.
type snapshots struct {
	Snapshot string  `json:"snapshot" jsonschema:"its name, which restore_snapshot takes"`
	Of       string  `json:"of" jsonschema:"the machine that it is of"`
	Age      float64 `json:"age_seconds"`
}

func (p *snapshot) describe() snapshots {
	return snapshots{p.name, p.of.name, seconds(time.Since(p.made))}
}

// close gives its memory back. Machines that were made of it keep what they have.
func (p *snapshot) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != nil {
		p.state.Close()
		p.state = nil
	}
}

// snapshotNames lists those that there are. s is locked.
func (s *Server) snapshotNames() []string {
	var list []string
	for name := range s.snapshots {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// snapshot finds one.
func (s *Server) snapshot(name string) (*snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.snapshots[name]; p != nil {
		return p, nil
	}
	if names := s.snapshotNames(); len(names) > 0 {
		return nil, refusef("there is no snapshot %q; there are %s", name, strings.Join(names, ", "))
	}
	return nil, refusef("there is no snapshot %q, nor any other; take_snapshot takes one", name)
}

func (s *Server) takeSnapshot(ctx context.Context, in machineInput) (snapshots, error) {
	m, err := s.machine(in.Machine)
	if err != nil {
		return snapshots{}, err
	}
	ctx, cancel, err := s.request(ctx, 0)
	if err != nil {
		return snapshots{}, err
	}
	defer cancel()
	p := &snapshot{made: time.Now(), of: *m}
	p.of.vm, p.of.off = nil, nil
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := s.place(p); err != nil {
		return snapshots{}, err
	}
	if p.state, err = m.vm.Snapshot(ctx); err != nil {
		s.forget(p)
		return snapshots{}, err
	}
	return p.describe(), nil
}

// place reserves the place of a snapshot.
func (s *Server) place(p *snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return errServerEnds
	}
	if len(s.snapshots) >= s.Snapshots {
		return refusef("there are %d snapshots already, as many as this server lets there be (%s): destroy one first", s.Snapshots, strings.Join(s.snapshotNames(), ", "))
	}
	s.made++
	p.name = fmt.Sprintf("s%d", s.made)
	s.snapshots[p.name] = p
	return nil
}

func (s *Server) forget(p *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.snapshots, p.name)
}

type snapshotInput struct {
	Snapshot string `json:"snapshot" jsonschema:"the snapshot's name"`
}

func (s *Server) restoreSnapshot(ctx context.Context, in snapshotInput) (made, error) {
	p, err := s.snapshot(in.Snapshot)
	if err != nil {
		return made{}, err
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.state == nil {
		return made{}, refusef("snapshot %s is being destroyed", p.name)
	}
	ctx, cancel, err := s.request(ctx, 0)
	if err != nil {
		return made{}, err
	}
	defer cancel()
	spec, err := s.Spec()
	if err != nil {
		return made{}, err
	}
	spec.From, spec.Volumes = p.state, p.of.shares
	if !p.of.network {
		spec.Config.Network = nil
	}
	m := &machine{image: p.of.image, memory: p.of.memory, network: p.of.network, shares: p.of.shares}
	if err := s.start(ctx, m, spec); err != nil {
		return made{}, err
	}
	return m.describe(), nil
}

func (s *Server) destroySnapshot(_ context.Context, in snapshotInput) (done, error) {
	p, err := s.snapshot(in.Snapshot)
	if err != nil {
		return done{}, err
	}
	s.forget(p)
	p.close()
	return done{"destroyed " + p.name}, nil
}
