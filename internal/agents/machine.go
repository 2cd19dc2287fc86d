package agents

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"alpinevm"
	"alpinevm/launch"
)

// machine is one that runs.
type machine struct {
	name, image string
	memory      int64
	network     bool
	shares      []launch.Volume
	made        time.Time
	vm          *launch.VM // nil: it is being made
	off         context.CancelCauseFunc
}

// departure tells why a machine is not there any more.
type departure struct{ name, why string }

// maxGone is how many machines that are gone are remembered.
const maxGone = 32

// refusef is an error about what was asked for.
func refusef(format string, args ...any) error { return fmt.Errorf(format, args...) }

// Why a machine was switched off.
var (
	errDestroyed = errors.New("it was destroyed")
	errLife      = errors.New("it had lived as long as this server lets a machine live")
)

// reserve takes the place of a machine.
func (s *Server) reserve(m *machine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return errServerEnds
	}
	if len(s.machines) >= s.Machines {
		return refusef("there are %d machines already, as many as this server lets there be (%s): destroy one first", s.Machines, strings.Join(s.names(), ", "))
	}
	s.made++
	s.work.Add(1) // the machine has ended at its Done
	m.name, m.made = fmt.Sprintf("m%d", s.made), time.Now()
	s.machines[m.name] = m
	return nil
}

// names lists the machines that there are. s is locked.
func (s *Server) names() []string {
	var list []string
	for name := range s.machines {
		list = append(list, name)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	return list
}

// start makes the machine of spec in a place that is reserved for it. ctx ends the
// waiting; the machine outlives it.
func (s *Server) start(ctx context.Context, m *machine, spec *launch.Spec) error {
	if err := s.reserve(m); err != nil {
		return err
	}
	life, off := context.WithCancelCause(s.life)
	release := context.AfterFunc(ctx, func() { off(context.Cause(ctx)) })
	vm, err := spec.Start(life)
	if err == nil && !release() {
		vm.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		off(nil)
		s.leave(m, "it could not be made")
		if ctx.Err() != nil {
			return refusef("the machine was not made: %w", context.Cause(ctx))
		}
		return s.Explain(err)
	}
	s.mu.Lock()
	m.vm, m.off = vm, off
	s.mu.Unlock()
	late := time.AfterFunc(s.Life, func() { off(errLife) })
	go func() {
		end, err := vm.Wait()
		late.Stop()
		why := ending(end, err, context.Cause(life))
		vm.Close()
		off(nil)
		s.leave(m, why)
	}()
	return nil
}

// leave gives up a machine's place.
func (s *Server) leave(m *machine, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.machines, m.name)
	s.gone = append(s.gone, departure{m.name, why})
	s.gone = s.gone[max(0, len(s.gone)-maxGone):]
	s.work.Done()
}

// ending says how a machine has ended.
func ending(end alpinevm.End, err, cause error) string {
	switch {
	case cause != nil:
		return cause.Error()
	case err != nil:
		return err.Error()
	case end.Detail != "":
		return fmt.Sprintf("%s: %s", end.Cause, end.Detail)
	}
	return end.Cause.String()
}

// machine finds a machine that runs.
func (s *Server) machine(name string) (*machine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.machines[name]
	if m != nil && m.vm != nil {
		return m, nil
	}
	if m != nil {
		return nil, refusef("machine %s is still being made", name)
	}
	for _, g := range s.gone {
		if g.name == name {
			return nil, refusef("machine %s is gone: %s", name, g.why)
		}
	}
	if names := s.names(); len(names) > 0 {
		return nil, refusef("there is no machine %q; there are %s", name, strings.Join(names, ", "))
	}
	return nil, refusef("there is no machine %q, nor any other; make_machine makes one", name)
}

// makeInput is what make_machine is asked for.
type makeInput struct {
	Image    string    `json:"image,omitempty" jsonschema:"the container image to make it of; without one, the server's first"`
	MemoryMB int64     `json:"memory_mb,omitempty" jsonschema:"its memory in MiB; without it, as much as the server gives"`
	Network  string    `json:"network,omitempty" jsonschema:"none for no network; without it, what the server gives"`
	Shares   *[]string `json:"shares,omitempty" jsonschema:"which of the server's shared folders it has, by their names in the guest; without it, all"`
}

// made is what is told of a machine.
type made struct {
	Machine string   `json:"machine" jsonschema:"its name, which the other tools take"`
	Image   string   `json:"image,omitempty"`
	Memory  int64    `json:"memory_mb"`
	Network bool     `json:"network" jsonschema:"whether it has a network"`
	Shares  []string `json:"shares,omitempty" jsonschema:"what of the host's it has, by names in the guest"`
	State   string   `json:"state" jsonschema:"running, or starting"`
	Age     float64  `json:"age_seconds"`
}

