package alpinevm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"alpinevm/cpu/mem"
	"alpinevm/internal/linux"
	"alpinevm/internal/snapshot"
	"alpinevm/kernel"
	"alpinevm/net/usernet"
)

// ErrNotQuiet is the error of a Capture while the host's files are being asked. The
// machine is to step on.
var ErrNotQuiet = errors.New("the host's files are being asked")

// ErrSnapshot is the error of a file that is no snapshot, or one that this version
// cannot read.
var ErrSnapshot = snapshot.ErrFormat

// Kept is what a Config holds and a snapshot keeps, such as the files that are in
// memory.
type Kept struct {
	Name string // another one for each
	// Save gives its state as plain data, which stays as it is, or a Late. It is
	// called on the machine goroutine, between two steps.
	Save func() (any, error)
	// Settle, where not nil, is called when a machine has been restored, and has
	// found its files again.
	Settle func()
}

// Late is a state that is made when a snapshot is written, while the machine goes
// on: it is still what it was.
type Late interface {
	// State gives plain data. A func() ([]byte, error) in it stands for bytes that
	// are too many to be kept in memory; it may be called several times, and gives
	// the same ones. All is called on one goroutine at a time.
	State() (any, error)
	// Close ends the use of what State has given.
	Close() error
}

// Snapshot is a machine at rest. Machines that are made of it share its memory
// until they write to it, where the host can do that.
type Snapshot struct {
	header   snapshot.Header
	sections []snapshot.Section
	ram      *mem.Image

	file  *snapshot.File // sections are read when they are asked for; nil: they are here
	stood time.Duration  // as the machine did meanwhile

	once sync.Once // encodes
	kept []keptState
	bad  error
	late []Late // to be closed
}

// keptState is a section that has yet to be encoded, such as the state of a Kept.
type keptState struct {
	section string
	state   any
}

// Capture gives a snapshot of the machine, which goes on. It is to be called on
// the machine goroutine, between two steps or in a function that was kicked. The
// host's files may be in the way (ErrNotQuiet).
func (m *Machine) Capture() (*Snapshot, error) { return m.captureKept(m.board.Freeze) }

// captureKept is Capture, of which memory gives the memory.
func (m *Machine) captureKept(memory func() (*mem.Image, error)) (*Snapshot, error) {
	begun := time.Now()
	s, err := m.capture(false, memory)
	if err != nil {
		return nil, err
	}
	for _, k := range m.cfg.Kept {
		state, err := k.Save()
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("%s: %w", k.Name, err)
		}
		if l, ok := state.(Late); ok {
			s.late = append(s.late, l)
		}
		s.kept = append(s.kept, keptState{keptSection + k.Name, state})
	}
	s.stood = time.Since(begun)
	return s, nil
}

// Stood is for how long the machine stood still for Capture.
func (s *Snapshot) Stood() time.Duration { return s.stood }

// capture gives a snapshot of the machine alone. One that is bare has neither an
// initial root file system nor what the guest adds to it, which is one run's own.
func (m *Machine) capture(bare bool, memory func() (*mem.Image, error)) (*Snapshot, error) {
	state, err := m.save()
	if err != nil {
		return nil, err
	}
	if bare {
		state.Initrd = nil
		for i := range state.Session {
			state.Session[i].Setup = nil
		}
	}
	s := &Snapshot{header: snapshot.Header{
		Program: version(), Model: m.board.Processor(), Memory: m.cfg.Memory, Devices: m.board.Devices(), Made: time.Now().Unix(),
	}}
	if s.sections, err = state.sections(); err != nil {
		return nil, err
	}
	switch {
	case bare:
		s.kept = append(s.kept, keptState{beginSection, m.session.beginState()})
	case m.session != nil && m.session.modules != nil:
		s.kept = append(s.kept, keptState{modulesSection, m.session.modules.Save()})
	}
	if s.ram, err = memory(); err != nil {
		return nil, err
	}
	return s, nil
}

// CaptureRunning is Capture while another goroutine runs the machine, which stops
// for as long as its memory takes to copy. It may be called from any other
// goroutine.
func (m *Machine) CaptureRunning(ctx context.Context) (*Snapshot, error) {
	type captured struct {
		s   *Snapshot
		err error
	}
	done := make(chan captured, 1)
	var try func()
	try = func() {
		if ctx.Err() != nil {
			return // nobody waits
		}
		s, err := m.Capture()
		if errors.Is(err, ErrNotQuiet) {
			time.AfterFunc(50*time.Microsecond, func() { m.Kick(try) })
			return
		}
		done <- captured{s, err}
	}
	m.Kick(try)
	select {
	case c := <-done:
		return c.s, c.err
	case <-ctx.Done():
	}
	// It may be there all the same, once the machine runs.
	m.Kick(func() {
		select {
		case c := <-done:
			if c.s != nil {
				c.s.Close()
			}
		default:
		}
	})
	return nil, context.Cause(ctx)
}

