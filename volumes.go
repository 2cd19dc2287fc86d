package alpinevm

import (
	"alpinevm/fs9p"
	"alpinevm/internal/linux"
	"alpinevm/kernel"
)

// VolumeMount is how a guest mounts volume i of Config.Volumes. A session does
// so by itself; the program of a bare kernel passes the fields to mount(2).
func VolumeMount(i int, v Volume) kernel.Mount { return linux.Volume(v).Mount(i) }

// plugVolumes adds a 9P device for each volume.
func (m *Machine) plugVolumes() error {
	for i, v := range m.cfg.Volumes {
		cfg := fs9p.Config{FS: v.FS, Msize: linux.DataMsize, ReadOnly: v.ReadOnly, NoDefaultACL: m.aclFault(linux.CacheShared)}
		if err := m.serve(VolumeMount(i, v).Source, cfg); err != nil {
			return err
		}
	}
	return nil
}

// aclFault tells whether the guest's kernel crashes where a folder is made in one
// with a default access control list. Without a kernel of ours nobody knows.
func (m *Machine) aclFault(cache string) bool {
	return m.image.Kernel == nil || linux.ACLFault(m.image.Kernel.Release, cache)
}

// server is the one behind the 9P device of that tag.
type server struct {
	tag string
	*fs9p.Server
}

// serve adds a 9P device and its server.
func (m *Machine) serve(tag string, cfg fs9p.Config) error {
	if !m.cfg.Deterministic {
		cfg.Post = m.Kick // without it the machine waits for the host's files
	}
	if m.cfg.Debug.Trace&Trace9P != 0 {
		cfg.Trace = m.traced(tag)
	}
	srv := server{tag, fs9p.New(cfg)}
	m.servers = append(m.servers, srv)
	return m.board.PlugP9(tag, srv)
}

// traced reports the messages of a 9P device. A server of slow files calls it
// from a goroutine of its own.
func (m *Machine) traced(tag string) func(uint16, fs9p.Message) {
	return func(id uint16, msg fs9p.Message) {
		line := fs9p.Describe(id, msg)
		m.Kick(func() { m.board.Report("9p %s: %s", tag, line) })
	}
}
