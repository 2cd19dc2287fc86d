package launch

import (
	"cmp"
	"context"

	"alpinevm"
	"alpinevm/internal/chunked"
	"alpinevm/internal/website"
)

// keptPageChunks is how many chunks of a page's files stay unpacked: 16 MiB.
const keptPageChunks = 64

// pageOrigin is what the snapshot of a page's machine tells of its origin.
func pageOrigin(s *alpinevm.Snapshot) (*Origin, error) {
	a, err := website.ReadAbout(s)
	if err != nil {
		return nil, err
	}
	m := a.Machine
	return &Origin{
		Rootfs: "a page's", Kernel: "the page's", Memory: cmp.Or(s.Info().Memory, m.Memory), Hostname: m.Hostname, User: m.User, Dir: m.Dir, Args: m.Args, Env: m.Env, Init: m.Init,
		Terminal: a.Terminal || website.HasConsole(s), Network: a.Network,
	}, nil
}

// page opens the root of a page's machine, and what else it had, from its snapshot.
func (o *opening) page(context.Context) error {
	a, err := website.ReadAbout(o.From)
	if err != nil {
		return err
	}
	source, err := website.Held(o.From)
	if err != nil {
		return err
	}
	chunks, err := chunked.NewCache(source, keptPageChunks)
	if err != nil {
		return err
	}
	cfg, err := a.Machine.Open(website.Opening{Chunks: chunks, Source: source, From: o.From, Terminal: a.Terminal, Network: a.Network, Screen: func() []byte { return a.Screen }})
	if err != nil {
		return err
	}
	o.cfg.Boot.Later, o.cfg.Boot.Modules, o.cfg.Boot.Cmdline, o.cfg.Boot.Append = cfg.Boot.Later, cfg.Boot.Modules, cfg.Boot.Cmdline, cfg.Boot.Append
	o.cfg.Session.Root = cfg.Session.Root
	o.cfg.Kept = append(o.cfg.Kept, cfg.Kept...)
	return nil
}