// Snapshot writes a snapshot of the machine to w, packed. It is to be called
// between two steps, on the goroutine that runs the machine, which stands still
// meanwhile: no copy is made of its memory.
func (m *Machine) Snapshot(w io.Writer) error {
	capture := func() (*Snapshot, error) {
		return m.captureKept(func() (*mem.Image, error) { return m.board.Still(), nil })
	}
	s, err := capture()
	for late := time.Now().Add(m.closeWait); errors.Is(err, ErrNotQuiet); s, err = capture() {
		if time.Now().After(late) {
			return ErrBusy
		}
		time.Sleep(50 * time.Microsecond) // what the files answer comes by Kick
	}
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Write(w)
}

// Names of the sections.
const (
	boardSection   = "board." // and the name of a field of board.State
	serverSection  = "9p."    // and a mount tag
	sessionSection = "session"
	initrdSection  = "initrd"
	networkSection = "network"
	modulesSection = "modules" // of snapshots that clones are made of
	beginSection   = "begin"   // of a booted kernel, whose guest waits to begin
	keptSection    = "kept."   // and a name
)

// initrd is a section.
type initrd struct{ Data []byte }

// sections encodes the state.
func (s *state) sections() (list []snapshot.Section, err error) {
	add := func(name string, state any) {
		if err == nil {
			var one snapshot.Section
			one, err = snapshot.Encode(name, state)
			list = append(list, one)
		}
	}
	parts := reflect.ValueOf(s.Board)
	for i := range parts.NumField() {
		add(boardSection+parts.Type().Field(i).Name, parts.Field(i).Interface())
	}
	for _, srv := range s.Servers {
		add(serverSection+srv.Tag, srv.State)
	}
	for _, one := range s.Network {
		add(networkSection, one)
	}
	for _, one := range s.Session {
		add(sessionSection, one)
		add(initrdSection, initrd{s.Initrd})
	}
	return list, err
}

// state decodes the sections of a machine with these 9P devices.
func (s *Snapshot) state(tags []string) (*state, error) {
	st := &state{}
	parts := reflect.ValueOf(&st.Board).Elem()
	for i := range parts.NumField() {
		if err := s.decode(boardSection+parts.Type().Field(i).Name, parts.Field(i).Addr().Interface()); err != nil {
			return nil, err
		}
	}
	for _, tag := range tags {
		one := serverState{Tag: tag}
		if err := s.decode(serverSection+tag, &one.State); err != nil {
			return nil, err
		}
		st.Servers = append(st.Servers, one)
	}
	if s.hasSection(networkSection) {
		st.Network = make([]usernet.State, 1)
		if err := s.decode(networkSection, &st.Network[0]); err != nil {
			return nil, err
		}
	}
	if !s.hasSection(sessionSection) {
		return st, nil
	}
	st.Session = make([]sessionState, 1)
	if err := s.decode(sessionSection, &st.Session[0]); err != nil {
		return nil, err
	}
	var rd initrd
	err := s.decodeShared(initrdSection, &rd)
	st.Initrd = rd.Data
	return st, err
}

