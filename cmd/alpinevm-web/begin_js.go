package main

import (
	"fmt"
	"io"
	"iter"
	"syscall/js"

	"alpinevm"
	"alpinevm/fs9p"
	"alpinevm/internal/chunked"
	"alpinevm/internal/website"
)

// beginning is a machine that is being made of what the page asks for.
type beginning struct {
	*page
	m      *website.Machine
	chunks *chunked.Cache
	screen *website.Screen
	kept   *keeping // nil: nothing is kept
	cfg    alpinevm.Config
}

// close ends the use of what is kept, behind the machine.
func (b *beginning) close() error {
	if b.kept == nil {
		return nil
	}
	return b.kept.close()
}

// machine has the machine go on from a snapshot, if there is one that fits, or from its
// kernel where that has booted already, or boot.
func (b *beginning) machine() (*alpinevm.Machine, error) {
	var err error
	if b.kept, err = b.keeping(b.m); err != nil {
		return nil, err
	}
	machine, err := b.goOn()
	if machine != nil {
		return machine, nil
	}
	if err != nil {
		b.send("notice", map[string]any{"text": fmt.Sprintf("The snapshot cannot be used: %v. The machine boots.", err)})
	}
	phase := "booting"
	if b.m.Booted != nil && !b.port.Get("boot").Truthy() {
		if machine, err = b.begin(); err == nil {
			return machine, nil
		}
		phase = fmt.Sprintf("booting, since the kernel that has booted already cannot be used: %v", err)
	}
	if err := b.open(b.opening(), false); err != nil {
		return nil, err
	}
	b.send("phase", map[string]any{"text": phase})
	return alpinevm.New(b.cfg)
}

// open makes the Config of a machine that comes to its files now. console says that it has
// one in any case.
func (b *beginning) open(o website.Opening, console bool) (err error) {
	if b.kept != nil {
		if o.Upper, err = b.kept.open(); err != nil {
			return err
		}
	}
	if b.cfg, err = b.m.Open(o); err != nil {
		return err
	}
	collect(b.m.Memory)
	if err := b.connect(console); err != nil {
		return err
	}
	return website.PutNetworkFiles(&b.cfg)
}

// begin gives the machine that goes on from the site's booted kernel.
func (b *beginning) begin() (*alpinevm.Machine, error) {
	s, err := b.stream(*b.m.Booted)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if had := s.Info().Memory; had != b.m.Memory {
		return nil, otherMemory(had, b.m.Memory)
	}
	o := b.opening()
	o.Booted = true
	if err := b.open(o, website.HasConsole(s)); err != nil {
		return nil, err
	}
	b.send("phase", map[string]any{"text": "starting"})
	return s.Begin(b.cfg)
}

// otherMemory is the error of a snapshot.
func otherMemory(had, has int64) error {
	return fmt.Errorf("its machine has %d MiB of memory, and this one is to have %d", had>>20, has>>20)
}

// stream gives a snapshot of the site's.
func (b *beginning) stream(f chunked.File) (*alpinevm.Snapshot, error) {
	chunks, err := b.cache(streamChunks)
	if err != nil {
		return nil, err
	}
	from, err := chunks.Open(f)
	if err != nil {
		return nil, err
	}
	return alpinevm.StreamSnapshot(from, from.Size())
}

func (b *beginning) opening() website.Opening {
	return website.Opening{Chunks: b.chunks, Source: b.chunk, Terminal: b.hasTerminal(), Network: true, Screen: b.screen.Bytes}
}

func (b *beginning) hasTerminal() bool { return b.port.Get("terminal").Truthy() }

// connect connects the machine to the page. A console that the page has no terminal for
// shows nothing.
func (b *beginning) connect(console bool) error {
	cfg := &b.cfg
	cfg.Engine = alpinevm.Engine(text(b.port.Get("engine")))
	if size := b.port.Get("terminal"); size.Truthy() {
		out := io.MultiWriter(writer{b.page, "output", 0}, b.screen)
		cfg.Consoles.Terminal = &alpinevm.Terminal{In: b.keys, Out: out, Cols: uint16(size.Get("cols").Int()), Rows: uint16(size.Get("rows").Int())}
	} else {
		cfg.Session.Idle = true
		if console {
			cfg.Consoles.Terminal = &alpinevm.Terminal{In: b.keys, Out: io.Discard, Cols: 80, Rows: 24}
		}
	}
	return b.network(cfg)
}

// snapshot is what the page has to go on from; nil: nothing.
func (b *beginning) snapshot() (*alpinevm.Snapshot, error) {
	switch v := b.port.Get("snapshot"); {
	case v.Type() == js.TypeObject:
		from := blob{b.page, v}
		return alpinevm.StreamSnapshot(from, from.Size())
	case text(v) == "site" && b.m.Snapshot != nil:
		return b.stream(*b.m.Snapshot)
	}
	return nil, nil
}

// goOn gives the machine that goes on from a snapshot; nil: there is none, or it cannot
// be used, as the error says.
func (b *beginning) goOn() (*alpinevm.Machine, error) {
	s, err := b.snapshot()
	if s == nil {
		return nil, err
	}
	defer s.Close()
	about, err := website.ReadAbout(s)
	if err != nil {
		return nil, err
	}
	if err := b.fits(s, about); err != nil {
		return nil, err
	}
	b.m.Become(about)
	o := b.opening()
	o.From = s
	if b.kept != nil {
		o.Fill = func(changes []byte, contents iter.Seq2[uint64, fs9p.Content]) (website.Upper, error) {
			return b.kept.fill(changes, contents)
		}
	}
	if b.cfg, err = b.m.Open(o); err != nil {
		return nil, err
	}
	b.cfg.Memory = s.Info().Memory
	collect(b.cfg.Memory)
	if err := b.connect(website.HasConsole(s)); err != nil { // the resolver's files are there
		return nil, err
	}
	machine, err := s.Clone(b.cfg)
	if err != nil {
		return nil, err
	}
	if b.hasTerminal() {
		_, err = b.cfg.Consoles.Terminal.Out.Write(about.Screen)
	}
	return machine, err
}

// fits refuses a snapshot of a machine that is not what the page asks for.
func (b *beginning) fits(s *alpinevm.Snapshot, a *website.About) error {
	if memory, had := b.port.Get("memory"), s.Info().Memory; memory.Type() == js.TypeNumber && b.m.Memory != had {
		return otherMemory(had, b.m.Memory)
	}
	if b.kept != nil && b.kept.has != website.Fresh {
		return fmt.Errorf("%s is kept already, and goes on with its files", text(b.port.Get("name")))
	}
	return b.m.Fits(a, b.hasTerminal(), true)
}

// blob is a file of the page's, which is read at once: an object of size and read(offset,
// length).
type blob struct {
	p *page
	v js.Value
}

// Size is in bytes.
func (f blob) Size() int64 { return int64(f.v.Get("size").Float()) }

// ReadAt is part of io.ReaderAt.
func (f blob) ReadAt(p []byte, off int64) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = thrown(r)
		}
	}()
	part := min(int64(len(p)), max(f.Size()-off, 0))
	if part > 0 {
		n = js.CopyBytesToGo(p, f.v.Call("read", float64(off), float64(part)))
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}