func (m *machine) describe() made {
	d := made{Machine: m.name, Image: m.image, Memory: m.memory >> 20, Network: m.network, State: "running", Age: seconds(time.Since(m.made))}
	if m.vm == nil {
		d.State = "starting"
	}
	for _, v := range m.shares {
		d.Shares = append(d.Shares, v.Guest)
	}
	return d
}

func (s *Server) makeMachine(ctx context.Context, in makeInput) (made, error) {
	spec, err := s.Spec()
	if err != nil {
		return made{}, err
	}
	m := &machine{memory: s.Memory}
	for _, choose := range []func(makeInput, *machine, *launch.Spec) error{s.chooseImage, s.chooseMemory, s.chooseNetwork, s.chooseShares} {
		if err := choose(in, m, spec); err != nil {
			return made{}, err
		}
	}
	if err := s.start(ctx, m, spec); err != nil {
		return made{}, err
	}
	return m.describe(), nil
}

func (s *Server) chooseImage(in makeInput, m *machine, spec *launch.Spec) error {
	if len(s.Images) == 0 && !s.AnyImage {
		if in.Image != "" {
			return refusef("image %q: this server has one root file system for all machines; leave out image", in.Image)
		}
		return nil
	}
	m.image = cmp.Or(in.Image, append(s.Images, launch.DefaultImage)[0])
	if !s.AnyImage && !slices.Contains(s.Images, m.image) {
		return refusef("image %q: this server gives %s and no other", in.Image, strings.Join(s.Images, ", "))
	}
	spec.Image = m.image
	return nil
}

func (s *Server) chooseMemory(in makeInput, m *machine, spec *launch.Spec) error {
	if in.MemoryMB != 0 {
		if in.MemoryMB < alpinevm.MinMemory>>20 || in.MemoryMB > s.Memory>>20 {
			return refusef("memory_mb %d: want %d to %d, the limit of this server", in.MemoryMB, alpinevm.MinMemory>>20, s.Memory>>20)
		}
		m.memory = in.MemoryMB << 20
	}
	spec.Config.Memory = m.memory
	return nil
}

func (s *Server) chooseNetwork(in makeInput, m *machine, spec *launch.Spec) error {
	switch in.Network {
	case "":
		m.network = spec.Config.Network != nil
	case "none":
		spec.Config.Network = nil
	case "user":
		if m.network = spec.Config.Network != nil; !m.network {
			return refusef("network user: this server gives no network")
		}
	default:
		return refusef("network %q: want none or user", in.Network)
	}
	return nil
}

func (s *Server) chooseShares(in makeInput, m *machine, spec *launch.Spec) error {
	m.shares = s.Shares
	if in.Shares != nil {
		m.shares = nil
		for _, guest := range *in.Shares {
			i := slices.IndexFunc(s.Shares, func(v launch.Volume) bool { return v.Guest == guest })
			if i < 0 {
				return refusef("share %q: this server shares %s", guest, s.shareNames())
			}
			if !slices.Contains(m.shares, s.Shares[i]) {
				m.shares = append(m.shares, s.Shares[i])
			}
		}
	}
	spec.Volumes = m.shares
	return nil
}

// shareNames lists what can be shared.
func (s *Server) shareNames() string {
	var list []string
	for _, v := range s.Shares {
		list = append(list, v.Guest)
	}
	return cmp.Or(strings.Join(list, ", "), "nothing")
}

// none is the input of a tool that takes nothing.
type none struct{}

type machineList struct {
	Machines  []made      `json:"machines"`
	Snapshots []snapshots `json:"snapshots"`
}

func (s *Server) listMachines(context.Context, none) (machineList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := machineList{Machines: []made{}, Snapshots: []snapshots{}}
	for _, name := range s.names() {
		list.Machines = append(list.Machines, s.machines[name].describe())
	}
	for _, name := range s.snapshotNames() {
		list.Snapshots = append(list.Snapshots, s.snapshots[name].describe())
	}
	return list, nil
}

type machineInput struct {
	Machine string `json:"machine" jsonschema:"the machine's name"`
}

// done is the answer of a tool that has nothing to tell.
type done struct {
	Done string `json:"done" jsonschema:"what was done"`
}

func (s *Server) destroyMachine(_ context.Context, in machineInput) (done, error) {
	m, err := s.machine(in.Machine)
	if err != nil {
		return done{}, err
	}
	m.off(errDestroyed)
	if err := m.vm.Close(); err != nil {
		return done{}, err
	}
	return done{"destroyed " + m.name}, nil
}