// section finds a section.
func (s *Snapshot) section(name string) (*snapshot.Section, error) {
	if s.file != nil {
		x, err := s.file.Section(name)
		return &x, err
	}
	i := slices.IndexFunc(s.sections, func(x snapshot.Section) bool { return x.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: there is no section %s", ErrSnapshot, name)
	}
	return &s.sections[i], nil
}

func (s *Snapshot) hasSection(name string) bool {
	if s.file != nil {
		return s.file.Has(name)
	}
	_, err := s.section(name)
	return err == nil
}

func (s *Snapshot) decode(name string, state any) error {
	x, err := s.section(name)
	if err != nil {
		return err
	}
	return x.Decode(state)
}

func (s *Snapshot) decodeShared(name string, state any) error {
	x, err := s.section(name)
	if err != nil {
		return err
	}
	return x.DecodeShared(state)
}

// Has tells whether the snapshot keeps something of that name.
func (s *Snapshot) Has(name string) bool { return s.encode() == nil && s.hasSection(keptSection+name) }

// Decode fills the state that a pointer leads to with what a Kept of that name has
// saved. What is in it is shared by all who decode it, and is not to be changed.
func (s *Snapshot) Decode(name string, state any) error {
	if err := s.encode(); err != nil {
		return err
	}
	return s.decodeShared(keptSection+name, state)
}

// Clone makes a machine that goes on from the snapshot. cfg is as for New, but for
// what belongs to the host and what Decode has given; Memory may be 0. Several
// clones may be made, also at a time.
func (s *Snapshot) Clone(cfg Config) (*Machine, error) {
	if err := s.encode(); err != nil {
		return nil, err
	}
	if cfg.Memory == 0 {
		cfg.Memory = s.header.Memory
	}
	var g *gate
	if !cfg.Deterministic {
		g = newGate()
		g.guard(&cfg)
	}
	if s.Begins() {
		return nil, errBegins
	}
	var modules *linux.BootedModules
	if s.hasSection(modulesSection) {
		modules = &linux.BootedModules{}
		if err := s.decodeShared(modulesSection, &modules.Seen); err != nil {
			return nil, err
		}
	}
	m, err := assembleFrom(cfg, s.ram, modules)
	if err != nil {
		return nil, err
	}
	m.gate = g
	if err := s.revive(m); err != nil {
		m.Close()
		return nil, err
	}
	m.debug()
	return m, nil
}

// revive has a machine that has just been assembled go on from the snapshot.
func (s *Snapshot) revive(m *Machine) error {
	if err := s.same(m); err != nil {
		return err
	}
	if name := m.cfg.Hostname; name != "" && !kernel.ValidHostname(name) {
		return &ConfigError{"Hostname", linux.ErrHostname}
	}
	state, err := s.state(m.tags())
	if err != nil {
		return err
	}
	if err := m.restore(state); err != nil {
		return err
	}
	if m.gate != nil {
		if err := m.renew(); err != nil {
			return err
		}
	}
	for _, k := range m.cfg.Kept {
		if k.Settle != nil {
			k.Settle()
		}
	}
	if t := m.cfg.Consoles.Terminal; t != nil {
		m.board.Resize(t.Cols, t.Rows)
	}
	return nil
}

// same refuses a machine that is not made as the one was that the snapshot is of.
func (s *Snapshot) same(m *Machine) error {
	if model := m.board.Processor(); model != s.header.Model {
		return fmt.Errorf("restore: the processor is %s, and was %s", model, s.header.Model)
	}
	if err := sameDevices(m.board.Devices(), s.header.Devices); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// tags are the mount tags of the 9P devices.
func (m *Machine) tags() (list []string) {
	for _, srv := range m.servers {
		list = append(list, srv.tag)
	}
	return list
}

// sameDevices names the first device in which a machine differs from what it was.
func sameDevices(have, had []string) error {
	for i := range max(len(have), len(had)) {
		switch {
		case i >= len(have):
			return fmt.Errorf("the device %q is missing", had[i])
		case i >= len(had):
			return fmt.Errorf("the device %q was not there", have[i])
		case have[i] != had[i]:
			return fmt.Errorf("the device %q is where %q was", have[i], had[i])
		}
	}
	return nil
}

// encode encodes, once, what Capture had no time for.
func (s *Snapshot) encode() error {
	s.once.Do(func() {
		for _, k := range s.kept {
			one, err := k.encode()
			if err != nil {
				s.bad = err
				return
			}
			s.sections = append(s.sections, one)
		}
		s.kept = nil
	})
	return s.bad
}

func (k *keptState) encode() (snapshot.Section, error) {
	l, ok := k.state.(Late)
	if !ok {
		return snapshot.Encode(k.section, k.state)
	}
	state, err := l.State()
	if err != nil {
		return snapshot.Section{}, fmt.Errorf("%s: %w", k.section, err)
	}
	return snapshot.EncodeLate(k.section, state)
}

// Late gives what a Kept of that name has saved, if it was a Late and the snapshot
// has not been written or read yet.
func (s *Snapshot) Late(name string) Late {
	for _, k := range s.kept {
		if l, ok := k.state.(Late); ok && k.section == keptSection+name {
			return l
		}
	}
	return nil
}

// Write writes the snapshot as a file that is small, to be sent around.
func (s *Snapshot) Write(w io.Writer) error { return s.writePacked(w, snapshot.Quick) }

// WriteThorough is Write for a file that many are going to load: it takes several times as
// long, and the file is smaller.
func (s *Snapshot) WriteThorough(w io.Writer) error { return s.writePacked(w, snapshot.Thorough) }

func (s *Snapshot) writePacked(w io.Writer, effort snapshot.Effort) error {
	return s.write(func(pages snapshot.Memory) error {
		return snapshot.WritePacked(w, effort, s.header, s.sections, pages)
	})
}

// WriteRaw writes the snapshot to an empty file, such as an *os.File, of which
// OpenSnapshot makes machines at once.
func (s *Snapshot) WriteRaw(f interface {
	io.WriterAt
	Truncate(size int64) error
}) error {
	return s.write(func(pages snapshot.Memory) error { return snapshot.WriteRaw(f, s.header, s.sections, pages) })
}

func (s *Snapshot) write(to func(snapshot.Memory) error) error {
	if err := s.encode(); err != nil {
		return err
	}
	pages, failed := s.ram.Pages()
	return to(snapshot.Memory{Pages: pages, Failed: failed})
}

// OpenSnapshot reads a snapshot of size bytes. Where r has a descriptor, as an
// *os.File has, and its layout allows it, memory stays in the file, which must not
// change as long as machines that were made of it run. So does all else, and what is
// much in any layout, where r also has View(off, n int64) ([]byte, error), which
// gives bytes of the file that are there for good.
func OpenSnapshot(r io.ReaderAt, size int64) (*Snapshot, error) {
	f, err := snapshot.Open(r, size)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{header: f.Header}
	if s.sections, err = f.All(); err != nil {
		return nil, err
	}
	if s.ram, err = openMemory(f, r); err != nil {
		return nil, err
	}
	return s, nil
}

// StreamSnapshot is OpenSnapshot for one machine in a process that has not got the room
// to keep a snapshot beside it: sections are read from r when they are asked for, and
// memory goes from r straight into the machine's. r is used until Close.
func StreamSnapshot(r io.ReaderAt, size int64) (*Snapshot, error) {
	f, err := snapshot.Open(r, size)
	if err != nil {
		return nil, err
	}
	ram, err := mem.StreamImage(uint64(f.Memory), f.Load)
	if err != nil {
		return nil, err
	}
	return &Snapshot{header: f.Header, file: f, ram: ram}, nil
}

// openMemory maps memory, or loads it.
func openMemory(f *snapshot.File, r io.ReaderAt) (*mem.Image, error) {
	file, has := r.(interface{ Fd() uintptr })
	if at, ok := f.Mapped(); ok && has {
		if image, err := mem.MapImage(file.Fd(), at, uint64(f.Memory)); !errors.Is(err, errors.ErrUnsupported) {
			return image, err
		}
	}
	image, err := mem.NewImage(uint64(f.Memory))
	if err != nil {
		return nil, err
	}
	if err := f.Load(image.Put); err != nil {
		image.Close()
		return nil, err
	}
	return image, nil
}

// SnapshotInfo says what a snapshot is of.
type SnapshotInfo struct {
	Program, Processor string
	Memory             int64    // bytes of RAM
	Devices            []string // by slot, from 1 on
	Made               time.Time
	Layout             string // of a file: raw or packed
	Size               int64  // bytes on the disk that a file takes at most, without the memory that is zero
}

// Info says what the snapshot is of.
func (s *Snapshot) Info() SnapshotInfo { return infoOf(&s.header) }

func infoOf(h *snapshot.Header) SnapshotInfo {
	return SnapshotInfo{Program: h.Program, Processor: h.Model, Memory: h.Memory, Devices: slices.Clone(h.Devices), Made: time.Unix(h.Made, 0), Layout: h.Layout}
}

// ReadSnapshotInfo reads what a file of size bytes says that it is of.
func ReadSnapshotInfo(r io.ReaderAt, size int64) (SnapshotInfo, error) {
	f, err := snapshot.Open(r, size)
	if err != nil {
		return SnapshotInfo{}, err
	}
	info := infoOf(&f.Header)
	info.Size = f.Stored()
	return info, nil
}

// CheckSnapshot reads a file of size bytes to its end, and says what is wrong with
// it. OpenSnapshot does not look at memory that it maps.
func CheckSnapshot(r io.ReaderAt, size int64) error {
	f, err := snapshot.Open(r, size)
	if err != nil {
		return err
	}
	return f.Check()
}

// maxSnapshot bounds what Restore reads, in bytes.
const maxSnapshot = 2 * MaxMemory

// Restore makes a machine of a snapshot that is read from r to its end. cfg is as
// for Snapshot.Clone.
func Restore(r io.Reader, cfg Config) (*Machine, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSnapshot))
	if err != nil {
		return nil, err
	}
	s, err := OpenSnapshot(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Clone(cfg)
}

// Close gives the memory back to the host. Machines that were made of the snapshot
// do not need it.
func (s *Snapshot) Close() error {
	err := s.ram.Close()
	for _, l := range s.late {
		err = errors.Join(err, l.Close())
	}
	s.late = nil
	return err
}

// version names the version that writes snapshots.
func version() string {
	name := "alpinevm"
	if info, ok := debug.ReadBuildInfo(); ok {
		name += " " + info.Main.Version
		for _, x := range info.Settings {
			if x.Key == "vcs.revision" {
				name += " " + x.Value
			}
		}
	}
	return name
}
